"""Which pixels networks listen to: input gradients, side by side."""

import pathlib

import jax
import numpy as np

from at_jax.pictures import maps as pictures
from at_jax.train.looks import class_gradients
from at_jax.visualize.maps import (
  check_finite,
  in_short,
  said_of,
  save_arrays,
  title_of,
)
from at_jax.visualize.similar import GRADIENTS_ALIKE, Similarity, note

TAP = 'input gradient'
SUM, SIZE = f'{TAP}, sum over colours', f'{TAP}, its absolute value'
# Few pixels have gradients many times as large as all others.
SHOWN = 99.5
BANDS = [
  pictures.Band(SUM, ('signed',), SHOWN),
  pictures.Band(SIZE, shown=SHOWN),
]


def show_gradients(
  columns, images, out, *, label=False, scale='own', against='', say=print
):
  """Draws and saves the gradient at the pixels of every image.

  It is that of -log probability of the class which the network takes the image
  for, per step of a pixel of 0 to 255: brighter red pixels would make the
  class less probable, brighter blue ones more.

  Args:
    columns: a list of `Column`, side by side.
    images: `Images`.
    out: a folder.
    label: take the image's own class instead, where it is known and the network
      has it.
    scale: see `pictures.maps.draw_maps`.
    against: see `show_maps`.
    say: called with a line on each image.

  Returns:
    Lines of cells: mean cosines; none of one network alone.

  Raises:
    ValueError: no such scale or column, no image, or a network that gives NaN.
  """
  similarity = Similarity(columns, against)
  out, count = pathlib.Path(out), 0
  for each in images.together([column.network for column in columns]):
    chances, gradients, classes = {}, {}, {}
    for column, shown in zip(columns, each, strict=True):
      weights, wanted = column.weights, np.array([_label(shown, column, label)])
      found = class_gradients(column.network, weights.multi_label)
      found = found(weights.variables, shown.image[None], wanted)
      chance, index, gradient = (x[0] for x in jax.device_get(found))
      chances[column.name], gradients[column.name] = chance, {TAP: gradient}
      classes[column.name] = int(index)
    check_finite(columns, chances, each[0].title)
    cosines = similarity.add(gradients)
    drawn = [
      _drawn(column, shown, chances, gradients, classes, cosines)
      for column, shown in zip(columns, each, strict=True)
    ]
    out.mkdir(parents=True, exist_ok=True)
    picture = out / f'{each[0].name}_gradients.png'
    title = title_of(each[0], similarity)
    looks = dict(scale=scale, most=pictures.LARGE)
    pictures.draw_maps(picture, title, BANDS, drawn, **looks)
    arrays = {f'{name}/{TAP}': own[TAP] for name, own in gradients.items()}
    arrays |= {f'class/{name}': index for name, index in classes.items()}
    save_arrays(picture, columns, each, chances, cosines, arrays)
    say(f'{picture}: {in_short(drawn)}')
    count += 1
  if not similarity:
    return []
  similarity.save(out / GRADIENTS_ALIKE, images=count)
  return similarity.lines([TAP])


def _label(shown, column, wanted):
  """The image's class, or -1 for the one that the network finds."""
  label = shown.among(column.weights.class_names).label
  known = wanted and np.ndim(label) == 0 and label is not None
  return int(label) if known else -1


def _drawn(column, shown, chances, gradients, classes, cosines):
  name, names = column.name, column.weights.class_names
  total = gradients[name][TAP].sum(axis=-1)
  said = said_of(chances[name], column.weights)
  index = classes[name]
  if index != np.argmax(chances[name]):
    said += f'; gradient of {names[index]} ({chances[name][index]:.2f})'
  return pictures.Column(
    column.title,
    said,
    shown.image,
    {SUM: total, SIZE: np.abs(total)},
    {SUM: note(cosines[name], TAP)} if name in cosines else {},
  )

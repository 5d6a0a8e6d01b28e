"""Attention maps of several networks, image by image."""

import pathlib

import jax
import numpy as np

from at_jax._arrays import unknown
from at_jax.pictures import maps as pictures
from at_jax.train.looks import tap_maps
from at_jax.train.scores import best_classes
from at_jax.visualize.similar import MAPS_ALIKE, Similarity, note
from at_jax.visualize.taps import features_of, forms_of, tap_maps_of

STYLES = ('overlay', 'heat', 'dark')


def show_maps(
  columns,
  images,
  out,
  *,
  taps='',
  kind='',
  p='',
  style='overlay',
  scale='own',
  against='',
  say=print,
):
  """Draws and saves the attention maps of every image, one after the other.

  Args:
    columns: a list of `Column`, side by side.
    images: `Images`.
    out: a folder.
    taps, kind, p: see `tap_maps_of`.
    style: `overlay`, `heat`, `dark`, or `all` three.
    scale: see `pictures.maps.draw_maps`.
    against: the column that the others are compared with, by name; '' is the
      last.
    say: called with a line on each image.

  Returns:
    Lines of cells: mean cosines of every tap; none of one network alone.

  Raises:
    ValueError: no such tap, kind, style or column, no image, or a network that
      gives NaN.
  """
  if style not in (*STYLES, 'all'):
    raise ValueError(unknown('style', style, [*STYLES, 'all']))
  wanted = tap_maps_of(columns, taps, kind, p)
  forms = {one.label: one for own in wanted.values() for one in own}
  said = ', '.join(forms_of(kind, p))
  shown_as = STYLES if style == 'all' else (style,)
  similarity = Similarity(columns, against)
  out, count = pathlib.Path(out), 0
  for each in images.together([column.network for column in columns]):
    chances, maps = {}, {}
    for column, shown in zip(columns, each, strict=True):
      weights, own = column.weights, wanted[column.name]
      found = tap_maps(column.network, own, weights.multi_label)
      found = jax.device_get(found(weights.variables, shown.image[None]))
      chances[column.name], maps[column.name] = jax.tree.map(
        lambda x: x[0], found
      )
    check_finite(columns, chances, each[0].title)
    cosines = similarity.add(maps)
    drawn = [
      pictures.Column(
        column.title,
        said_of(chances[column.name], column.weights),
        shown.image,
        maps[column.name],
        {name: note(cosines.get(column.name, {}), name) for name in forms}
        if similarity
        else {},
      )
      for column, shown in zip(columns, each, strict=True)
    ]
    out.mkdir(parents=True, exist_ok=True)
    picture = out / f'{each[0].name}_maps.png'
    drawn_bands = [pictures.Band(name, shown_as) for name in forms]
    title = f'{title_of(each[0], similarity)} · maps: {said}'
    pictures.draw_maps(picture, title, drawn_bands, drawn, scale=scale)
    arrays = {
      f'{name}/{tap}': x for name, own in maps.items() for tap, x in own.items()
    }
    save_arrays(picture, columns, each, chances, cosines, arrays)
    say(f'{picture}: {in_short(drawn)}')
    count += 1
  if not similarity:
    return []
  maps = {name: one._asdict() for name, one in forms.items()}
  similarity.save(out / MAPS_ALIKE, images=count, maps=maps)
  return similarity.lines(list(forms))


def check_maps(network):
  """Raises ValueError unless it has endpoints to make attention maps of."""
  if not features_of(network):
    raise ValueError(
      f'{network.label} has no endpoint [B, H, W, C]: there is nothing to make '
      'attention maps of.'
    )


def check_finite(columns, chances, title):
  for column in columns:
    if not np.isfinite(chances[column.name]).all():
      raise ValueError(
        f'{column.title} gives probabilities that are NaN for {title}: it '
        'diverged in training. Show the others without it.'
      )


def title_of(shown, similarity):
  """What stands over a page: the image, and what cosines are with."""
  with_ = f' · cos: with {similarity.title}' if similarity else ''
  return shown.title + with_


def said_of(chances, weights):
  """'tulip (0.93)'."""
  ((name, chance),) = best_classes(chances, weights.class_names, 1)
  return f'{name} ({chance:.2f})'


def in_short(drawn):
  """What every column takes the image for."""
  return '; '.join(f'{column.title}: {column.said}' for column in drawn)


def save_arrays(picture, columns, each, chances, cosines, arrays):
  """Writes what a picture shows beside it, as `.npz`."""
  first = each[0].image
  images = {'image': first}
  for column, shown in zip(columns, each, strict=True):
    if shown.image.shape != first.shape:
      images[f'image/{column.name}'] = shown.image
  np.savez_compressed(
    picture.with_suffix('.npz'),
    **images,
    **{f'probabilities/{name}': x for name, x in chances.items()},
    **{
      f'cosine/{name}/{tap}': value
      for name, own in cosines.items()
      for tap, value in own.items()
    },
    **arrays,
  )

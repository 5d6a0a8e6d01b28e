"""How TASN samples images, one by one, and features beside its maps."""

import pathlib

import jax
import numpy as np

from at_jax.pictures import samples as pictures
from at_jax.pictures.consistency import draw_consistency
from at_jax.train.samples import (
  check_samples,
  detail_views,
  structure_views,
)
from at_jax.train.scores import best_classes, in_words
from at_jax.visualize.channels import channel_numbers

COMPARED = 8  # images in the picture of features beside maps


def show_samples(weights, images, out, *, channels='top4', say=print):
  """Draws and saves how every image is sampled; then features beside maps.

  Args:
    weights: `Weights` of TASN.
    images: an iterable of `Shown`.
    out: a folder.
    channels: whose maps and detail images are drawn, separated by commas:
      `top3` (those whose maps differ most from place to place in this image,
      and look unlike each other), a channel's number.
    say: called with a line on each picture.

  Returns:
    Lines of cells: what each image was taken for, and how far it is enlarged.

  Raises:
    ValueError: another network, no such channel, or no image.
  """
  network = weights.network
  check_samples(network)
  out, lines, kept = pathlib.Path(out), [], []
  out.mkdir(parents=True, exist_ok=True)
  for shown in images:
    batch = shown.image[None]
    chances, views = structure_views(network)(weights.variables, batch)
    numbers = _numbers(channels, views['attention'])
    views |= detail_views(network)(batch, views['attention'], numbers)
    chances, views = jax.device_get((chances[0], views))
    found = {name: array[0] for name, array in views.items()}
    _check_finite(shown, found)
    picture = out / f'{shown.name}_samples.png'
    said = in_words(chances, weights.class_names)
    pictures.draw_samples(picture, _samples(shown, said, found, numbers))
    np.savez_compressed(
      out / f'{shown.name}_samples.npz',
      image=shown.image,
      channels=numbers,
      **found,
    )
    say(f'{picture}: {said}')
    lines.append(_line(shown, found, chances, weights.class_names))
    if len(kept) < COMPARED:
      kept.append((shown, found['features'], found['attention']))
  if not lines:
    raise ValueError('There is no image to look at.')
  say(_compare(out / 'features_and_maps.png', kept, channels))
  head = ['image', 'class', 'probability', 'rows', 'columns']
  head[3:] = [f'densest {axis}, even is 1' for axis in head[3:]]
  return [head, *lines]


def _check_finite(shown, found):
  """ValueError where a map is not finite, which has no picture."""
  bad = [
    name
    for name, array in found.items()
    if name.startswith('map/') and not np.isfinite(array).all()
  ]
  if bad:
    raise ValueError(
      f'{shown.name}: {", ".join(bad)} not finite: the network diverged, or '
      'the image overflows it. Nothing can be sampled by such a map.'
    )


def _numbers(channels, maps):
  """The channels that are wanted, none twice, int32 `[n]`."""
  numbers = {
    number: None
    for how in channels.split(',')
    for number in channel_numbers(how, maps, distinct=True)
  }
  return np.array(list(numbers), np.int32)


def _samples(shown, said, found, numbers):
  """The arrays of one image as the picture wants them."""
  maps = {int(k): found['attention'][..., k] for k in numbers}
  details = zip(maps, found['sampled/detail'], strict=True)
  return pictures.Samples(
    image=shown.image,
    title=f'{shown.title} · seen as {said}',
    structure_map=found['map/structure'],
    structure=_pixels(found['sampled/structure']),
    channel_maps=maps,
    details={k: _pixels(image) for k, image in details},
    **{
      axis: pictures.Axis(
        **{
          name.partition('/')[2]: array
          for name, array in found.items()
          if name.startswith(f'{axis}/')
        }
      )
      for axis in ('rows', 'columns')
    },
  )


def _pixels(image):
  return np.uint8(np.rint(np.clip(image, 0, 255)))


def _line(shown, found, chances, class_names):
  ((name, chance),) = best_classes(chances, class_names, 1)
  densest = (found[f'{axis}/density'].max() for axis in ('rows', 'columns'))
  numbers = (f'{value:.2f}' for value in (chance, *densest))
  return [shown.title, name, *numbers]


def _compare(path, kept, channels):
  """Draws features beside maps, of channels that are strong in all images."""
  shown, features, maps = zip(*kept, strict=True)
  features, maps = np.stack(features), np.stack(maps)
  pairs = {
    int(k): (features[..., k], maps[..., k]) for k in _numbers(channels, maps)
  }
  images = [one.image for one in shown]
  names = [one.title for one in shown]
  draw_consistency(path, images, names, pairs)
  return f'{path}: features X beside maps M of {len(kept)} images'

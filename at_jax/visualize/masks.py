"""The masks of residual attention networks, image by image."""

import pathlib

import jax
import numpy as np

from at_jax.data.augment import normalise
from at_jax.gates import gate_statistics
from at_jax.pictures import masks
from at_jax.pictures.text import mask_lines
from at_jax.train.looks import check_masks, mask_views
from at_jax.train.scores import in_words, probabilities
from at_jax.visualize.channels import channel_numbers
from at_jax.visualize.maps import said_of
from at_jax.visualize.places import matching


def show_masks(
  weights,
  images,
  out,
  *,
  channels='mean,top2',
  modules='',
  scale='own',
  say=print,
):
  """Draws and saves the masks of every image, one after the other.

  Args:
    weights: `Weights` of a network with masks.
    images: an iterable of `Shown`.
    out: a folder.
    channels: what of a mask's channels is drawn, separated by commas: `mean`,
      `max`, `top3` (those that differ most from place to place in this image),
      a channel's number.
    modules: patterns of places, `group2/*`, separated by commas; '' is all.
    scale: see `pictures.masks.draw_masks`.
    say: called with a line on each image.

  Returns:
    Lines of cells: the masks' statistics, means over the images.

  Raises:
    ValueError: the network has no masks, or no such module or channel.
  """
  check_masks(weights.network)
  out, found = pathlib.Path(out), []
  for shown in images:
    network = weights.network
    pixels = normalise(shown.image[None], network.mean, network.std)
    logits, views = mask_views(network)(weights.variables, pixels)
    views = jax.device_get(views)
    places = matching('module', modules, views)
    views = {place: views[place] for place in places}
    bands = [
      band
      for place, parts in views.items()
      for band in _bands(place, parts, channels)
    ]
    out.mkdir(parents=True, exist_ok=True)
    picture = out / f'{shown.name}_masks.png'
    chances = jax.device_get(probabilities(logits[0], weights.multi_label))
    said = said_of(chances, weights)
    looks = dict(scale=scale, head=f'{shown.title}, seen as {said}')
    masks.draw_masks(picture, shown.image[None], [shown.name], bands, **looks)
    arrays = {
      f'{part}/{place}': array[0]
      for place, parts in views.items()
      for part, array in parts.items()
    }
    np.savez_compressed(
      out / f'{shown.name}_masks.npz', image=shown.image, **arrays
    )
    found.append(
      {
        place: {
          name: float(value[0])
          for name, value in gate_statistics(parts['mask']).items()
        }
        for place, parts in views.items()
      }
    )
    say(f'{picture}: {in_words(chances, weights.class_names)}')
  if not found:
    raise ValueError('There is no image to look at.')
  means = jax.tree.map(lambda *values: float(np.mean(values)), *found)
  return mask_lines({'': {'label': weights.network.label, 'masks': means}})


def _bands(place, parts, channels):
  """A `Band` for each of the wanted channels of a module."""
  height, width, count = parts['mask'].shape[1:]
  bands = []
  for how in channels.split(','):
    for title, pick in _picks(how, parts['mask'], count):
      maps = {part: pick(array) for part, array in parts.items()}
      bands.append(masks.Band(f'{place} · {height}×{width} · {title}', maps))
  return bands


def _picks(how, mask, count):
  """[(title, array [n, h, w, C] -> [n, h, w])] of one way to see channels."""
  if how in ('mean', 'max'):
    title = f'{how} over {count} channels'
    return [(title, lambda array: getattr(array, how)(axis=-1))]
  chosen = channel_numbers(how, mask, also='mean, max, ')
  return [(f'channel {k}', lambda array, k=k: array[..., k]) for k in chosen]

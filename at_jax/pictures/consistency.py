"""Features beside the attention maps made of them, of several images."""

import textwrap

import numpy as np

from at_jax.pictures import save_png
from at_jax.pictures.cells import (
  APART,
  FOOT,
  GAP,
  MARGIN,
  cell_size,
  draw_heat,
  draw_image,
  end_page,
  fitted,
  letters,
  start_page,
  wrapped,
  write_under,
)

SPACE = 0.15  # inches, under the line below the titles


def draw_consistency(path, images, names, pairs):
  """Draws features beside their trilinear maps, one line an image.

  Args:
    path: the PNG to write.
    images: n of uint8 `[H, W, C]`, each of its own size.
    names: n strings, written under the images.
    pairs: {number of a channel: (features `[n, h, w]`, maps `[n, h, w]`)}.

  Returns:
    The path.
  """
  return save_png(consistency_figure(images, names, pairs), path)


def consistency_figure(images, names, pairs):
  """The figure of `draw_consistency`, not yet written."""
  columns, apart = 1 + 2 * len(pairs), APART * len(pairs)
  cell = max(0.85, cell_size(columns, 1, len(images), apart))
  lefts = MARGIN + (cell + GAP) * np.arange(columns)
  lefts = lefts + APART * ((np.arange(columns) + 1) // 2)
  titles = ['image']
  for channel in pairs:
    titles += [f'X, channel {channel}', f'M, channel {channel}']
  titles = [wrapped(title, cell) for title in titles]
  height = SPACE + len(images) * (cell + FOOT)
  figure, axes, (begin,) = start_page(titles, lefts, cell, 1, height)
  for k, image in enumerate(images):
    top = begin + SPACE + k * (cell + FOOT)
    places = [fitted(image, left, top, cell) for left in lefts]
    draw_image(axes, image, *places[0])
    name = textwrap.shorten(str(names[k]), letters(cell), placeholder='…')
    write_under(axes, places[0], name, cell)
    maps = [array[k] for pair in pairs.values() for array in pair]
    for map_, place in zip(maps, places[1:], strict=True):
      draw_heat(axes, map_, place, room=cell)
  end_page(figure, axes)
  return figure

"""Where networks look: images beside the attention maps of several columns."""

import dataclasses
import textwrap

import numpy as np

from at_jax.pictures import save_png
from at_jax.pictures.cells import (
  APART,
  COLOUR_MAP,
  FOOT,
  GAP,
  HEAD,
  MARGIN,
  NARROW,
  SIGNED,
  cell_size,
  draw_image,
  end_page,
  enlarged,
  fitting,
  letters,
  start_page,
  wrapped,
  write,
  write_below,
  write_head,
)
from at_jax.pictures.similarity import cosine, mean_cosine, unit_norm


@dataclasses.dataclass
class Column:
  """The maps of one network.

  Attributes:
    title: stands over them.
    maps: a dict from a tap to attention maps `[n, h, w]`, or to gradients
      `[n, H, W, C]`; a tap may be missing.
    target: such a dict, which each map is compared with; None or empty: no
      cosines.
    apart: begins a new group of columns.
  """

  title: str
  maps: dict
  target: dict | None = None
  apart: bool = False

  def of(self, tap):
    """The maps of a tap and their target, each None where there is none."""
    return self.maps.get(tap), (self.target or {}).get(tap)


def draw_attention(path, images, names, taps, columns, *, shown=4):
  """Draws one band a tap: the image, and the map of every column.

  Args:
    path: the PNG to write.
    images: uint8 `[n, H, W, C]`, C 1 or 3.
    names: n strings, written under the images.
    taps: the bands, top to bottom: keys of the columns' maps.
    columns: a list of `Column`, left to right.
    shown: images a band; the means in a band's header are over all n.

  Returns:
    The path.
  """
  figure = attention_figure(images, names, taps, columns, shown=shown)
  return save_png(figure, path)


def attention_figure(images, names, taps, columns, *, shown=4):
  """The figure of `draw_attention`, not yet written."""
  shown = min(shown, len(images))
  apart = np.cumsum([0, *(column.apart for column in columns)]) * APART
  cell = cell_size(1 + len(columns), len(taps), shown, apart[-1])
  lefts = MARGIN + (cell + GAP) * np.arange(1 + len(columns)) + apart
  titles = [wrapped(t, cell) for t in ['image', *(c.title for c in columns)]]
  band_height = HEAD + shown * (cell + FOOT)
  figure, axes, begins = start_page(titles, lefts, cell, len(taps), band_height)
  for y, tap in zip(begins, taps, strict=True):
    pairs = [column.of(tap) for column in columns]
    _draw_header(axes, y + HEAD - 0.08, lefts, tap, pairs, cell)
    for k in range(shown):
      at = y + HEAD + k * (cell + FOOT)
      draw_image(axes, images[k], lefts[0], at, cell)
      name = textwrap.shorten(str(names[k]), letters(cell), placeholder='…')
      write_below(axes, lefts[0], at, name, cell)
      for (maps, target), left in zip(pairs, lefts[1:], strict=True):
        _draw_map(axes, maps, target, k, left, at, cell)
  end_page(figure, axes)
  return figure


def _draw_header(axes, y, lefts, tap, pairs, cell):
  """The band's name, its map size, and each compared column's mean cosine."""
  means = {
    left: mean_cosine(maps, target)
    for left, (maps, target) in zip(lefts[1:], pairs, strict=True)
    if maps is not None and target is not None
  }
  sizes = [maps.shape[1:] for maps, _ in pairs if maps is not None]
  name = f'{tap} · {sizes[0][0]}×{sizes[0][1]}' if sizes else tap
  room = min([*means, lefts[-1] + cell]) - lefts[0]
  write_head(axes, lefts[0], y, name, room - GAP)
  for left, mean in means.items():
    if np.isfinite(mean):
      text = f'mean cos {mean:.2f}' if cell > NARROW else f'mean {mean:.2f}'
      write(axes, left + cell / 2, y, text, size=fitting(7, cell))


def _draw_map(axes, maps, target, k, left, top, cell):
  """Map k, smoothly enlarged, on its own scale; its cosine to the target."""
  if maps is None:
    looks = dict(va='center', color='0.5')
    write(axes, left + cell / 2, top + cell / 2, 'no map', **looks)
    return
  map_ = unit_norm(maps[k : k + 1])[0]
  look = _gradient(map_) if map_.ndim == 3 else _smooth(map_)
  extent = (left, left + cell, top + cell, top)
  axes.imshow(extent=extent, aspect='auto', **look)
  if target is not None:
    value = cosine(maps[k : k + 1], target[k : k + 1])[0]
    text = f'cos {value:.2f}' if np.isfinite(value) else 'all zero'
    write_below(axes, left, top, text, cell)


def _smooth(map_):
  """How to show an attention map `[h, w]`, smoothly enlarged."""
  map_ = enlarged(map_)
  low, high = map_.min(), map_.max()
  return dict(
    X=map_,
    cmap=COLOUR_MAP,
    vmin=low,
    vmax=high if high > low else low + 1,
    interpolation='bilinear',
  )


def _gradient(gradient):
  """How to show a signed gradient `[H, W, C]`: its sum over channels."""
  shown = gradient.sum(axis=-1)
  high = np.abs(shown).max() or 1
  return dict(
    X=shown, cmap=SIGNED, vmin=-high, vmax=high, interpolation='nearest'
  )

"""Soft masks: the features before, the mask on its image, those after."""

import dataclasses

import numpy as np

from at_jax._arrays import unknown
from at_jax.pictures import save_png
from at_jax.pictures.cells import (
  FOOT,
  GAP,
  HEAD,
  MARGIN,
  cell_size,
  cut,
  draw_heat,
  draw_image,
  end_page,
  start_page,
  wrapped,
  write,
  write_below,
  write_ends,
)
from at_jax.pictures.numbers import ends_of, is_constant, span

# Panel: (its title, the array of a band that it shows).
PANELS = {
  'trunk': ('T, before', 'trunk'),
  'mask': ('mask M', 'mask'),
  'dark': ('image × M', 'mask'),
  'over': ('M over image', 'mask'),
  'product': ('M T', 'product'),
  'fused': ('H, after', 'fused'),
  'active': ('H as the next unit sees it', 'active'),
}
SCALES = ('own', 'shared')
LARGE = 256  # pixels of the shorter side of a darkened image, at least


@dataclasses.dataclass(frozen=True)
class Band:
  """One module seen one way.

  Attributes:
    title: stands over it.
    maps: {'trunk', 'mask', 'product', 'fused', 'active': `[n, h, w]`}; what is
      missing is not drawn.
  """

  title: str
  maps: dict


def draw_masks(path, images, names, bands, *, scale='own', head='image'):
  """Draws every image in every band: T, M, the image under M, M T, H.

  In `image × M` the image is as dark as the mask is low, from the least to the
  largest value of the scale. A mask that has values below 0 is blue there and
  red above. Numbers under a panel are the least and the largest value of its
  map; a shared scale stands over its column.

  Args:
    path: the PNG to write.
    images: uint8 `[n, H, W, C]`, C 1 or 3.
    names: n strings, written under the images.
    bands: a list of `Band`, top to bottom.
    scale: `own`, every panel its own; `shared`, one for all panels of a kind,
      whatever band or image: masks then compare.
    head: what stands over the images.

  Returns:
    The path.

  Raises:
    ValueError: an unknown scale.
  """
  figure = masks_figure(images, names, bands, scale=scale, head=head)
  return save_png(figure, path)


def masks_figure(images, names, bands, *, scale='own', head='image'):
  """The figure of `draw_masks`, not yet written."""
  if scale not in SCALES:
    raise ValueError(unknown('scale', scale, SCALES))
  panels = [
    panel
    for panel, (_, part) in PANELS.items()
    if any(part in band.maps for band in bands)
  ]
  count, height, width = np.shape(images)[:3]
  cell = max(0.85, cell_size(1 + len(panels), len(bands), count, 0.0))
  tall = cell * height / width
  lefts = MARGIN + (cell + GAP) * np.arange(1 + len(panels))
  titles = [head, *(PANELS[panel][0] for panel in panels)]
  titles = [wrapped(title, cell) for title in titles]
  if scale == 'shared':
    for i, panel in enumerate(panels, 1):
      ends = span(*shared_limits(bands, PANELS[panel][1]))
      titles[i] += f'\none scale:\n{ends}'
  band_height = HEAD + count * (tall + FOOT)
  figure, axes, begins = start_page(
    titles, lefts, cell, len(bands), band_height
  )
  for y, band in zip(begins, bands, strict=True):
    looks = dict(size=8.5, ha='left', weight='bold')
    write(axes, MARGIN, y + HEAD - 0.08, band.title, **looks)
    for k, image in enumerate(images):
      at = y + HEAD + k * (tall + FOOT)
      draw_image(axes, image, MARGIN, at, cell, tall)
      write_below(axes, MARGIN, at + tall - cell, cut(names[k], cell), cell)
      for left, panel in zip(lefts[1:], panels, strict=True):
        part = PANELS[panel][1]
        if part in band.maps:
          map_ = band.maps[part][k]
          ends = limits(bands, part, map_, scale)
          place = (left, at, cell, tall)
          _draw_panel(axes, panel, np.asarray(image), map_, ends, place)
  end_page(figure, axes)
  return figure


def limits(bands, part, map_, scale):
  """The least and the largest value of the scale of one map of a part."""
  return ends_of(map_) if scale == 'own' else shared_limits(bands, part)


def shared_limits(bands, part):
  """Those of all maps of a part."""
  maps = [band.maps[part] for band in bands if part in band.maps]
  lows, highs = zip(*map(ends_of, maps), strict=True)
  return min(lows), max(highs)


def _draw_panel(axes, panel, image, map_, ends, place):
  if panel == 'dark':
    draw_dark(axes, image, map_, place, ends, said=ends_of(map_))
  else:
    under = image if panel == 'over' else None
    signed = PANELS[panel][1] == 'mask'
    looks = dict(ends=ends, said=ends_of(map_), under=under, signed=signed)
    draw_heat(axes, map_, place, **looks)


def draw_dark(axes, image, map_, place, ends, *, said=None, room=None):
  """The image under a map, with the ends of the scale written below.

  Args:
    axes: of the page.
    image: uint8 `[H, W, C]`.
    map_: `[h, w]`.
    place: left, top, width and height, in inches.
    ends: (least, largest) value of the scale.
    said: two values to write below in place of these.
    room: for what is written below, in inches; by default the place's width.
  """
  left, top, cell, tall = place
  axes.imshow(
    darkened(image, map_, *ends),
    interpolation='antialiased',
    extent=(left, left + cell, top + tall, top),
    aspect='auto',
  )
  write_ends(axes, map_, place, said or ends, room)


def darkened(image, mask, low, high):
  """An image times a mask: `low` makes it black, `high` leaves it.

  Args:
    image: uint8 `[H, W, C]`.
    mask: `[h, w]`, brought to the image's size.
    low, high: of the scale; equal ones leave the image.

  Returns:
    uint8 RGB, at least `LARGE` pixels high and wide.
  """
  from PIL import Image

  height, width = image.shape[:2]
  times = max(1, -(-LARGE // min(height, width)))
  size = (times * width, times * height)
  rgb = np.broadcast_to(image, (height, width, 3))
  # Small images keep their pixels, which a filter would blur.
  rgb = np.repeat(np.repeat(rgb, times, axis=0), times, axis=1)
  mask = Image.fromarray(np.asarray(mask, np.float32))
  mask = np.asarray(mask.resize(size, Image.Resampling.BILINEAR))
  if is_constant(low, high):
    factor = np.ones_like(mask)
  else:
    factor = (mask - low) / (high - low)
  return np.uint8(np.rint(rgb * np.clip(factor, 0, 1)[..., None]))

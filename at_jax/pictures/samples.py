"""Sampling by attention: what was attended, what was read, and how."""

import dataclasses

import numpy as np

from at_jax.pictures import save_png
from at_jax.pictures.axis_curves import draw_axis
from at_jax.pictures.cells import (
  FOOT,
  GAP,
  MARGIN,
  PAGE,
  draw_heat,
  draw_image,
  empty_page,
  end_page,
  fitted,
  grey,
  inset,
  write,
  write_title,
  write_under,
)

CELL = 2.2  # inches
TITLE = 0.3  # over a page, and over a row of cells
PLOTS = 3.6  # height of both axes' plots
LINES = 16  # of the lattice, about, each way
LARGEST = 2_000_000  # bytes; photographs need them
LATTICE = '#fde725'  # the brightest colour of viridis


@dataclasses.dataclass(frozen=True)
class Axis:
  """How one axis of an image of N pixels is sampled; 0 is the first's centre.

  Attributes:
    marginal: what rows or columns weigh, of mean 1, `[N]`.
    density: the same after the cap, `[N]`.
    edges: positions, increasing.
    cumulated: the part of the mass before each edge, from 0 to 1.
    positions: that are read, `[O]`.
  """

  marginal: np.ndarray
  density: np.ndarray
  edges: np.ndarray
  cumulated: np.ndarray
  positions: np.ndarray


@dataclasses.dataclass(frozen=True)
class Samples:
  """What was sampled of one image.

  Attributes:
    image: uint8 `[H, W, C]`, C 1 or 3, as are all images.
    title: stands over the page.
    structure_map: `[h, w]`.
    structure: the image sampled by it, `[O, O, C]`.
    channel_maps: {number of a channel: `[h, w]`}.
    details: {number of a channel: the image sampled by its map}.
    rows, columns: an `Axis` each, of the structure map.
  """

  image: np.ndarray
  title: str
  structure_map: np.ndarray
  structure: np.ndarray
  channel_maps: dict
  details: dict
  rows: Axis
  columns: Axis


def every(count):
  """Indices of about `LINES` of `count` positions, as far apart as can be."""
  step = max(1, round(count / LINES))
  return np.arange(step // 2, count, step)


def draw_samples(path, samples):
  """Draws one image's page; see `samples_figure`.

  Args:
    path: the PNG to write.
    samples: `Samples`.

  Returns:
    The path.
  """
  return save_png(samples_figure(samples), path, largest=LARGEST)


def samples_figure(samples):
  """The figure of `draw_samples`, not yet written.

  The image, the structure map over it, the lattice that is read, the structure
  image; every channel's map over the image, and below it the detail image; for
  rows and columns the densities, and how equal shares of the cumulated mass
  become positions. Axes: the page, the lattice, then two for each axis.
  """
  count = max(4, len(samples.channel_maps))
  cell = max(0.85, min(CELL, (PAGE - 2 * MARGIN + GAP) / count - GAP))
  lefts = MARGIN + (cell + GAP) * np.arange(count)
  width = lefts[-1] + cell + MARGIN
  heights = [cell]
  if samples.channel_maps:
    heights += [fitted(samples.image, 0, 0, cell)[3], cell]
  bottoms = MARGIN + TITLE / 2 + np.cumsum(TITLE + np.add(heights, FOOT))
  tops = bottoms - np.add(heights, FOOT)
  figure, axes = empty_page(width, bottoms[-1] + PLOTS + MARGIN)
  looks = dict(size=9, ha='left', weight='bold')
  write(axes, MARGIN, MARGIN + TITLE / 2, samples.title, **looks)
  lattice = _draw_first_row(axes, samples, lefts, tops[0], cell)
  _draw_channels(axes, samples, lefts, tops[1:], cell)
  end_page(figure, axes)
  _draw_lattice(figure, samples, lattice)
  half = (width - 2 * MARGIN) / 2
  named = {'row': samples.rows, 'column': samples.columns}
  for i, (name, axis) in enumerate(named.items()):
    place = (MARGIN + i * half, bottoms[-1], half, PLOTS)
    draw_axis(figure, place, name, axis, every(len(axis.positions)))
  return figure


def _draw_first_row(axes, samples, lefts, top, cell):
  """Four cells; returns the place of the third, where the lattice goes."""
  image = samples.image
  step = np.diff(every(len(samples.rows.positions))[:2])
  titles = (
    'image',
    'structure map over it',
    f'1 line in {step[0] if len(step) else 1} that is read',
    'structure image',
  )
  places = [fitted(image, left, top, cell) for left in lefts]
  for left, title in zip(lefts, titles, strict=False):
    write_title(axes, left + cell / 2, top, title, cell)
  # In grey, so that every line can be told from the image.
  for place, shown in ((places[0], image), (places[2], grey(image))):
    draw_image(axes, shown, *place)
    _write_size(axes, shown, place, cell)
  looks = dict(under=image, room=cell)
  draw_heat(axes, samples.structure_map, places[1], **looks)
  _draw_sampled(axes, samples.structure, lefts[3], top, cell)
  return places[2]


def _draw_channels(axes, samples, lefts, tops, cell):
  """A column for each channel: its map, and what is sampled by it."""
  for left, channel in zip(lefts, samples.channel_maps, strict=False):
    over, under = tops
    title = f'channel {channel}: map'
    write_title(axes, left + cell / 2, over, title, cell)
    place = fitted(samples.image, left, over, cell)
    map_ = samples.channel_maps[channel]
    draw_heat(axes, map_, place, under=samples.image, room=cell)
    title = f'channel {channel}: detail image'
    write_title(axes, left + cell / 2, under, title, cell)
    _draw_sampled(axes, samples.details[channel], left, under, cell)


def _draw_sampled(axes, image, left, top, cell):
  place = fitted(image, left, top, cell)
  draw_image(axes, image, *place)
  _write_size(axes, image, place, cell)


def _write_size(axes, image, place, cell):
  height, width = image.shape[:2]
  write_under(axes, place, f'{height}×{width} pixels', cell)


def _draw_lattice(figure, samples, place):
  """Lines at positions, in pixels of the image."""
  axes = inset(figure, place)
  axes.set_axis_off()
  height, width = samples.image.shape[:2]
  axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
  looks = dict(colors=LATTICE, linewidths=0.7)
  rows, columns = (
    axis.positions[every(len(axis.positions))]
    for axis in (samples.rows, samples.columns)
  )
  axes.hlines(rows, -0.5, width - 0.5, **looks)
  axes.vlines(columns, -0.5, height - 0.5, **looks)

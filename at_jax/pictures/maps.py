"""Maps of several networks side by side, over the image that each one saw."""

import dataclasses

import numpy as np

from at_jax._arrays import unknown
from at_jax.pictures import save_png
from at_jax.pictures.cells import (
  APART,
  FOOT,
  GAP,
  HEAD,
  LINE,
  MARGIN,
  PAGE,
  cut,
  draw_heat,
  draw_image,
  empty_page,
  end_page,
  fitted,
  wrapped,
  write,
  write_head,
  write_title,
  write_under,
)
from at_jax.pictures.masks import SCALES, draw_dark
from at_jax.pictures.numbers import ends_of, span

# `overlay`: colours over the image in grey; `heat`: colours alone; `dark`: the
# image, dark where the map is low; `signed`: red above 0, blue below.
STYLES = ('overlay', 'heat', 'dark', 'signed')
CELL, LARGE, LEAST = 1.7, 3.0, 0.85  # inches, of an image's longer side
LARGEST = 1_500_000  # bytes: gradients of photos, with numbers one can read
TITLE = 0.3


@dataclasses.dataclass(frozen=True)
class Band:
  """A row of panels.

  Attributes:
    name: a key of the columns' maps; stands over the band.
    styles: how each map is drawn, of `STYLES`.
    shown: how many of the values are within the scale, in percent; the largest
      of both signs are cut to its ends.
  """

  name: str
  styles: tuple[str, ...] = ('overlay',)
  shown: float = 100.0


@dataclasses.dataclass(frozen=True)
class Column:
  """What one network made of an image.

  Attributes:
    title: stands over it.
    said: what it takes the image for, below the title.
    image: as it saw it, uint8 `[H, W, C]`, C 1 or 3.
    maps: {band: `[h, w]`}; where one is missing, 'no map' is written.
    notes: {band: text below its panel}.
  """

  title: str
  said: str
  image: np.ndarray
  maps: dict
  notes: dict = dataclasses.field(default_factory=dict)


def draw_maps(path, title, bands, columns, *, scale='own', most=CELL):
  """Draws one image's page: a band a map, a column a network.

  Args:
    path: the PNG to write.
    title: stands over the page.
    bands: a list of `Band`, top to bottom.
    columns: a list of `Column`, left to right.
    scale: `own`, every map its own; `shared`, one for all columns of a band.
      The ends of a scale are written below its panel; those of a shared one
      over the band, and below a panel the least and the largest value of its
      map.
    most: inches of the longer side of an image, where the page has room.

  Returns:
    The path.

  Raises:
    ValueError: an unknown scale or style.
  """
  figure = maps_figure(title, bands, columns, scale=scale, most=most)
  return save_png(figure, path, largest=LARGEST)


def maps_figure(title, bands, columns, *, scale='own', most=CELL):
  """The figure of `draw_maps`, not yet written.

  Its images, in order: the image that the first column saw, then band by band,
  column by column, style by style; an overlay is two, the image and its heat.
  """
  if scale not in SCALES:
    raise ValueError(unknown('scale', scale, SCALES))
  for style in (style for band in bands for style in band.styles):
    if style not in STYLES:
      raise ValueError(unknown('style', style, STYLES))
  styles = max(len(band.styles) for band in bands)
  room = PAGE - 2 * MARGIN - APART * len(columns)
  cell = room / (1 + styles * len(columns)) - GAP
  cell = max(LEAST, min(most, cell))
  group = styles * (cell + GAP) - GAP
  step = group + GAP + APART
  lefts = MARGIN + cell + GAP + APART + step * np.arange(len(columns))
  heads = [_head(column, columns, group) for column in columns]
  top = MARGIN + TITLE + LINE * max(head.count('\n') + 1 for head in heads)
  tall = max(fitted(c.image, 0, 0, cell)[3] for c in columns)
  foot = FOOT + LINE * any(column.notes for column in columns)
  height = HEAD + tall + foot
  width = lefts[-1] + group + MARGIN
  figure, axes = empty_page(width, top + len(bands) * height + MARGIN)
  looks = dict(size=9.5, ha='left', weight='bold')
  write(axes, MARGIN, MARGIN + 0.14, cut(title, width), **looks)
  for left, head in zip(lefts, heads, strict=True):
    write_title(axes, left + group / 2, top, head, group)
  image = columns[0].image
  place = fitted(image, MARGIN, top + HEAD, cell)
  draw_image(axes, image, *place)
  write_under(axes, place, _size(image) + ' pixels', cell)
  for i, band in enumerate(bands):
    y = top + i * height
    axes.plot([MARGIN, width - MARGIN], [y + 0.05] * 2, color='0.7', lw=0.8)
    name = _name(band, columns, scale)
    write_head(axes, MARGIN, y + HEAD - 0.08, name, width - 2 * MARGIN)
    for left, column in zip(lefts, columns, strict=True):
      ends = limits(columns, band, column, scale)
      for k, style in enumerate(band.styles):
        at = (left + k * (cell + GAP), y + HEAD, cell)
        own = scale == 'own'
        _draw_panel(axes, column, band.name, style, ends, at, own)
      if note := column.notes.get(band.name):
        below = y + HEAD + fitted(column.image, 0, 0, cell)[3] + 0.13 + LINE
        write(axes, left + group / 2, below, note)
  end_page(figure, axes)
  return figure


def limits(columns, band, column, scale):
  """The least and the largest value of the scale of a column's map."""
  those = columns if scale == 'shared' else [column]
  maps = [c.maps[band.name] for c in those if band.name in c.maps]
  if not maps:
    return 0.0, 0.0
  low, high = min(map(np.min, maps)), max(map(np.max, maps))
  end = max(np.percentile(np.abs(map_), band.shown) for map_ in maps)
  return float(max(low, -end)), float(min(high, end))


def _draw_panel(axes, column, name, style, ends, at, own):
  left, top, cell = at
  place = fitted(column.image, left, top, cell)
  if name not in column.maps:
    middle = place[1] + place[3] / 2
    write(axes, left + cell / 2, middle, 'no map', va='center', color='0.5')
    return
  map_ = column.maps[name]
  looks = dict(said=None if own else ends_of(map_), room=cell)
  if style == 'dark':
    draw_dark(axes, column.image, map_, place, ends, **looks)
  elif style == 'signed':
    low, high = _symmetric(ends)
    looks['said'] = looks['said'] or (low, high)
    far = high or 1.0  # of zeros, so that they are white
    draw_heat(axes, map_, place, ends=(-far, far), signed=True, **looks)
  else:
    under = column.image if style == 'overlay' else None
    draw_heat(axes, map_, place, ends=ends, under=under, **looks)


def _symmetric(ends):
  end = max(map(abs, ends))
  return -end, end


def _head(column, columns, width):
  """The text over a column; sizes where columns saw different ones."""
  said = [column.said]
  if len({_size(c.image) for c in columns}) > 1:
    said.append(f'sees {_size(column.image)} pixels')
  return '\n'.join(
    [wrapped(column.title, width), *(cut(s, width) for s in said)]
  )


def _name(band, columns, scale):
  """The name of a band, the sizes of its maps, and the scale they share."""
  sizes = [_size(c.maps[band.name]) for c in columns if band.name in c.maps]
  name = f'{band.name} · {", ".join(dict.fromkeys(sizes))}'
  if scale == 'own' or not sizes:
    return name
  ends = limits(columns, band, columns[0], scale)
  if band.styles == ('signed',):
    ends = _symmetric(ends)
  return f'{name} · one scale, {span(*ends)}'


def _size(array):
  return '×'.join(map(str, np.shape(array)[:2]))

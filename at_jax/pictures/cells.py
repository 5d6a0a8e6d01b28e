"""Cells of a page of pictures: their size, the text around them, images."""

import textwrap

import numpy as np

from at_jax.pictures import plain
from at_jax.pictures.numbers import ends_of, is_constant, span

# Inches. A page of 14.4 stays under 1,600 pixels at 110 pixels an inch.
PAGE, MARGIN, GAP, FOOT, HEAD, LINE = 14.4, 0.15, 0.07, 0.22, 0.36, 0.15
APART = 0.12  # more between the rows of one teacher and those of the next
NARROW = 0.76  # cells below have no room for "mean cos 0.99" in 7 points
COLOUR_MAP = 'viridis'  # perceptually uniform
SIGNED = 'RdBu_r'  # red is above 0, blue below, white is 0
# Inches of a letter of 1 point: an average one, a bold one, and one of numbers
# at small sizes, which hinting widens.
LETTER, BOLD, DIGIT = 0.0085, 0.0097, 0.01


def cell_size(columns, bands, shown, apart):
  """The side of a square cell: as large as the page allows, 1.3 inches at
  most."""
  wide = (PAGE - 2 * MARGIN - apart) / columns - GAP
  heads = 2 * MARGIN + 3 * LINE + bands * (HEAD + shown * FOOT)
  return min(1.3, wide, (PAGE - heads) / max(1, bands * shown))


def start_page(titles, lefts, cell, bands, band_height):
  """A page of bands below each other, with titles over its columns.

  Args:
    titles: of the columns, wrapped.
    lefts: where columns begin.
    cell: their width.
    bands: how many there are.
    band_height: of each, all in inches.

  Returns:
    (figure, axes in inches from the upper left, where each band begins); a line
    is drawn there. Call `end_page` when all is drawn.
  """
  top = MARGIN + LINE * max(title.count('\n') + 1 for title in titles)
  width = lefts[-1] + cell + MARGIN
  figure, axes = empty_page(width, top + bands * band_height + MARGIN)
  for left, title in zip(lefts, titles, strict=True):
    write_title(axes, left + cell / 2, top, title, cell)
  begins = [top + i * band_height for i in range(bands)]
  for y in begins:
    axes.plot([MARGIN, width - MARGIN], [y + 0.05] * 2, color='0.7', lw=0.8)
  return figure, axes, begins


def empty_page(width, height):
  """(figure, axes in inches from the upper left); `end_page` comes last."""
  from matplotlib.figure import Figure

  figure = Figure(figsize=(width, height))
  axes = figure.add_axes((0, 0, 1, 1))
  axes.set_axis_off()
  return figure, axes


def inset(figure, place):
  """Axes of their own at left, top, width, height, in inches as the page."""
  left, top, wide, tall = place
  width, height = figure.get_size_inches()
  bottom = 1 - (top + tall) / height
  return figure.add_axes((left / width, bottom, wide / width, tall / height))


def end_page(figure, axes):
  """Fits the axes, which what was drawn has moved, to the page."""
  width, height = figure.get_size_inches()
  axes.set(xlim=(0, width), ylim=(height, 0))


def fitting(size, cell, text=''):
  """Points of text: `size`, or less where the longest words or this line need
  it."""
  line = DIGIT * max(1, len(text))
  return min(size, 13 * cell, (cell + GAP / 2) / line)


def letters(cell):
  return max(6, int(cell / (LETTER * fitting(8, cell))))


def wrapped(title, cell):
  most = 3 if cell > NARROW else 5
  lines = textwrap.wrap(str(title), letters(cell)) or ['']
  if len(lines) > most:
    lines = [*lines[: most - 1], lines[most - 1][: letters(cell) - 1] + '…']
  return '\n'.join(lines)


def write(axes, x, y, text, *, size=7, **looks):
  """Writes with the base line at y, so that neighbours stand in one line."""
  looks = dict(ha='center', va='baseline', fontsize=size) | looks
  axes.text(x, y, plain(text), **looks)


def cut(text, cell):
  """Text of any length as what fits into one line of a cell."""
  text, most = str(text), letters(cell)
  return text if len(text) <= most else f'{text[: most - 1]}…'


def write_head(axes, left, y, text, room):
  """A bold line over a band, smaller where it would be wider than `room`."""
  size = min(8.5, room / (BOLD * len(text)))
  write(axes, left, y, text, size=size, ha='left', weight='bold')


def write_title(axes, x, bottom, title, cell):
  for i, line in enumerate(reversed(title.split('\n'))):
    y = bottom - 0.04 - i * LINE
    text = line if len(line) > letters(cell) else ''
    write(axes, x, y, line, size=fitting(8, cell, text))


def write_below(axes, left, top, text, cell):
  write_under(axes, (left, top, cell, cell), text, cell)


def write_under(axes, place, text, cell):
  """Writes below a place that may be smaller than its cell."""
  left, top, wide, tall = place
  size = fitting(7, cell, text)
  write(axes, left + wide / 2, top + tall + 0.13, text, size=size)


def fitted(image, left, top, cell):
  """Left, top, width, height of an image in a square cell, centred."""
  height, width = np.shape(image)[:2]
  wide, tall = (cell * side / max(height, width) for side in (width, height))
  return left + (cell - wide) / 2, top, wide, tall


def draw_image(axes, image, left, top, cell, tall=None):
  """An image of `cell` inches' width, and as tall unless said otherwise."""
  image = np.asarray(image)
  grey = image.shape[-1] == 1
  axes.imshow(
    image[..., 0] if grey else image,
    cmap='gray' if grey else None,
    vmin=0,
    vmax=255,
    extent=(left, left + cell, top + (tall or cell), top),
    aspect='auto',
    interpolation='antialiased',
  )


def enlarged(map_, size=128):
  """Bicubic through the map's own values; never below the least of them.

  Matplotlib's own filters either flatten the peaks of a 4×4 map or cut them
  off at the end of the colour scale.
  """
  from PIL import Image

  size = tuple(max(size, n) for n in map_.shape[::-1])
  image = Image.fromarray(map_.astype(np.float32))
  large = np.asarray(image.resize(size, Image.Resampling.BICUBIC))
  return np.maximum(large, map_.min())


def draw_heat(
  axes,
  map_,
  place,
  *,
  ends=None,
  said=None,
  under=None,
  signed=False,
  room=None,
):
  """A map in colours, enlarged, with the ends of its scale written below.

  On a scale of one value alone it is grey: no colour map has it, so it is
  taken neither for high nor for low.

  Args:
    axes: of the page.
    map_: `[h, w]`.
    place: left, top, width and height, in inches.
    ends: (least, largest) value of the scale; by default the map's.
    said: two values to write below in place of these.
    under: an image that shows through, in grey so that colours can be read.
    signed: whether values below 0 get colours of their own.
    room: for what is written below, in inches; by default the place's width.
  """
  left, top, cell, tall = place
  low, high = ends = ends or ends_of(map_)
  heat = dict(cmap=COLOUR_MAP, vmin=low, vmax=high)
  if low < 0 and signed:
    end = max(-low, high)
    heat = dict(cmap=SIGNED, vmin=-end, vmax=end)
  elif is_constant(low, high):
    half = abs(low) or 1.0
    heat = dict(cmap='gray', vmin=low - half, vmax=low + half)
  if under is not None:
    draw_image(axes, grey(under), left, top, cell, tall)
    heat['alpha'] = 0.55
  axes.imshow(
    np.clip(enlarged(map_), low, high),
    interpolation='bilinear',
    extent=(left, left + cell, top + tall, top),
    aspect='auto',
    **heat,
  )
  write_ends(axes, map_, place, said or ends, room)


def write_ends(axes, map_, place, said, room=None):
  """Two values below a map; of a constant one, its only value instead."""
  own = ends_of(map_)
  text = span(*(own if is_constant(*own) else said))
  write_under(axes, place, text, room or place[2])


def grey(image):
  """An image without colours, uint8 `[H, W, 1]`."""
  return np.uint8(np.rint(np.mean(image, axis=-1, keepdims=True)))

"""Where each class is seen: attention, scores and both, over the image."""

import dataclasses
from typing import Any

import numpy as np

from at_jax.pictures import save_png
from at_jax.pictures.cells import (
  FOOT,
  GAP,
  HEAD,
  LINE,
  MARGIN,
  cut,
  draw_heat,
  draw_image,
  empty_page,
  end_page,
  fitted,
  write,
)
from at_jax.pictures.chosen import present_classes
from at_jax.pictures.curves import COLOURS
from at_jax.pictures.numbers import ends_of

CELL = 1.2  # inches
ACROSS = 4  # classes in a row
APART = 0.2  # inches between them
TITLE = 2 * LINE + 0.08  # over a class
LARGEST = 1_500_000  # bytes
BOXES = COLOURS[1:]  # black is lost on dark images


@dataclasses.dataclass(frozen=True)
class Band:
  """One image, seen at one place of a network.

  Attributes:
    title: stands over it.
    maps: {'attention', 'scores', 'weighted': `[h, w, classes]`, 'score':
      `[classes]`}; what is missing is not drawn.
    image: uint8 `[H, W, C]`, C 1 or 3.
    chances: probabilities `[classes]`.
    chosen: numbers of the classes that are drawn.
    label: an int, multi-hot `[classes]`, or None where it is not known.
    boxes: `[n, 5]`: y0, x0, y1, x1 in pixels and the class; or None.
  """

  title: str
  maps: dict
  image: np.ndarray
  chances: np.ndarray
  chosen: list
  label: Any = None
  boxes: np.ndarray | None = None


def places_of(views):
  """The places of the arrays of `train.class_views`."""
  names = [name.partition('/') for name in views]
  return [place for part, _, place in names if part == 'scores']


def bands_of(title, views, places, **about):
  """A `Band` for each of the places, of one image.

  Args:
    title: of the image.
    views: {`<part>/<place>`: array} of the image, as `train.class_views` has
      it, without the axis B.
    places: strings.
    **about: the other attributes of a `Band`.
  """
  bands = []
  for place in places:
    parts = ('attention', 'scores', 'weighted', 'score')
    maps = {
      part: views[f'{part}/{place}']
      for part in parts
      if f'{part}/{place}' in views
    }
    height, width = maps['scores'].shape[:2]
    bands.append(Band(f'{title} · {place} · {height}×{width}', maps, **about))
  return bands


def draw_classes(path, bands, class_names):
  """Draws one page; see `classes_figure`.

  Args:
    path: the PNG to write.
    bands: a list of `Band`, top to bottom.
    class_names: of all classes.

  Returns:
    The path.
  """
  return save_png(classes_figure(bands, class_names), path, largest=LARGEST)


def classes_figure(bands, class_names):
  """The figure of `draw_classes`, not yet written.

  A band for each image and place: the image with the boxes of the classes that
  are drawn; for each class its name, its probability, whether the label has it,
  and four panels with its boxes: A over the image; A * sigmoid(S) over it, as
  bright as A would be, so that it is dark where S denies the class; S and
  M = S * A, red above 0, blue below. Below each are its least and its largest
  value.
  """
  attends = any('attention' in band.maps for band in bands)
  rows = [('attention', 'seen')] * attends + [('scores', 'weighted')]
  block, most = 2 * CELL + GAP, max([1, *(len(b.chosen) for b in bands)])
  # Of each band: a row of panels, a line of classes, all of it.
  steps = [LINE + fitted(band.image, 0, 0, CELL)[3] + FOOT for band in bands]
  lines = [TITLE + len(rows) * step for step in steps]
  heights = [
    HEAD + line * max(1, -(-len(band.chosen) // ACROSS))
    for band, line in zip(bands, lines, strict=True)
  ]
  side = block if attends else CELL
  lefts = MARGIN + side + APART + (block + APART) * np.arange(min(ACROSS, most))
  begins = np.cumsum([MARGIN / 2, *heights])
  width = lefts[-1] + block + MARGIN
  figure, axes = empty_page(width, begins[-1] + MARGIN / 2)
  for i, band in enumerate(bands):
    top = begins[i] + HEAD
    if i:
      ends = [MARGIN, width - MARGIN], [begins[i]] * 2
      axes.plot(*ends, color='0.7', lw=0.8)
    looks = dict(size=9, ha='left', weight='bold')
    title = cut(band.title, 0.8 * width)
    write(axes, MARGIN, top - 0.12, title, **looks)
    place = fitted(band.image, MARGIN, top + TITLE + LINE, side)
    draw_image(axes, band.image, *place)
    for j, k in enumerate(band.chosen):
      colour = BOXES[j % len(BOXES)]
      line, column = divmod(j, ACROSS)
      corner = lefts[column], top + line * lines[i]
      _draw_boxes(axes, band, k, place, colour, str(class_names[k]))
      _write_head(axes, band, k, *corner, block, class_names[k], colour)
      for r, row in enumerate(rows):
        at = corner[1] + TITLE + LINE + r * steps[i]
        for c, panel in enumerate(row):
          left = corner[0] + c * (CELL + GAP)
          _draw_panel(axes, band, k, panel, (left, at), colour)
  end_page(figure, axes)
  return figure


def seen(attention, scores):
  """A * sigmoid(S)."""
  return attention * (0.5 + 0.5 * np.tanh(scores / 2))


def _write_head(axes, band, k, left, top, block, name, colour):
  looks = dict(size=9, weight='bold', color=colour)
  middle = left + block / 2
  write(axes, middle, top + LINE - 0.02, cut(name, 0.8 * block), **looks)
  said = f'probability {band.chances[k]:.2f}'
  if band.label is not None:
    there = k in present_classes(band.label)
    said += ' · present' if there else ' · absent'
  write(axes, middle, top + 2 * LINE, said, size=8)


def _draw_panel(axes, band, k, panel, place, colour):
  """One panel of class k, with its title and the boxes of the class."""
  place = fitted(band.image, *place, CELL)
  maps = {part: array[..., k] for part, array in band.maps.items()}
  titles = dict(
    attention='A over image', seen='A · sigmoid(S)', scores='S', weighted='M'
  )
  title = titles[panel]
  if panel in ('attention', 'seen'):
    if 'attention' not in maps:
      return
    map_ = attention = maps['attention']
    if panel == 'seen':
      map_ = seen(attention, maps['scores'])
    looks = dict(ends=(0.0, float(attention.max())), under=band.image)
  else:
    map_ = maps[panel]
    end = float(np.max(np.abs(map_))) or 1.0
    looks = dict(ends=(-end, end), signed=True)
    if panel == 'weighted' and 'score' in maps:
      title += f', score {maps["score"]:.2f}'
  left, top, wide, _ = place
  write(axes, left + wide / 2, top - 0.04, title.replace('-', '−'))
  draw_heat(axes, map_, place, said=ends_of(map_), room=CELL, **looks)
  _draw_boxes(axes, band, k, place, colour)


def _draw_boxes(axes, band, k, place, colour, name=''):
  """The boxes of class k, over a place that shows the whole image."""
  from matplotlib.patches import Rectangle
  from matplotlib.patheffects import withStroke

  left, top, wide, tall = place
  height, width = band.image.shape[:2]
  edge = [withStroke(linewidth=2.8, foreground='white')]
  for y0, x0, y1, x1, class_ in () if band.boxes is None else band.boxes:
    if class_ != k:
      continue
    y0, y1 = top + np.clip((y0, y1), 0, height) * tall / height
    x0, x1 = left + np.clip((x0, x1), 0, width) * wide / width
    axes.add_patch(
      Rectangle(
        (x0, y0),
        x1 - x0,
        y1 - y0,
        fill=False,
        edgecolor=colour,
        lw=1.4,
        path_effects=edge,
      )
    )
    if name:
      right = (x0 + x1) / 2 > left + wide / 2
      above = y0 - 0.04 if y0 - 0.2 > top else y0 + 0.13
      looks = dict(color=colour, ha='right' if right else 'left', weight='bold')
      text = cut(name, wide / 2)
      write(axes, x1 if right else x0, above, text, path_effects=edge, **looks)

"""Which part of an image is looked at, and where annotated boxes go with it.

Two kinds of boxes. A crop is a `Box` in pixels of the whole upright image,
fractions allowed: what `decode_crop` takes. Annotated boxes are float rows
`(y0, x0, y1, x1, class)`, the corners in pixels, y1 and x1 just outside; a row
without a box is `NO_BOX`. Everything random comes from the generator handed in.
"""

import math
from typing import NamedTuple

import numpy as np

TRIES = 10  # torchvision's
NO_BOX = (0.0, 0.0, 0.0, 0.0, -1.0)  # padding, and boxes that left the crop


class Box(NamedTuple):
  """A rectangle, in pixels."""

  top: float
  left: float
  height: float
  width: float


def random_resized_crop(
  rng: np.random.Generator,
  height: int,
  width: int,
  *,
  scale=(0.08, 1.0),
  ratio=(3 / 4, 4 / 3),
) -> Box:
  """A crop of random area and aspect ratio, by torchvision's law.

  Ten times: area uniform in `scale` parts of the image's, width / height
  log-uniform in `ratio`, both sides rounded; the first one that fits is put
  anywhere with equal probability. Where none fits: the largest central crop
  whose ratio is in bounds.

  Args:
    rng: is drawn from; how often depends on the draws.
    height, width: of the image, or of the part of it that may be looked at.
    scale: smallest and largest part of the area.
    ratio: smallest and largest width / height.

  Raises:
    ValueError: `scale` or `ratio` is no interval of positive numbers.
  """
  for name, (low, high) in {'scale': scale, 'ratio': ratio}.items():
    if not 0 < low <= high:
      raise ValueError(
        f'{name} must be two numbers, 0 < low <= high, got {(low, high)}.'
      )
  for _ in range(TRIES):
    area = height * width * rng.uniform(*scale)
    aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
    columns = round(math.sqrt(area * aspect))
    rows = round(math.sqrt(area / aspect))
    if 0 < columns <= width and 0 < rows <= height:
      top = int(rng.integers(0, height - rows + 1))
      left = int(rng.integers(0, width - columns + 1))
      return Box(top, left, rows, columns)
  rows, columns = height, width
  if width / height < ratio[0]:
    rows = max(round(width / ratio[0]), 1)
  elif width / height > ratio[1]:
    columns = max(round(height * ratio[1]), 1)
  return Box((height - rows) // 2, (width - columns) // 2, rows, columns)


def resize_and_center_crop(
  height: int, width: int, *, resize: int = 256, size: int = 224
) -> Box:
  """The central `size` x `size` of the image once `resize` is its shorter side.

  Lengths and offsets are rounded as torchvision's Resize and CenterCrop do.

  Raises:
    ValueError: `size` is larger than `resize`.
  """
  rows, columns = _resized(height, width, resize, size)
  top, left = round((rows - size) / 2), round((columns - size) / 2)
  return _unresized(top, left, size, height / rows, width / columns)


def resize_and_random_crop(
  rng: np.random.Generator,
  height: int,
  width: int,
  *,
  resize: int = 256,
  size: int = 224,
) -> Box:
  """Any `size` x `size` of the image once `resize` is its shorter side.

  Offsets are whole pixels of the resized image, all with equal probability.

  Raises:
    ValueError: `size` is larger than `resize`.
  """
  rows, columns = _resized(height, width, resize, size)
  top = int(rng.integers(0, rows - size + 1))
  left = int(rng.integers(0, columns - size + 1))
  return _unresized(top, left, size, height / rows, width / columns)


def _resized(height, width, resize, size):
  """Rows and columns of the image once its shorter side is `resize`."""
  if not 0 < size <= resize:
    raise ValueError(
      f'A crop of {size} x {size} does not lie in an image whose shorter side '
      f'is {resize}: wanted 0 < size <= resize.'
    )
  if height <= width:
    return resize, int(resize * width / height)
  return int(resize * height / width), resize


def _unresized(top, left, size, row, column):
  """The box in pixels of the whole image, of which `row` make one row."""
  return Box(top * row, left * column, size * row, size * column)


def annotated_region(corners, height: int, width: int) -> Box:
  """The part of an image that an annotated box covers, in whole pixels.

  Args:
    corners: y0, x0, y1, x1 and whatever follows; clipped to the image and
      rounded outwards.
    height, width: of the image.

  Raises:
    ValueError: the annotated box has no area in the image.

  Example:
    >>> region = annotated_region((10.5, -3, 50, 40, 7), 60, 80)
    >>> region
    Box(top=10, left=0, height=40, width=40)
    >>> inside(region, resize_and_center_crop(*region[2:], resize=8, size=4))
    Box(top=20.0, left=10.0, height=20.0, width=20.0)
  """
  y0, x0, y1, x1 = (float(corner) for corner in corners[:4])
  top, left = max(math.floor(y0), 0), max(math.floor(x0), 0)
  bottom, right = min(math.ceil(y1), height), min(math.ceil(x1), width)
  if bottom <= top or right <= left:
    raise ValueError(
      f'the annotated box (y0, x0, y1, x1) = ({y0:g}, {x0:g}, {y1:g}, {x1:g}) '
      f'has no area in the image of {height} x {width} (height x width).'
    )
  return Box(top, left, bottom - top, right - left)


def inside(region: Box, box: Box) -> Box:
  """A crop that was chosen for a region, in pixels of the whole image."""
  return Box(region.top + box[0], region.left + box[1], *box[2:])


def boxes_in_crop(boxes: np.ndarray, crop: Box, size: int) -> np.ndarray:
  """Annotated boxes in pixels of a crop's `size` x `size` output.

  They are clipped to the crop. One that has no area left becomes `NO_BOX` and
  keeps its row, so that rows stay those of the input; `NO_BOX` stays.

  Args:
    boxes: `[n, 5]`, in pixels of the whole image.
    crop: in pixels of the whole image.
    size: of the output.

  Returns:
    float32, shape `[n, 5]`.
  """
  boxes = np.asarray(boxes, np.float32).reshape(-1, 5)
  top, left, height, width = crop
  origin = np.array([top, left, top, left])
  pixels = size / np.array([height, width, height, width])
  corners = np.clip((boxes[:, :4] - origin) * pixels, 0, size)
  corners = corners.astype(np.float32)  # before areas are looked at
  seen = (corners[:, 2:] > corners[:, :2]).all(axis=1)
  moved = np.concatenate([corners, boxes[:, 4:]], axis=1)
  return np.where(seen[:, None], moved, NO_BOX).astype(np.float32)

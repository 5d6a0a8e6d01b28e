"""Does an attention map lie inside annotated boxes?

Boxes are float rows (y0, x0, y1, x1, class): corners in pixels of the image,
pixel i reaching from i to i + 1, y1 and x1 just outside. A row whose class is
negative (padding) or that has no area is no box. An h x w map is spread evenly
over the whole H x W image: a cell is H/h rows high and W/w columns wide,
fractions allowed, and the map is constant on it. Axes: B batch, n boxes, H
height and W width of the image, h and w of the map.
"""

import functools
import numbers
import sys

import jax
import jax.numpy as jnp
import numpy as np

from at_jax._arrays import at_least_float32, check_range, check_rank


def box_coverage(boxes, image_size, map_size):
  """How much of every cell of a map the union of an image's boxes covers.

  A box covers of a pixel the product of what it covers of its row and of its
  column, 0 to 1. Of several boxes a pixel has the largest part, and a cell the
  mean of its pixels, weighed by how much of each lies in the cell. That is the
  union exactly where corners are whole numbers. With fractions, at most the
  union counts in a pixel in which edges of several boxes meet, and a pixel that
  two cells share counts as evenly covered.

  Args:
    boxes: `[B, n, 5]`, any n, 0 included.
    image_size: (H, W), ints that are static under jit.
    map_size: (h, w), likewise. H need not be a multiple of h, nor larger.

  Returns:
    Parts `[B, h, w]` from 0 to 1, float32 (float64 for float64 boxes).

  Raises:
    ValueError: boxes of another shape, a size that is not two positive ints.

  Example:
    >>> import jax.numpy as jnp
    >>> boxes = jnp.array([[[0., 1., 2., 4., 7.], [0., 0., 0., 0., -1.]]])
    >>> box_coverage(boxes, (4, 4), (2, 2)).tolist()
    [[[0.5, 1.0], [0.0, 0.0]]]
  """
  _check_boxes('box_coverage', boxes)
  image_size = _check_size('box_coverage', 'image_size', image_size)
  map_size = _check_size('box_coverage', 'map_size', map_size)
  (boxes,) = at_least_float32(boxes)
  return _coverage(boxes, image_size, map_size)


def area_in_boxes(boxes, image_size):
  """The part of an image that its boxes cover, overlaps counted once.

  What `energy_in_boxes` gives for a constant map: the level of chance.

  Args:
    boxes: `[B, n, 5]`.
    image_size: (H, W), ints that are static under jit.

  Returns:
    Shares `[B]` from 0 to 1, at least float32; 0 for images without boxes.

  Raises:
    ValueError: as `box_coverage`.

  Example:
    >>> import jax.numpy as jnp
    >>> boxes = jnp.array([[[0., 0., 2., 4., 7.], [0., 0., 4., 2., 7.]]])
    >>> area_in_boxes(boxes, (4, 4)).tolist()
    [0.75]
  """
  _check_boxes('area_in_boxes', boxes)
  image_size = _check_size('area_in_boxes', 'image_size', image_size)
  return box_coverage(boxes, image_size, (1, 1))[:, 0, 0]


def energy_in_boxes(maps, boxes, image_size):
  """The share of a map's sum that lies inside boxes, per example.

  sum(maps * coverage) / sum(maps), with `box_coverage`: the energy-based
  pointing game. The authors enlarge the map smoothly first; here a cell stays
  constant. A map that is zero everywhere gives 0 and has derivatives zero.

  Args:
    maps: `[B, h, w]`, of any real dtype, >= 0.
    boxes: `[B, n, 5]`. All count, whatever their class.
    image_size: (H, W), ints that are static under jit.

  Returns:
    Shares `[B]` from 0 to 1, at least float32; 0 for images without boxes.

  Raises:
    ValueError: maps not of rank 3, boxes of another shape or batch, an
      image_size that is not two positive ints.

  Example:
    >>> import jax.numpy as jnp
    >>> maps = jnp.array([[[2., 3.], [0., 3.]]])
    >>> boxes = jnp.array([[[0., 1., 2., 4., 7.]]])
    >>> energy_in_boxes(maps, boxes, (4, 4)).tolist()
    [0.5]

  References:
    Wang et al., Score-CAM, CVPR-W 2020, https://arxiv.org/abs/1910.01279.
  """
  image_size = _check_pair('energy_in_boxes', maps, boxes, image_size)
  maps, boxes = at_least_float32(maps, boxes)
  coverage = box_coverage(boxes, image_size, maps.shape[1:])
  # In units of the largest cell, sums and their squares (in the derivative)
  # neither overflow nor vanish; nor does 1 / top, with the bound.
  top = jax.lax.stop_gradient(jnp.max(maps, axis=(1, 2), keepdims=True))
  top = jnp.minimum(top, 1 / jnp.finfo(maps.dtype).tiny)
  alive = top != 0  # true for NaN, which must not look like a dead map
  scaled = jnp.where(alive, maps / jnp.where(alive, top, 1.0), 0.0)
  total = jnp.sum(scaled, axis=(1, 2))
  inside = jnp.sum(scaled * coverage, axis=(1, 2))
  return inside / jnp.where(alive[:, 0, 0], total, 1.0)


def pointing_game(maps, boxes, image_size, *, tolerance=0.0):
  """Whether a map's largest cell lies inside a box, per example.

  The cell's centre, ((i + 0.5) H/h, (j + 0.5) W/w) of the image, is a hit if it
  lies in a box, or on its edge, after all edges were moved outwards by
  `tolerance` pixels. The authors allow 15, in common code a disc around the
  largest pixel of an enlarged map; here the corners of a box stay square.

  Of equal maxima the first counts, row by row: a constant map points to cell
  (0, 0). A map without an entry above 0, or with a NaN, points nowhere: a miss.

  Args:
    maps: `[B, h, w]`, of any real dtype, >= 0.
    boxes: `[B, n, 5]`. All count, whatever their class.
    image_size: (H, W), ints that are static under jit.
    tolerance: pixels, >= 0.

  Returns:
    Hits, bool `[B]`; false for images without boxes.

  Raises:
    ValueError: as `energy_in_boxes`; a negative tolerance.

  Example:
    >>> import jax.numpy as jnp
    >>> maps = jnp.array([[[0., 1.], [0., 0.]]])  # the centre is (1, 3)
    >>> boxes = jnp.array([[[2., 2., 4., 4., 7.]]])
    >>> pointing_game(maps, boxes, (4, 4)).tolist()
    [False]
    >>> pointing_game(maps, boxes, (4, 4), tolerance=1).tolist()
    [True]

  References:
    Zhang et al., Top-down Neural Attention by Excitation Backprop, ECCV 2016,
    https://arxiv.org/abs/1608.00507.
  """
  height, width = _check_pair('pointing_game', maps, boxes, image_size)
  check_range('The tolerance', tolerance, 0, sys.float_info.max)
  maps, boxes = at_least_float32(maps, boxes)
  batch, rows, columns = maps.shape
  flat = maps.reshape(batch, rows * columns)
  row, column = jnp.divmod(jnp.argmax(flat, axis=1, keepdims=True), columns)
  y, x = _centre(row, rows, height), _centre(column, columns, width)
  y0, x0, y1, x1, _ = jnp.unstack(boxes, axis=2)
  far = jnp.maximum(jnp.maximum(y0 - y, y - y1), jnp.maximum(x0 - x, x - x1))
  hit = jnp.any(_there(boxes) & (far <= tolerance), axis=1)
  return hit & (jnp.max(flat, axis=1) > 0)


# Eagerly, each box of each image would be painted on its own before the union.
@functools.partial(jax.jit, static_argnums=(1, 2))
def _coverage(boxes, image_size, map_size):
  """`box_coverage` of boxes whose dtype is that of the result."""
  height, width = image_size
  y0, x0, y1, x1, _ = jnp.unstack(boxes, axis=2)
  rows, columns = _along(y0, y1, height), _along(x0, x1, width)
  rows = jnp.where(_there(boxes)[:, :, None], rows, 0.0)
  painted = rows[:, :, :, None] * columns[:, :, None, :]
  pixels = jnp.max(painted, axis=1, initial=0.0)
  sums = jnp.einsum(
    'ir,brc,jc->bij',
    jnp.asarray(_overlaps(map_size[0], height), boxes.dtype),
    pixels,
    jnp.asarray(_overlaps(map_size[1], width), boxes.dtype),
    precision='highest',
  )
  return sums / (height * width)


def _along(low, high, pixels):
  """What intervals `[B, n]` cover of an axis' pixels, `[B, n, pixels]`."""
  start = jnp.arange(pixels, dtype=low.dtype)[None, None]
  low, high = low[:, :, None], high[:, :, None]
  return jnp.clip(high - start, 0, 1) - jnp.clip(low - start, 0, 1)


def _centre(cell, cells, pixels):
  # From a table in float64: rounding must not move a centre off an edge.
  return jnp.asarray((np.arange(cells) + 0.5) * pixels / cells)[cell]


def _overlaps(cells, pixels):
  """How much of each pixel lies in each cell, `[cells, pixels]`.

  In units of 1/cells of a pixel: whole numbers, whose sums are exact.
  """
  cell = np.arange(cells)[:, None] * pixels
  pixel = np.arange(pixels)[None] * cells
  end = np.minimum(cell + pixels, pixel + cells)
  return np.maximum(end - np.maximum(cell, pixel), 0)


def _there(boxes):
  """Which rows are boxes, bool `[B, n]`."""
  y0, x0, y1, x1, label = jnp.unstack(boxes, axis=2)
  return (label >= 0) & (y1 > y0) & (x1 > x0)


def _check_boxes(name, boxes):
  if jnp.ndim(boxes) != 3 or jnp.shape(boxes)[2] != 5:
    raise ValueError(
      f'{name} wants boxes of shape [B, n, 5], got {jnp.shape(boxes)}.'
    )


def _check_size(name, what, size):
  """The size as a tuple of ints; ValueError unless it is two of them, > 0."""
  size = tuple(size) if np.iterable(size) else (size,)
  whole = all(isinstance(side, numbers.Integral) for side in size)
  if len(size) != 2 or not whole or min(size) < 1:
    raise ValueError(
      f'{name} wants {what} as two ints > 0, static under jit, got {size}.'
    )
  return tuple(map(int, size))


def _check_pair(name, maps, boxes, image_size):
  """Checks maps and their boxes; returns the size of the image."""
  check_rank(name, maps, '[B, h, w]')
  _check_boxes(name, boxes)
  if jnp.shape(maps)[0] != jnp.shape(boxes)[0]:
    raise ValueError(
      f'{name} wants boxes [B, n, 5] for each of the maps [B, h, w], got '
      f'{jnp.shape(boxes)} and {jnp.shape(maps)}.'
    )
  return _check_size(name, 'image_size', image_size)

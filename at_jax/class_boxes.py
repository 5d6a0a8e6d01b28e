"""Does each class' attention map lie inside the boxes of that class?

Maps are `[B, h, w, C]`, boxes as in `localisation.py`, their class one of the C
maps'. A pair of image and class is judged by the boxes of that class alone, and
only where there is one. Axes: B batch, C classes, n boxes, H height and W width
of the image, h and w of the map.
"""

import jax
import jax.numpy as jnp

from at_jax._arrays import at_least_float32, check_rank
from at_jax.localisation import box_coverage, pointing_game


def pointing_game_by_class(maps, boxes, image_size, *, tolerance=0.0):
  """Whether the largest cell of a class' map lies in a box of that class.

  See `pointing_game`, which judges each pair.

  Args:
    maps: `[B, h, w, C]`, of any real dtype; one with no entry above 0 misses.
    boxes: `[B, n, 5]`; of a class that has no map, none counts.
    image_size: (H, W), ints that are static under jit.
    tolerance: pixels, >= 0.

  Returns:
    Hits, bool `[B, C]`, and which pairs have a box, bool `[B, C]`; elsewhere
    hits are false.

  Raises:
    ValueError: maps not of rank 4, or as `pointing_game`.

  Example:
    >>> import jax.numpy as jnp
    >>> maps = jnp.array([[[[0., 1.], [1., 0.]]]])  # 1x2 cells, 2 classes
    >>> boxes = jnp.array([[[0., 0., 4., 4., 1.]]])  # on the left, of class 1
    >>> hits, there = pointing_game_by_class(maps, boxes, (4, 8))
    >>> hits.tolist(), there.tolist()
    ([[False, True]], [[False, True]])
  """

  def judge(map_, own):
    return pointing_game(map_, own, image_size, tolerance=tolerance)

  return _by_class('pointing_game_by_class', judge, maps, boxes)


def overlap_by_class(maps, boxes, image_size, *, threshold=0.5):
  """IoU and IoBB of a class' map, cut at a threshold, with its boxes.

  T, what the map detects, are the cells of at least `threshold` times the map's
  largest; B is the union of the boxes of the class within the image, of a cell
  that part that `box_coverage` says. With |.| for areas:

    IoU = |T and B| / |T or B|,  IoBB = |T and B| / |T|.

  Both are 0 for an empty T: of a map without an entry above 0, or with a NaN.
  Wang et al. have for IoBB the area of a box drawn around what was detected;
  here it is that of the cells themselves.

  Args:
    maps: `[B, h, w, C]`, of any real dtype.
    boxes: `[B, n, 5]`; of a class that has no map, none counts.
    image_size: (H, W), ints that are static under jit.
    threshold: above 0, at most 1; static under jit.

  Returns:
    IoU `[B, C]` and IoBB `[B, C]`, at least float32, from 0 to 1, and which
    pairs have a box, bool `[B, C]`; elsewhere both are 0.

  Raises:
    ValueError: maps not of rank 4, a threshold out of range, or as
      `box_coverage`.

  Example:
    >>> import jax.numpy as jnp
    >>> maps = jnp.array([2., 1., 9., 0.]).reshape(1, 1, 2, 2)
    >>> boxes = jnp.array([[[0., 0., 4., 2., 1.]]])  # a half of the left cell
    >>> iou, iobb, there = overlap_by_class(maps, boxes, (4, 8))
    >>> iou.tolist(), iobb.tolist(), there.tolist()
    ([[0.0, 0.5]], [[0.0, 0.5]], [[False, True]])

  References:
    Wang et al., ChestX-ray8, CVPR 2017, https://arxiv.org/abs/1705.02315.
  """
  if not 0 < threshold <= 1:
    raise ValueError(
      f'overlap_by_class wants 0 < threshold <= 1, got {threshold}: it is a '
      "part of each map's largest entry."
    )

  def judge(map_, own):
    (map_,) = at_least_float32(map_)
    top = jnp.max(map_, axis=(1, 2), keepdims=True)
    found = ((map_ >= threshold * top) & (top > 0)).astype(map_.dtype)
    covered = box_coverage(own, image_size, map_.shape[1:])
    both, detected, boxed = (
      jnp.sum(x, axis=(1, 2)) for x in (found * covered, found, covered)
    )
    return _ratio(both, detected + boxed - both), _ratio(both, detected)

  (iou, iobb), there = _by_class('overlap_by_class', judge, maps, boxes)
  return iou, iobb, there


def _by_class(name, judge, maps, boxes):
  """(`judge(map, boxes of its class)` of each class, which pairs have a box).

  One class at a time: boxes are painted pixel by pixel, for B images at once.
  """
  check_rank(name, maps, '[B, h, w, C]')
  maps, boxes = jnp.asarray(maps), jnp.asarray(boxes)
  if boxes.ndim != 3 or boxes.shape[2] != 5 or len(boxes) != len(maps):
    raise ValueError(
      f'{name} wants boxes [B, n, 5] for each of the maps [B, h, w, C], got '
      f'{boxes.shape} and {maps.shape}.'
    )
  y0, x0, y1, x1, label = jnp.unstack(boxes, axis=2)

  def one(args):
    class_, map_ = args
    own = (label == class_) & (y1 > y0) & (x1 > x0)
    rows = boxes.at[:, :, 4].set(jnp.where(own, label, -1))
    return judge(map_, rows), jnp.any(own, axis=1)

  classes = jnp.arange(maps.shape[3])
  found = jax.lax.map(one, (classes, jnp.moveaxis(maps, 3, 0)))
  return jax.tree.map(jnp.transpose, found)


def _ratio(part, whole):
  return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), 0)

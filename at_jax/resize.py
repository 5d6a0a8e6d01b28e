"""Changes of size whose edges are not those of the libraries' defaults.

Axes: B batch, H height, W width, C channels.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from at_jax._arrays import check_rank


def max_pool_ceil(x):
  """3x3 max pooling with stride 2 in ceil mode, as Caffe and Torch do it.

  Nothing is padded: windows begin at 0, 2, 4, ... and the last one is cut off
  at the edge, if need be. A side of n pixels becomes ceil((n - 3) / 2) + 1: n/2
  for even n, (n - 1)/2 for odd n > 1 (75 -> 37, where 'SAME' gives 38), and 1
  for 1. PyTorch's `max_pool2d(x, 3, 2, padding=1)`, common in ports, gives
  windows shifted by one pixel.

  Args:
    x: features, `[B, H, W, C]`, of any real dtype.

  Returns:
    Maxima `[B, h, w, C]` of the same dtype. The gradient goes to the largest
    entry of a window, among equal ones to the first.

  Raises:
    ValueError: `x` not of rank 4.

  Example:
    >>> import jax.numpy as jnp
    >>> x = jnp.arange(8).reshape(1, 1, 8, 1)
    >>> max_pool_ceil(x).ravel().tolist()
    [2, 4, 6, 7]

  References:
    Wang et al., Residual Attention Network for Image Classification, CVPR 2017,
    https://arxiv.org/abs/1704.06904, and its authors' Caffe networks; Torch's
    `SpatialMaxPooling(3, 3, 2, 2):ceil()`.
  """
  check_rank('max_pool_ceil', x, '[B, H, W, C]')
  x = jnp.asarray(x)
  if jnp.issubdtype(x.dtype, jnp.inexact):
    lowest = -np.inf
  else:
    lowest = np.iinfo(x.dtype).min
  return functools.reduce(_larger, ceil_windows(x, lowest))


def ceil_windows(x, fill):
  """3x3 windows with stride 2 in ceil mode: their nine entries, row by row.

  Pooling made of these has a gradient of slices and sums. XLA's own windows
  have a scatter, which is slow on a CPU, and slower when differentiated again.

  Args:
    x: `[B, H, W, C]`.
    fill: stands where a window is cut off.

  Returns:
    Nine arrays `[B, h, w, C]`.
  """
  batch, height, width, channels = x.shape
  rows, columns = (max(n // 2, 1) for n in (height, width))
  end = (0, 0, 0)
  below, right = (0, 2 * rows + 1 - height, 0), (0, 2 * columns + 1 - width, 0)
  x = jax.lax.pad(x, np.array(fill, x.dtype), (end, below, right, end))
  return [
    jax.lax.slice(
      x,
      (0, top, left, 0),
      (batch, top + 2 * rows - 1, left + 2 * columns - 1, channels),
      (1, 2, 2, 1),
    )
    for top in range(3)
    for left in range(3)
  ]


def _larger(one, other):
  """Their maximum: the first of equal ones, NaN if any is."""
  return jnp.where((other > one) | (other != other), other, one)

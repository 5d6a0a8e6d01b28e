"""Changes of size whose edges are not those of the libraries' defaults.

Axes: B batch, H height, W width, C channels.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from at_jax._arrays import at_least_float32, check_rank, check_size


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


def resize_align_corners(x, size):
  """Bilinear interpolation that maps corner pixels onto corner pixels.

  Output j of m reads the input of n pixels at j (n - 1) / (m - 1). This is
  PyTorch's `interpolate(..., align_corners=True)` and Caffe's `Interp`, where
  `jax.image.resize` aligns the edges of the pixels (half-pixel centres). An
  input of one pixel is repeated, an output of one pixel is the first one, an
  axis that keeps its size is copied. Shrinking reads two neighbours, without a
  filter against aliasing.

  Args:
    x: features, `[B, H, W, C]`, of any real dtype.
    size: (height, width) of the result, integers >= 1.

  Returns:
    `[B, *size, C]` of the same dtype (float32 for integers), computed in at
    least float32.

  Raises:
    ValueError: `x` not of rank 4 or without pixels, a size of other than two
      integers >= 1.

  Example:
    >>> import jax.numpy as jnp
    >>> x = jnp.array([0., 1.]).reshape(1, 1, 2, 1)
    >>> resize_align_corners(x, (1, 5)).ravel().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]

  References:
    Wang et al., Residual Attention Network for Image Classification, CVPR 2017,
    https://arxiv.org/abs/1704.06904: the up-sampling in its authors' Caffe
    networks.
  """
  check_rank('resize_align_corners', x, '[B, H, W, C]')
  size = check_size('resize_align_corners', size)
  batch, height, width, channels = jnp.shape(x)
  if not height or not width:
    raise ValueError(
      f'resize_align_corners wants at least one pixel, got {jnp.shape(x)}.'
    )
  dtype = jnp.result_type(x)
  (y,) = at_least_float32(x)
  if height != size[0]:
    y = _interpolate(y.reshape(batch, height, width * channels), size[0])
  if width != size[1]:
    y = _interpolate(y.reshape(batch * size[0], width, channels), size[1])
  y = y.reshape(batch, *size, channels)
  return y.astype(dtype) if jnp.issubdtype(dtype, jnp.inexact) else y


def _interpolate(rows, length):
  """The middle axis of `[N, n, K]` to `length`.

  A batched product with a constant matrix: taking neighbours by their indices
  has a scatter for a gradient, ten times as slow on a CPU.
  """
  n = rows.shape[1]
  steps = max(length - 1, 1)
  matrix = np.zeros((length, n))
  for j in range(length):
    left, rest = divmod(j * (n - 1), steps)
    matrix[j, left] = 1 - rest / steps
    if rest:
      matrix[j, left + 1] = rest / steps
  matrix = jnp.broadcast_to(
    matrix.astype(rows.dtype), (rows.shape[0], length, n)
  )
  return jnp.matmul(matrix, rows, precision='highest')


def half_pixel(cells, pixels):
  """Where centres of pixels lie among cells of the same side, `[pixels]`."""
  centres = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
  return np.clip(centres, 0, cells - 1)


def linear_matrix(positions, cells):
  """`[positions, cells]`: the shares of the two neighbours of each position."""
  distance = np.abs(positions[:, None] - np.arange(cells))
  return np.maximum(0, 1 - distance)

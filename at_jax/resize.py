"""Changes of size whose edges are not those of the libraries' defaults.

Axes: B batch, H height, W width, C channels.
"""

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
  return jax.lax.reduce_window(
    x,
    np.array(lowest, x.dtype),
    jax.lax.max,
    (1, 3, 3, 1),
    (1, 2, 2, 1),
    ceil_padding(x.shape),
  )


def ceil_padding(shape):
  """What 3x3 windows with stride 2 in ceil mode lack at the ends, per axis.

  Args:
    shape: `(B, H, W, C)`.

  Returns:
    Pairs (before, after) for the four axes; nothing is ever missing before.
  """
  _, height, width, _ = shape
  return ((0, 0), (0, _missing(height)), (0, _missing(width)), (0, 0))


def _missing(n):
  windows = max(n // 2, 1)
  return max(2 * windows + 1 - n, 0)

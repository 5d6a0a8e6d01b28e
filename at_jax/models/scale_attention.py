"""Scale-wise attention: which scale is to be believed, class by class.

Our definition. Of the paper (A3Net, see `attention_modules.py`) only the
purpose is documented: to recalibrate the feature maps at different scales.
Axes: B batch, H height, W width, L scales, C channels (classes).
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from at_jax._arrays import at_least_float32, check_rank, unknown
from at_jax.models.layers import kaiming_normal
from at_jax.resize import half_pixel, linear_matrix

GATES = ('sigmoid', 'softmax')
PER = ('class', 'scale')
GRIDS = ('coarsest', 'finest')
POOLS = ('sum', 'mean')


class ScaleAttention(nn.Module):
  """Maps of several scales on one grid, each times a gate.

  T = `stack_scales(maps)`; g = pool of T over positions, L C numbers; s =
  W4 relu(W3 g), without biases, ceil(L C / 2) hidden units; gates = sigmoid(s),
  or softmax of s over the scales. Returns (gates * T `[B, h, w, L, C]`, gates
  `[B, L, C]`). As the pool of T is that of the maps, the pool of a sum over the
  scales is the sum of gate times pool.

  Attributes:
    gate: `sigmoid` or `softmax`.
    per: a gate for every scale and `class` (channel), or one for a `scale`,
      which all its channels share.
    grid, pool: see `stack_scales`.
    dtype: of the activations; parameters stay float32.
  """

  gate: str = 'sigmoid'
  per: str = 'class'
  grid: str = 'coarsest'
  pool: str = 'sum'
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, maps):
    if self.gate not in GATES:
      raise ValueError(unknown('scale gate', self.gate, GATES))
    if self.per not in PER:
      raise ValueError(unknown('owner of a scale gate', self.per, PER))
    stack = stack_scales(maps, grid=self.grid, pool=self.pool)
    stack = stack.astype(self.dtype)
    scales, channels = stack.shape[3:]
    reduce = jnp.sum if self.pool == 'sum' else jnp.mean
    g = reduce(stack, axis=(1, 2)).reshape(-1, scales * channels)
    g = nn.Dense(
      -(-scales * channels // 2),
      use_bias=False,
      kernel_init=kaiming_normal,
      dtype=self.dtype,
      name='dense0',
    )(g)
    owners = channels if self.per == 'class' else 1
    s = nn.Dense(
      scales * owners, use_bias=False, dtype=self.dtype, name='dense1'
    )(nn.relu(g))
    s = s.reshape(-1, scales, owners)
    gates = nn.sigmoid(s) if self.gate == 'sigmoid' else nn.softmax(s, axis=1)
    gates = jnp.broadcast_to(gates, (len(stack), scales, channels))
    return gates[:, None, None] * stack, gates


def stack_scales(maps, *, grid='coarsest', pool='sum'):
  """Maps of several sizes on the grid of one of them.

  A side that shrinks takes the mean of what lies in each cell, as average
  pooling where it divides, one that grows interpolates (half-pixel centres).
  With the pool `sum` the result is multiplied by the ratio of the numbers of
  positions: maps that sum to a score, as those of the `space` reading, keep
  their sum. (A mean would divide it, by 16 from 28x28 to 7x7, and the finer
  scales would hardly have a say.) Interpolation keeps either up to the edges,
  and exactly where the size is a multiple.

  Args:
    maps: a sequence of `[B, H_l, W_l, C]`, sizes of any order.
    grid: the one of the fewest positions, `coarsest`, or the `finest`.
    pool: `sum` or `mean`, what of a map is kept.

  Returns:
    `[B, h, w, L, C]`, at least float32.

  Raises:
    ValueError: no maps, another rank, batches or channels that differ, an
      unknown word.

  Example:
    >>> import jax.numpy as jnp
    >>> fine, coarse = jnp.ones((1, 4, 4, 1)), jnp.ones((1, 2, 2, 1))
    >>> stack_scales([fine, coarse])[0, 0, 0].ravel().tolist()
    [4.0, 1.0]
  """
  if grid not in GRIDS:
    raise ValueError(unknown('grid of scales', grid, GRIDS))
  if pool not in POOLS:
    raise ValueError(unknown('pool of scales', pool, POOLS))
  for x in maps:
    check_rank('stack_scales', x, '[B, H, W, C]')
  if len({(x.shape[0], x.shape[3]) for x in maps}) != 1:
    raise ValueError(
      'stack_scales wants maps of one batch and number of channels, one at '
      f'least, got {[x.shape for x in maps]}.'
    )
  best = min if grid == 'coarsest' else max
  size = best((x.shape[1:3] for x in maps), key=np.prod)
  stack = []
  for x in at_least_float32(*maps):
    ratio = np.prod(x.shape[1:3]) / np.prod(size)
    for axis in (1, 2):
      x = _resize(x, axis, size[axis - 1])
    stack.append(x * ratio if pool == 'sum' else x)
  return jnp.stack(stack, axis=3)


def _resize(x, axis, length):
  """One axis to `length`: a product with a constant matrix."""
  n = x.shape[axis]
  if n == length:
    return x
  if length < n:
    matrix = _means(n, length)
  else:
    matrix = linear_matrix(half_pixel(n, length), n)
  y = jnp.tensordot(
    x, jnp.asarray(matrix, x.dtype), axes=(axis, 1), precision='highest'
  )
  return jnp.moveaxis(y, -1, axis)


def _means(n, length):
  """`[length, n]`: the parts that old cells have in each new one."""
  old, new = np.arange(n) * length, np.arange(length)[:, None] * n
  # In units of 1 / (n length) of the side, so that edges are whole numbers.
  inside = np.minimum(new + n, old + length) - np.maximum(new, old)
  return np.maximum(inside, 0) / n

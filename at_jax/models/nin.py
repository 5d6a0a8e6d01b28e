"""Network in network for small images.

Sources: Lin, Chen and Yan, Network In Network, ICLR 2014,
https://arxiv.org/abs/1312.4400; the pooling is that of `nin.lua` in the code of
Zagoruyko and Komodakis' Wide Residual Networks, whose attention transfer paper
(https://arxiv.org/abs/1612.03928) makes the first convolution of every block
3x3 and names a "NIN-wide" of 1M and a "NIN-thin" of 0.2M parameters.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import at_least_float32, check_rank
from at_jax.models import layers
from at_jax.resize import ceil_windows, max_pool_ceil


class NIN(nn.Module):
  """Three blocks of a k x k and two 1x1 convolutions, pooled in between.

  conv, batch norm, ReLU three times a block; then 3x3/2 max pooling, 3x3/2
  average pooling (both in ceil mode), global average; then the logits.

  The default, NIN-wide, has 895,306 parameters, NIN-thin (`widths=96`) 226,474;
  the paper does not publish their widths, these are our reading. The authors'
  `nin.lua` is `widths=((192, 160, 96), (192, 192, 192), (192, 192, 192))` with
  `kernels=(5, 5, 3)`: 1,005,642.

  Endpoints for a 32x32 input and width w:
    `group1` [B, 32, 32, w], `group2` [B, 16, 16, w], `group3` [B, 8, 8, w]:
    what a block gives to the pooling, after batch norm and ReLU, as far as the
    arguments keep them. `group1/conv`, `group2/conv`, `group3/conv`: the
    block's third convolution itself (signed), before batch norm and ReLU.

  Attributes:
    widths: of all nine convolutions, or three triples, one for each block.
    kernels: sizes of the first convolution of each block, odd.
    batch_norm: without it the convolutions have a bias instead.
    relu_before_pool: False leaves out the ReLU after the third convolution of
      every block; the batch norm stays. The paper takes it away for attention
      from gradients.
    num_classes: number of logits.
    dtype: of the activations; parameters and statistics stay float32.
  """

  widths: Any = 192
  kernels: tuple[int, ...] = (3, 3, 3)
  batch_norm: bool = True
  relu_before_pool: bool = True
  num_classes: int = 10
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    widths = _widths_of_blocks(self.widths)
    _check_kernels(self.kernels)
    check_rank('NIN', images, '[B, H, W, C]')
    x, endpoints = images, {}
    pools = max_pool_ceil, avg_pool_ceil, global_average
    for group, (block, first, pool) in enumerate(
      zip(widths, self.kernels, pools, strict=True), 1
    ):
      for i, (width, kernel) in enumerate(
        zip(block, (first, 1, 1), strict=True)
      ):
        x = layers.conv(
          width,
          kernel,
          1,
          use_bias=not self.batch_norm,
          dtype=self.dtype,
          name=f'group{group}_conv{i}',
        )(x)
        if i == 2:
          endpoints[f'group{group}/conv'] = x
        if self.batch_norm:
          # As WRN's, scales included: both are by the same authors.
          x = layers.batch_norm(
            use_running_average=not train,
            dtype=self.dtype,
            name=f'group{group}_bn{i}',
          )(x)
        if i < 2 or self.relu_before_pool:
          x = nn.relu(x)
      endpoints[f'group{group}'] = x
      x = pool(x)
    return layers.head(self.num_classes, dtype=self.dtype)(x), endpoints


def avg_pool_ceil(x):
  """3x3 averages with stride 2; a truncated window counts what is inside."""
  (wide,) = at_least_float32(x)
  inside = jnp.ones((1, *x.shape[1:3], 1), wide.dtype)
  sums, counts = (sum(ceil_windows(y, 0)) for y in (wide, inside))
  return (sums / counts).astype(x.dtype)


def global_average(x):
  """`[B, H, W, C]` to `[B, C]`."""
  return jnp.mean(x, axis=(1, 2))


def _widths_of_blocks(widths):
  triples = ((widths,) * 3,) * 3 if isinstance(widths, int) else widths
  if not (
    _is_triple(triples)
    and all(map(_is_triple, triples))
    and all(isinstance(w, int) and w > 0 for block in triples for w in block)
  ):
    raise ValueError(
      'widths of a NIN must be one positive integer for its nine convolutions, '
      f'or three triples of them, got {widths}.'
    )
  return triples


def _check_kernels(kernels):
  if not (
    _is_triple(kernels)
    and all(isinstance(k, int) and k > 0 and k % 2 for k in kernels)
  ):
    raise ValueError(
      'kernels of a NIN must be three odd sizes, one for the first convolution '
      f'of each block, got {kernels}.'
    )


def _is_triple(value):
  return isinstance(value, (tuple, list)) and len(value) == 3

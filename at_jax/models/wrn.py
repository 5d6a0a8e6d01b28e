"""Wide residual networks for small images.

Source: Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016,
https://arxiv.org/abs/1605.07146, with the conventions of the attention
transfer authors' code (initialisation, shortcuts, where groups are read).
"""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank
from at_jax.models.layers import batch_norm, conv, head


class Block(nn.Module):
  """Pre-activation block: two 3x3 convolutions; returns the raw sum."""

  features: int
  stride: int
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    active = nn.relu(norm(name='bn0')(x))
    y = conv(self.features, 3, self.stride, dtype=self.dtype, name='conv0')(
      active
    )
    y = nn.relu(norm(name='bn1')(y))
    y = conv(self.features, 3, 1, dtype=self.dtype, name='conv1')(y)
    if x.shape[-1] == self.features:
      return y + x  # the raw input, not the activated one
    shortcut = conv(self.features, 1, 1, dtype=self.dtype, name='convdim')
    # A slice and a dense 1x1 convolution: on CPUs XLA's gradients of strided
    # ones are slow.
    return y + shortcut(active[:, :: self.stride, :: self.stride])


class WRN(nn.Module):
  """WRN-depth-width.

  Endpoints, raw residual sums before the next batch norm and ReLU (signed),
  for a 32x32 input and width k:
    `group1` [B, 32, 32, 16k], `group2` [B, 16, 16, 32k], `group3`
    [B, 8, 8, 64k]; `group1/block1` ... the sum after every block, of which the
    group's is the last.

  Attributes:
    depth: 6n + 4, for n blocks in each of the three groups.
    width: k, may be fractional: channels are truncated to integers.
    num_classes: number of logits.
    dtype: of the activations; parameters and statistics stay float32.
  """

  depth: int = 16
  width: float = 1
  num_classes: int = 10
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    if self.depth < 10 or (self.depth - 4) % 6:
      raise ValueError(
        f'A WRN has depth 6n + 4 (10, 16, 22, 28, 34, 40, ...), got '
        f'{self.depth}.'
      )
    if int(16 * self.width) < 1:
      raise ValueError(
        f'A WRN has width >= 1/16 (one channel), got {self.width}.'
      )
    check_rank('WRN', images, '[B, H, W, C]')
    blocks = (self.depth - 4) // 6
    x = conv(16, 3, 1, dtype=self.dtype, name='conv0')(images)
    endpoints = {}
    for group, (base, stride) in enumerate(((16, 1), (32, 2), (64, 2)), 1):
      for block in range(1, blocks + 1):
        x = Block(
          int(base * self.width),
          stride if block == 1 else 1,
          self.dtype,
          name=f'group{group}_block{block}',
        )(x, train=train)
        endpoints[f'group{group}/block{block}'] = x
      endpoints[f'group{group}'] = x
    x = batch_norm(use_running_average=not train, dtype=self.dtype, name='bn')(
      x
    )
    x = jnp.mean(nn.relu(x), axis=(1, 2))
    logits = head(self.num_classes, dtype=self.dtype)(x)
    return logits, endpoints

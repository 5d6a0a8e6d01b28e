"""Residual networks for large images, pre-activation form.

Source: He, Zhang, Ren and Sun, Identity Mappings in Deep Residual Networks,
ECCV 2016, https://arxiv.org/abs/1603.05027, as in fb.resnet.torch; the
ResNet-18 with attention transfer that its authors published has this form.
"""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank, unknown
from at_jax.models.layers import batch_norm_from_1 as batch_norm
from at_jax.models.resnet import Stem, conv, head


class Block(nn.Module):
  """Batch norm and ReLU before each of two 3x3 convolutions; the raw sum.

  Attributes:
    features: channels.
    stride: of the first convolution.
    active: whether the input comes activated, as it does from the stem.
    dtype: of the activations.
  """

  features: int
  stride: int
  active: bool
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    conv3 = functools.partial(conv, self.features, 3, dtype=self.dtype)
    active = x if self.active else nn.relu(norm(name='bn0')(x))
    y = conv3(self.stride, name='conv0')(active)
    y = conv3(1, name='conv1')(nn.relu(norm(name='bn1')(y)))
    if x.shape == y.shape:
      return y + x  # the raw input, not the activated one
    project = conv(self.features, 1, 1, dtype=self.dtype, name='convdim')
    return y + project(active[:, :: self.stride, :: self.stride])


DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class PreactResNet(nn.Module):
  """ResNet-18 or 34 with pre-activation blocks.

  Endpoints, raw residual sums before the next batch norm and ReLU (signed), for
  a 224x224 input:
    `group1` [B, 56, 56, 64], `group2` [B, 28, 28, 128], `group3`
    [B, 14, 14, 256], `group4` [B, 7, 7, 512]; `group1/block1` ... the sum after
    every block, of which the group's is the last.

  Attributes:
    depth: 18 or 34.
    num_classes: number of logits.
    dtype: of the activations; parameters and statistics stay float32.
  """

  depth: int = 18
  num_classes: int = 1000
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    if self.depth not in DEPTHS:
      what = 'depth of a pre-activation ResNet'
      raise ValueError(unknown(what, self.depth, DEPTHS))
    check_rank('PreactResNet', images, '[B, H, W, C]')
    x = Stem(self.dtype, name='stem')(images, train=train)
    endpoints = {}
    for group, blocks in enumerate(DEPTHS[self.depth], 1):
      for i in range(1, blocks + 1):
        x = Block(
          32 * 2**group,
          2 if i == 1 < group else 1,
          group == i == 1,
          self.dtype,
          name=f'group{group}_block{i}',
        )(x, train=train)
        endpoints[f'group{group}/block{i}'] = x
      endpoints[f'group{group}'] = x
    x = batch_norm(use_running_average=not train, dtype=self.dtype, name='bn')(
      x
    )
    x = jnp.mean(nn.relu(x), axis=(1, 2))
    return head(self.num_classes, dtype=self.dtype)(x), endpoints

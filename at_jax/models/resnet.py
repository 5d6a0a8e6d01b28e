"""Residual networks for large images, in torchvision's layout.

Source: He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition,
CVPR 2016, https://arxiv.org/abs/1512.03385, Table 1, with shortcuts of its
option B. As in torchvision, fb.resnet.torch and the published weights, the
stride of a bottleneck is in its 3x3 convolution, not in the first 1x1.
"""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank, unknown
from at_jax.models import layers
from at_jax.models.layers import batch_norm_from_1 as batch_norm
from at_jax.models.layers import max_pool_after_relu

# torchvision's: the variance of what comes back is kept, not of what goes in.
conv = functools.partial(
  layers.conv,
  kernel_init=nn.initializers.variance_scaling(2.0, 'fan_out', 'normal'),
)


head = functools.partial(
  layers.head,
  kernel_init=nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform'),
)


class Stem(nn.Module):
  """To a quarter of the size, 64 channels."""

  dtype: Any

  @nn.compact
  def __call__(self, images, *, train):
    x = conv(64, 7, 2, dtype=self.dtype, name='conv0')(images)
    norm = batch_norm(
      use_running_average=not train, dtype=self.dtype, name='bn0'
    )
    return max_pool_after_relu(nn.relu(norm(x)))


class BasicBlock(nn.Module):
  """Two 3x3 convolutions plus the shortcut; the ReLU comes after the sum."""

  features: int
  stride: int
  dtype: Any

  expansion = 1

  @nn.compact
  def __call__(self, x, *, train):
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    conv3 = functools.partial(conv, self.features, 3, dtype=self.dtype)
    y = nn.relu(norm(name='bn0')(conv3(self.stride, name='conv0')(x)))
    y = norm(name='bn1')(conv3(1, name='conv1')(y))
    return nn.relu(y + _shortcut(x, y, self.stride, norm, self.dtype))


class Bottleneck(nn.Module):
  """1x1, 3x3 with the stride, and 1x1 to four times the channels."""

  features: int
  stride: int
  dtype: Any

  expansion = 4

  @nn.compact
  def __call__(self, x, *, train):
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    any_conv = functools.partial(conv, dtype=self.dtype)
    y = any_conv(self.features, 1, 1, name='conv0')(x)
    y = nn.relu(norm(name='bn0')(y))
    y = any_conv(self.features, 3, self.stride, name='conv1')(y)
    y = nn.relu(norm(name='bn1')(y))
    y = any_conv(self.features * self.expansion, 1, 1, name='conv2')(y)
    y = norm(name='bn2')(y)
    return nn.relu(y + _shortcut(x, y, self.stride, norm, self.dtype))


def _shortcut(x, y, stride, norm, dtype):
  """x, or its projection where the block changes shape; in the block's scope.

  A slice and a dense 1x1 convolution: on CPUs XLA's gradients of strided ones
  are slow.
  """
  if stride == 1 and x.shape[-1] == y.shape[-1]:
    return x
  project = conv(y.shape[-1], 1, 1, dtype=dtype, name='convdim')
  return norm(name='bndim')(project(x[:, ::stride, ::stride]))


DEPTHS = {
  18: (BasicBlock, (2, 2, 2, 2)),
  34: (BasicBlock, (3, 4, 6, 3)),
  50: (Bottleneck, (3, 4, 6, 3)),
  101: (Bottleneck, (3, 4, 23, 3)),
  152: (Bottleneck, (3, 8, 36, 3)),
}


class ResNet(nn.Module):
  """ResNet-18, 34, 50, 101 or 152.

  Endpoints, after the ReLU that follows the sum, for a 224x224 input; four
  times the channels from ResNet-50 on:
    `group1` [B, 56, 56, 64], `group2` [B, 28, 28, 128], `group3`
    [B, 14, 14, 256], `group4` [B, 7, 7, 512]; `group1/block1` ... the output of
    every block, of which the group's is the last.

  Attributes:
    depth: a key of `DEPTHS`.
    num_classes: number of logits.
    dtype: of the activations; parameters and statistics stay float32.
  """

  depth: int = 18
  num_classes: int = 1000
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    if self.depth not in DEPTHS:
      raise ValueError(unknown('depth of a ResNet', self.depth, DEPTHS))
    block, sizes = DEPTHS[self.depth]
    check_rank('ResNet', images, '[B, H, W, C]')
    x = Stem(self.dtype, name='stem')(images, train=train)
    endpoints = {}
    for group, blocks in enumerate(sizes, 1):
      for i in range(1, blocks + 1):
        x = block(
          32 * 2**group,
          2 if i == 1 < group else 1,
          self.dtype,
          name=f'group{group}_block{i}',
        )(x, train=train)
        endpoints[f'group{group}/block{i}'] = x
      endpoints[f'group{group}'] = x
    x = jnp.mean(x, axis=(1, 2))
    return head(self.num_classes, dtype=self.dtype)(x), endpoints

"""Residual networks for CIFAR.

Source: He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition,
CVPR 2016, https://arxiv.org/abs/1512.03385, section 4.2, with shortcuts of its
option A: nothing in them is learned.
"""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank
from at_jax.models import layers
from at_jax.models.layers import batch_norm_from_1 as batch_norm


class Block(nn.Module):
  """Two 3x3 convolutions plus the shortcut; the ReLU comes after the sum."""

  features: int
  stride: int
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    conv = functools.partial(layers.conv, self.features, 3, dtype=self.dtype)
    y = nn.relu(norm(name='bn0')(conv(self.stride, name='conv0')(x)))
    y = norm(name='bn1')(conv(1, name='conv1')(y))
    return nn.relu(y + shortcut(x, self.features, self.stride))


def shortcut(x, features, stride):
  """Option A: pixels 0, stride, ...; zeros for the channels that are new.

  The zeros follow the old channels, as in fb.resnet.torch. Some ports put half
  of them before: the same up to the order of channels, but weights of the one
  do not run in the other.
  """
  x = x[:, ::stride, ::stride]
  return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, features - x.shape[-1])))


class CifarResNet(nn.Module):
  """ResNet-20, 32, 44, 56 or 110 for small images.

  Endpoints, after the ReLU that follows the sum, for a 32x32 input:
    `group1` [B, 32, 32, 16], `group2` [B, 16, 16, 32], `group3` [B, 8, 8, 64];
    `group1/block1` ... the output of every block, of which the group's is the
    last.

  Attributes:
    depth: 6n + 2, for n blocks in each of the three groups.
    num_classes: number of logits.
    dtype: of the activations; parameters and statistics stay float32.
  """

  depth: int = 20
  num_classes: int = 10
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    if self.depth < 8 or (self.depth - 2) % 6:
      raise ValueError(
        'A ResNet for CIFAR has depth 6n + 2 (20, 32, 44, 56, 110, ...), got '
        f'{self.depth}.'
      )
    check_rank('CifarResNet', images, '[B, H, W, C]')
    x = layers.conv(16, 3, 1, dtype=self.dtype, name='conv0')(images)
    x = nn.relu(
      batch_norm(use_running_average=not train, dtype=self.dtype, name='bn0')(x)
    )
    endpoints = {}
    for group, (features, stride) in enumerate(((16, 1), (32, 2), (64, 2)), 1):
      for block in range(1, (self.depth - 2) // 6 + 1):
        x = Block(
          features,
          stride if block == 1 else 1,
          self.dtype,
          name=f'group{group}_block{block}',
        )(x, train=train)
        endpoints[f'group{group}/block{block}'] = x
      endpoints[f'group{group}'] = x
    x = jnp.mean(x, axis=(1, 2))
    return layers.head(self.num_classes, dtype=self.dtype)(x), endpoints

"""Densely connected networks for large images, in torchvision's layout.

Source: Huang, Liu, van der Maaten and Weinberger, Densely Connected
Convolutional Networks, CVPR 2017, https://arxiv.org/abs/1608.06993, Table 1
(DenseNet-BC). As in torchvision and the published weights there is no dropout.
"""

import functools
import itertools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank
from at_jax.models.layers import batch_norm_from_1 as batch_norm
from at_jax.models.layers import conv, max_pool_after_relu
from at_jax.models.resnet import head


class Stem(nn.Module):
  """To a quarter of the size: 7x7 convolution, batch norm, ReLU, max pool."""

  features: int
  dtype: Any

  @nn.compact
  def __call__(self, images, *, train):
    x = conv(self.features, 7, 2, dtype=self.dtype, name='conv0')(images)
    norm = batch_norm(
      use_running_average=not train, dtype=self.dtype, name='bn0'
    )
    return max_pool_after_relu(nn.relu(norm(x)))


class DenseLayer(nn.Module):
  """The input, and `growth` channels made of it by a 1x1 and a 3x3 convolution.

  Batch norm and ReLU come before each convolution; the first has four times as
  many channels as the second.
  """

  growth: int
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    convolve = functools.partial(conv, dtype=self.dtype)
    y = nn.relu(norm(name='bn0')(x))
    y = convolve(4 * self.growth, 1, 1, name='conv0')(y)
    y = nn.relu(norm(name='bn1')(y))
    y = convolve(self.growth, 3, 1, name='conv1')(y)
    return jnp.concatenate([x, y], axis=-1)


class Transition(nn.Module):
  """Batch norm, ReLU, 1x1 convolution to half of the channels, average pool.

  Returns (output, what the convolution gets).
  """

  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    norm = batch_norm(
      use_running_average=not train, dtype=self.dtype, name='bn0'
    )
    active = nn.relu(norm(x))
    half = conv(x.shape[-1] // 2, 1, 1, dtype=self.dtype, name='conv0')
    return average_pool(half(active)), active


def average_pool(x):
  """2x2 averages with stride 2; an odd last row or column is left out."""
  batch, height, width, channels = x.shape
  rows, columns = height // 2, width // 2
  x = x[:, : 2 * rows, : 2 * columns]
  return x.reshape(batch, rows, 2, columns, 2, channels).mean((2, 4))


def sides_of_groups(side, groups):
  """Sides of the groups' maps, for images of a side."""
  quarter = -(-side // 4)  # stem: half, rounded up, twice
  return [quarter // 2**i for i in range(groups)]


class DenseNet(nn.Module):
  """DenseNet-121; by other arguments, the other DenseNets-BC.

  A stem, and groups (the paper's dense blocks) of layers each of which appends
  its channels to its input, with a transition to half of the channels and half
  of the size between two groups.

  Endpoints of DenseNet-121, for a 224x224 input:
    `group1` [B, 56, 56, 256], `group2` [B, 28, 28, 512], `group3`
    [B, 14, 14, 1024], `group4` [B, 7, 7, 1024]: what the group returns, its
    channels as their convolutions made them (signed, not normalised).
    `active/group1` ... of the same shapes: after the batch norm and ReLU of the
    transition that follows, or, of the last group, of those before the head.

  Attributes:
    blocks: number of layers of each group.
    growth: channels that a layer appends.
    width: channels of the stem.
    num_classes: number of logits; 0 for a backbone without head, which returns
      the pooled features `[B, 1024]` instead.
    dtype: of the activations; parameters and statistics stay float32.
  """

  blocks: tuple[int, ...] = (6, 12, 24, 16)
  growth: int = 32
  width: int = 64
  num_classes: int = 1000
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    check_rank('DenseNet', images, '[B, H, W, C]')
    self._check(images.shape[1:3])
    x = Stem(self.width, self.dtype, name='stem')(images, train=train)
    endpoints = {}
    for group, layers in enumerate(self.blocks, 1):
      for i in range(1, layers + 1):
        x = DenseLayer(self.growth, self.dtype, name=f'group{group}_block{i}')(
          x, train=train
        )
      endpoints[f'group{group}'] = x
      if group < len(self.blocks):
        x, active = Transition(self.dtype, name=f'transition{group}')(
          x, train=train
        )
      else:
        norm = batch_norm(
          use_running_average=not train, dtype=self.dtype, name='bn'
        )
        x = active = nn.relu(norm(x))
      endpoints[f'active/group{group}'] = active
    x = jnp.mean(x, axis=(1, 2))
    if self.num_classes:
      x = head(self.num_classes, dtype=self.dtype)(x)
    return x, endpoints

  def _check(self, size):
    """Raises ValueError on bad numbers, or where a pool would get nothing."""
    counts = (*self.blocks, self.growth, self.width)
    whole = all(isinstance(count, int) and count >= 1 for count in counts)
    if not self.blocks or not whole:
      raise ValueError(
        'A DenseNet wants at least one layer in each of its blocks, growth and '
        f'width >= 1, got blocks={self.blocks}, growth={self.growth}, '
        f'width={self.width}.'
      )

    def fits(side):
      return sides_of_groups(side, len(self.blocks))[-1] > 0

    if not all(map(fits, size)):
      smallest = next(filter(fits, itertools.count(1)))
      raise ValueError(
        f'Images of {size[0]}x{size[1]} pixels are too small for this DenseNet,'
        f' which halves them: it takes {smallest}x{smallest} or more.'
      )

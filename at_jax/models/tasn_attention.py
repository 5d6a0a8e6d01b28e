"""The attention network of TASN: a ResNet of high resolution, dilated twice.

Source: Zheng, Fu, Zha and Luo, Looking for the Devil in the Details: Learning
Trilinear Attention Sampling Network for Fine-grained Image Recognition (TASN),
CVPR 2019, https://arxiv.org/abs/1903.06150, and its authors' code,
https://github.com/researchmm/tasn.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from at_jax._arrays import unknown
from at_jax.models.layers import batch_norm_from_1 as batch_norm
from at_jax.models.layers import conv, head, kaiming_normal
from at_jax.models.resnet import BasicBlock, Stem

STEMS = ('imagenet', 'small')
STRIDES = (1, 1, 2, 1)  # of the groups; a ResNet's are 1, 2, 2, 2


class SmallStem(nn.Module):
  """A 3x3 convolution that keeps the size, for small images."""

  features: int
  dtype: Any

  @nn.compact
  def __call__(self, images, *, train):
    x = conv(self.features, 3, 1, dtype=self.dtype, name='conv0')(images)
    norm = batch_norm(
      use_running_average=not train, dtype=self.dtype, name='bn0'
    )
    return nn.relu(norm(x))


class Trunk(nn.Module):
  """A ResNet of basic blocks, without a head; two of its strides are 1.

  Parameters have the names of `resnet18`: `start = {'attention/trunk': folder}`
  begins with its weights.

  Attributes:
    stem: `imagenet` (to a quarter of the size, 64 channels) or `small`.
    width: channels of the first group; 64 in `resnet18`.
    blocks: in each group.
    dtype: of the activations.
  """

  stem: str
  width: int
  blocks: tuple[int, ...]
  dtype: Any

  @nn.compact
  def __call__(self, images, *, train):
    if self.stem not in STEMS:
      raise ValueError(unknown("stem of TASN's attention", self.stem, STEMS))
    if self.stem == 'imagenet':
      stem = Stem(self.dtype, name='stem')
    else:
      stem = SmallStem(self.width, self.dtype, name='stem')
    x = stem(images, train=train)
    groups = zip(self.blocks, STRIDES, strict=False)
    for group, (blocks, stride) in enumerate(groups, 1):
      for i in range(1, blocks + 1):
        x = BasicBlock(
          self.width * 2 ** (group - 1),
          stride if i == 1 else 1,
          self.dtype,
          name=f'group{group}_block{i}',
        )(x, train=train)
    return x


class Dilated(nn.Module):
  """Sum over dilations of ReLU(3x3 convolution), with one kernel for all.

  Attributes:
    dilations: distances between the rows that a kernel reads.
    dtype: of the activations.
  """

  dilations: tuple[int, ...]
  dtype: Any

  @nn.compact
  def __call__(self, x):
    features = x.shape[-1]
    shape = (3, 3, features, features)
    kernel = self.param('kernel', kaiming_normal, shape, jnp.float32)
    bias = self.param('bias', nn.initializers.zeros, (features,), jnp.float32)
    x, kernel, bias = (y.astype(self.dtype) for y in (x, kernel, bias))

    def convolve(dilation):
      y = jax.lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(1, 1),
        padding=[(dilation, dilation)] * 2,
        rhs_dilation=(dilation, dilation),
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      )
      return nn.relu(y + bias[None, None, None])

    return sum(map(convolve, self.dilations))


class AttentionNetwork(nn.Module):
  """(features X >= 0 for trilinear attention, logits of its own classifier).

  U = sum over dilations 1, 2 of ReLU(W1 * trunk); X = sum over dilations 1, 2,
  3 of ReLU(W2 * U). The classifier, batch norm, ReLU, mean over positions and a
  dense layer, is all that teaches this network: nothing comes back through the
  sampler.

  Attributes:
    stem, width, blocks: see `Trunk`.
    num_classes: number of logits.
    dtype: of the activations.
  """

  stem: str
  width: int
  blocks: tuple[int, ...]
  num_classes: int
  dtype: Any

  @nn.compact
  def __call__(self, images, *, train):
    x = Trunk(self.stem, self.width, self.blocks, self.dtype, name='trunk')(
      images, train=train
    )
    x = Dilated((1, 2), self.dtype, name='dilated0')(x)
    x = Dilated((1, 2, 3), self.dtype, name='dilated1')(x)
    norm = batch_norm(
      use_running_average=not train, dtype=self.dtype, name='bn'
    )
    pooled = jnp.mean(nn.relu(norm(x)), axis=(1, 2))
    return x, head(self.num_classes, dtype=self.dtype)(pooled)


def distinct_channels(key, sums):
  """A channel for each image, each value of its sum having the same chance.

  Args:
    key: of the draw.
    sums: of the channels' maps, `[B, C]`.

  Returns:
    int32 `[B]`; of channels of one sum the one that a stable sort puts first.
  """
  order = jnp.argsort(sums, axis=1)
  ordered = jnp.take_along_axis(sums, order, axis=1)
  first = jnp.ones_like(ordered, bool)
  first = first.at[:, 1:].set(ordered[:, 1:] != ordered[:, :-1])
  place = jax.random.categorical(key, jnp.where(first, 0.0, -jnp.inf))
  return jnp.take_along_axis(order, place[:, None], axis=1)[:, 0]

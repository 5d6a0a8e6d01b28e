"""Parts of residual attention networks: units, soft masks, attention modules.

Source: Wang et al., Residual Attention Network for Image Classification, CVPR
2017, https://arxiv.org/abs/1704.06904, sections 3.1 to 3.3, and what its
authors' Caffe networks say beyond it: batch norm and ReLU in the mask's head,
one unit in a skip, p units after a module, edges of pools and interpolation.
"""

import functools
from typing import Any

import flax.linen as nn

from at_jax._arrays import unknown
from at_jax.gates import attention_gate
from at_jax.models.layers import batch_norm_from_1 as batch_norm
from at_jax.models.layers import conv
from at_jax.resize import max_pool_ceil, resize_align_corners

MASKS = ('encoder_decoder', 'local', 'none')
GROUPS = 32  # of the 3x3 convolution in a ResNeXt unit
LOCAL_UNITS = 3  # of a mask without pooling, Table 4


class Unit(nn.Module):
  """A pre-activation bottleneck: 1x1, 3x3 with the stride, 1x1; the raw sum.

  Attributes:
    features: channels of the sum, four times those of the bottleneck.
    stride: of the 3x3 convolution.
    dtype: of the activations.
  """

  features: int
  stride: int
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    convolve = functools.partial(conv, dtype=self.dtype)
    active = nn.relu(norm(name='bn0')(x))
    y = convolve(self.features // 4, 1, 1, name='conv0')(active)
    y = nn.relu(norm(name='bn1')(y))
    y = convolve(self.features // 4, 3, self.stride, name='conv1')(y)
    y = nn.relu(norm(name='bn2')(y))
    y = convolve(self.features, 1, 1, name='conv2')(y)
    if x.shape == y.shape:
      return y + x  # the raw input, not the activated one
    project = convolve(self.features, 1, 1, name='convdim')
    # A slice and a dense 1x1 convolution: on CPUs XLA's gradients of strided
    # ones are slow.
    return y + project(active[:, :: self.stride, :: self.stride])


class NextUnit(nn.Module):
  """A ResNeXt bottleneck, 32 groups; batch norm first, ReLU after the sum.

  Attributes:
    features: channels of the sum, twice those of the bottleneck.
    stride: of the 3x3 convolution.
    dtype: of the activations.
  """

  features: int
  stride: int
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    convolve = functools.partial(conv, dtype=self.dtype)
    half = self.features // 2
    y = nn.relu(norm(name='bn0')(convolve(half, 1, 1, name='conv0')(x)))
    y = convolve(
      half, 3, self.stride, feature_group_count=GROUPS, name='conv1'
    )(y)
    y = nn.relu(norm(name='bn1')(y))
    y = norm(name='bn2')(convolve(self.features, 1, 1, name='conv2')(y))
    if x.shape != y.shape:
      project = convolve(self.features, 1, 1, name='convdim')
      x = norm(name='bndim')(project(x[:, :: self.stride, :: self.stride]))
    return nn.relu(y + x)


UNITS = {'preact': Unit, 'next': NextUnit}


class Mask(nn.Module):
  """The soft mask branch: units, then a head of two 1x1 convolutions, a gate.

  `encoder_decoder`: `pools` times a 3x3 max pool of stride 2 and r units (2r at
  the bottom), then as often an interpolation to the size of the level above,
  the only addition there being that level through one unit, and r units. With
  no pool the 2r units of the bottom stand alone. `local`: three units at full
  size.

  Attributes:
    unit: a key of `UNITS`.
    kind: one of `MASKS`, but not `none`.
    pools: how often the encoder halves its input.
    r: units between two changes of size.
    gate: see `attention_gate`.
    dtype: of the activations.
  """

  unit: str
  kind: str
  pools: int
  r: int
  gate: str
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    features = x.shape[-1]
    units = functools.partial(run_units, self.unit, self.dtype, train)
    if self.kind == 'encoder_decoder':
      y = self._encode_decode(x, units)
    elif self.kind == 'local':
      y = units(x, LOCAL_UNITS, 'local')
    else:
      raise ValueError(unknown('mask structure', self.kind, MASKS))
    norm = functools.partial(
      batch_norm, use_running_average=not train, dtype=self.dtype
    )
    if self.unit == 'preact':  # a sum of ResNeXt units is activated already
      y = nn.relu(norm(name='bn0')(y))
    y = conv(features, 1, 1, dtype=self.dtype, name='conv0')(y)
    y = nn.relu(norm(name='bn1')(y))
    y = conv(features, 1, 1, dtype=self.dtype, name='conv1')(y)
    return attention_gate(y, kind=self.gate)

  def _encode_decode(self, x, units):
    y, levels = x, [x]
    for level in range(1, self.pools):
      y = units(max_pool_ceil(y), self.r, f'down{level}')
      levels.append(y)
    y = max_pool_ceil(y) if self.pools else y
    y = units(y, 2 * self.r, 'bottom')
    for level in reversed(range(1, self.pools)):
      y = resize_align_corners(y, levels[level].shape[1:3])
      y = y + units(levels[level], 1, f'skip{level}')
      y = units(y, self.r, f'up{level}')
    return resize_align_corners(y, x.shape[1:3])


class AttentionModule(nn.Module):
  """p units, a trunk of t units times its mask, and p units again.

  Returns (output, parts): `split` a, the input of both branches; `trunk` T;
  `mask` M; `fused` H, which is (1 + M) T with `residual` and M T without. With
  the kind `none` there is no M, and H is T.

  Attributes:
    p: units before the branches part, and again after they join.
    t: units of the trunk.
    residual: attention residual learning (true) or naive (false).
    unit, kind, pools, r, gate, dtype: see `Mask`.
  """

  p: int
  t: int
  residual: bool
  unit: str
  kind: str
  pools: int
  r: int
  gate: str
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    units = functools.partial(run_units, self.unit, self.dtype, train)
    split = units(x, self.p, 'before')
    trunk = units(split, self.t, 'trunk')
    if self.kind == 'none':
      parts = dict(split=split, trunk=trunk, fused=trunk)
      return units(trunk, self.p, 'after'), parts
    mask = Mask(
      self.unit,
      self.kind,
      self.pools,
      self.r,
      self.gate,
      self.dtype,
      name='mask',
    )(split, train=train)
    fused = (1 + mask) * trunk if self.residual else mask * trunk
    parts = dict(split=split, trunk=trunk, mask=mask, fused=fused)
    return units(fused, self.p, 'after'), parts


def activated(variables, place, fused, unit):
  """What the unit after a module makes of H first: batch norm and ReLU.

  With running statistics. Of ResNeXt units, which begin with a convolution, the
  ReLU alone.

  Args:
    variables: of the network, `params` and `batch_stats`.
    place: of the module, `group1/module1`.
    fused: H, `[B, H, W, C]`.
    unit: a key of `UNITS`.
  """
  if unit != 'preact':
    return nn.relu(fused)
  path = (place.replace('/', '_'), 'after_unit1', 'bn0')
  own = {
    kind: functools.reduce(lambda tree, name: tree[name], path, variables[kind])
    for kind in ('params', 'batch_stats')
  }
  return nn.relu(batch_norm(use_running_average=True).apply(own, fused))


def run_units(unit, dtype, train, x, count, name):
  """`count` units that keep the shape of `x`, in the scope of the caller."""
  for i in range(1, count + 1):
    x = UNITS[unit](x.shape[-1], 1, dtype, name=f'{name}_unit{i}')(
      x, train=train
    )
  return x

"""What residual attention networks share: stages, endpoints, checks.

Source: Wang et al., Residual Attention Network for Image Classification, CVPR
2017, https://arxiv.org/abs/1704.06904. See `ran.py` for the networks.
"""

import itertools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank, unknown
from at_jax.gates import GATES
from at_jax.models.layers import batch_norm_from_1 as batch_norm
from at_jax.models.layers import conv, head
from at_jax.models.ran_modules import (
  GROUPS,
  MASKS,
  UNITS,
  AttentionModule,
  run_units,
)


class RAN(nn.Module):
  """What the residual attention networks share; see ran.py for those.

  A stage is a unit that changes the number of channels (and, but for the first,
  halves the size), its attention modules, and `closing` units. After the last
  stage there may be three units of twice its channels. Batch norm and ReLU
  (after ResNeXt units: neither), global average, logits.

  Endpoints, for stage g and module i of it, both counted from 1:
    `group<g>` what the stage returns, `group<g>/module<i>` what the module
    returns; `split/group<g>/module<i>` a, the input of both branches,
    `trunk/group<g>/module<i>` T, `mask/group<g>/module<i>` the mask M and
    `fused/group<g>/module<i>` H = (1 + M) T, or M T without `residual`; these
    five have one shape. T and H are sums before batch norm and ReLU (signed),
    but for ResNeXt units, whose ReLU comes after the sum.

  Attributes:
    modules: attention modules of each stage, a number for all or one for each.
    p: units before a mask branches off, and again after it has come back.
    t: units of the trunk beside a mask.
    r: units of a mask between two changes of size.
    gate: `mixed`, `channel` or `spatial`, see `at_jax.attention_gate`.
    residual: attention residual learning, H = (1 + M) T; false: naive, H = M T.
    mask: `encoder_decoder`, or `local`: three units without pooling, Table 4;
      `none`: H = T, and no endpoints `mask/…`.
    width: channels of the first stage, four times those of the stem.
    num_classes: number of logits.
    dtype: of the activations; parameters and statistics stay float32.
  """

  modules: int | tuple[int, ...] = 1
  p: int = 1
  t: int = 2
  r: int = 1
  gate: str = 'mixed'
  residual: bool = True
  mask: str = 'encoder_decoder'
  width: int = 64
  num_classes: int = 10
  dtype: Any = jnp.float32

  unit = 'preact'
  pools = (3, 2, 1)  # of the masks, stage by stage
  closing = 0
  last = 0  # the stride of the first of three last units; 0 for none

  @nn.compact
  def __call__(self, images, *, train):
    counts = self._checked(images)
    x = self.stem(images, train)
    endpoints = {}
    stages = zip(counts, self.pools, strict=True)
    for group, (modules, pools) in enumerate(stages, 1):
      features = self.width * 2 ** (group - 1)
      x = self._wider(x, features, 1 if group == 1 else 2, group, train)
      for i in range(1, modules + 1):
        x, parts = AttentionModule(
          self.p,
          self.t,
          self.residual,
          self.unit,
          self.mask,
          pools,
          self.r,
          self.gate,
          self.dtype,
          name=f'group{group}_module{i}',
        )(x, train=train)
        place = f'group{group}/module{i}'
        endpoints[place] = x
        endpoints |= {f'{part}/{place}': y for part, y in parts.items()}
      x = self._units(x, self.closing, group, train)
      endpoints[f'group{group}'] = x
    if self.last:
      group += 1
      x = self._wider(x, 2 * features, self.last, group, train)
      x = endpoints[f'group{group}'] = self._units(x, 2, group, train)
    if self.unit == 'preact':
      x = nn.relu(self.norm('bn', train)(x))
    x = jnp.mean(x, axis=(1, 2))
    return head(self.num_classes, dtype=self.dtype)(x), endpoints

  def _wider(self, x, features, stride, group, train):
    unit = UNITS[self.unit]
    name = f'group{group}_wider'
    return unit(features, stride, self.dtype, name=name)(x, train=train)

  def _units(self, x, count, group, train):
    return run_units(self.unit, self.dtype, train, x, count, f'group{group}')

  def norm(self, name, train):
    return batch_norm(
      use_running_average=not train, dtype=self.dtype, name=name
    )

  def stem(self, images, train):
    return conv(self.width // 4, 3, 1, dtype=self.dtype, name='conv0')(images)

  def first_side(self, side):
    """The side of the first stage, for images of a side; 0 if too small."""
    return side

  def _checked(self, images):
    """Raises ValueError on bad arguments; modules of each stage."""
    check_rank(type(self).__name__, images, '[B, H, W, C]')
    if self.gate not in GATES:
      raise ValueError(unknown('kind of attention gate', self.gate, GATES))
    if self.mask not in MASKS:
      raise ValueError(unknown('mask structure', self.mask, MASKS))
    counts = self.modules
    if not isinstance(counts, tuple):
      counts = (counts,) * len(self.pools)
    if len(counts) != len(self.pools):
      raise ValueError(
        f'A residual attention network has {len(self.pools)} stages: modules '
        f'is one number or {len(self.pools)}, got {self.modules!r}.'
      )
    numbers = dict(p=(self.p,), t=(self.t,), r=(self.r,), modules=counts)
    for name, values in numbers.items():
      if not all(isinstance(value, int) and value >= 1 for value in values):
        raise ValueError(
          f'The smallest {name} of a residual attention network that works is '
          f'1, got {getattr(self, name)!r}.'
        )
    step = 4 if self.unit == 'preact' else 2 * GROUPS
    if self.width < step or self.width % step:
      raise ValueError(
        f'The width of this residual attention network is a multiple of '
        f'{step}, got {self.width}.'
      )
    self._check_size(images.shape[1:3])
    return counts

  def _check_size(self, size):
    """Raises ValueError where a pool would get a single pixel."""
    if not all(map(self._fits, size)):
      smallest = next(filter(self._fits, itertools.count(1)))
      raise ValueError(
        f'Images of {size[0]}x{size[1]} pixels are too small for the pools of '
        f'this residual attention network: it takes {smallest}x{smallest} or '
        'more.'
      )

  def _fits(self, side):
    side = self.first_side(side)
    for pools in self.pools:
      if side < (2**pools if self.mask == 'encoder_decoder' else 1):
        return False
      side = (side + 1) // 2
    return True

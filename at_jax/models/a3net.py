"""A3Net: triple attention on a DenseNet-121, for many labels at once.

Source: Wang et al., Triple attention learning for classification of 14 thoracic
diseases using chest radiography, Medical Image Analysis 67, 2021,
https://doi.org/10.1016/j.media.2020.101846; `attention_modules.py` says what of
it we know.
"""

import itertools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank, unknown
from at_jax.models import triple_attention
from at_jax.models.attention_modules import POSITIONS
from at_jax.models.densenet import DenseNet, sides_of_groups
from at_jax.models.layers import conv
from at_jax.models.triple_attention import TripleAttention

FUSIONS = (*triple_attention.FUSIONS, 'concat_gap')


class A3Net(nn.Module):
  """A DenseNet-121 with attention over what some of its groups return.

  Logits are for labels that do not exclude each other: a sigmoid of each, no
  softmax. The groups are tapped after batch norm and ReLU (`active/group<g>` of
  `DenseNet`), the attention stands beside the backbone, which it does not
  change: `start = {'backbone': folder}` begins with the weights of a
  DenseNet-121. All its groups are there whatever is tapped.

  Endpoints: those of `DenseNet`, and of `TripleAttention` by the names of the
  groups; for a 224x224 input and the defaults, with D of 512 for group 2 and
  1024 for groups 3 and 4, and a side n of 28, 14 and 7:
    `gate/group2` [B, D], `gated/group2` [B, n, n, D]; `attention/group2`,
    `scores/group2`, `weighted/group2` [B, n, n, 14]; `score/group2` [B, 14],
    the logits of an auxiliary loss; those of groups 3 and 4; `scale`
    [B, 3, 14], `fused` [B, 7, 7, 14].

  Documented: the backbone and that weights pre-trained on ImageNet begin it,
  the three attentions, what of them the modules say. Our definition: the taps,
  batch norm and ReLU before them, how scales and logits are made of the maps.

  Attributes:
    taps: groups with attention, one or several.
    width, reading, last_bias, channel, element, scale, scale_gate, scale_per,
      grid: see `TripleAttention`.
    fusion: `maps` or `features`, see there; `concat_gap`, from the only public
      code: logits are a dense layer of C pooled maps of the backbone (1x1
      convolution of its last group, ReLU, mean over positions) beside the C
      logits of `maps`.
    blocks, growth: of the backbone, see `DenseNet`.
    stem: channels of the backbone's stem.
    num_classes: number of logits, C.
    dtype: of the activations; parameters and statistics stay float32.
  """

  taps: int | tuple[int, ...] = (2, 3, 4)
  width: int = 512
  reading: str = 'space'
  last_bias: bool = True
  channel: bool = True
  element: bool = True
  scale: bool = True
  fusion: str = 'maps'
  scale_gate: str = 'sigmoid'
  scale_per: str = 'class'
  grid: str = 'coarsest'
  blocks: tuple[int, ...] = (6, 12, 24, 16)
  growth: int = 32
  stem: int = 64
  num_classes: int = 14
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    check_rank('A3Net', images, '[B, H, W, C]')
    taps = self._checked_taps()
    self._check_size(images.shape[1:3], taps)
    _, endpoints = DenseNet(
      self.blocks,
      self.growth,
      self.stem,
      num_classes=0,
      dtype=self.dtype,
      name='backbone',
    )(images, train=train)
    joins = self.fusion != 'concat_gap'
    logits, parts = TripleAttention(
      self.num_classes,
      self.width,
      self.reading,
      self.last_bias,
      self.channel,
      self.element,
      self.scale,
      self.fusion if joins else 'maps',
      self.scale_gate,
      self.scale_per,
      self.grid,
      self.dtype,
      name='attention',
    )({f'group{tap}': endpoints[f'active/group{tap}'] for tap in taps})
    endpoints |= parts
    if joins:
      return logits, endpoints
    last = endpoints[f'active/group{len(self.blocks)}']
    to_maps = conv(
      self.num_classes, 1, 1, use_bias=True, dtype=self.dtype, name='maps'
    )
    pooled = nn.relu(to_maps(last)).mean((1, 2))
    both = jnp.concatenate([pooled, logits], axis=-1)
    head = nn.Dense(self.num_classes, dtype=self.dtype, name='head')
    return head(both), endpoints

  def _checked_taps(self):
    """Raises ValueError on bad arguments; the taps in order."""
    if self.fusion not in FUSIONS:
      raise ValueError(unknown('fusion of A3Net', self.fusion, FUSIONS))
    taps = self.taps if isinstance(self.taps, tuple) else (self.taps,)
    groups = range(1, len(self.blocks) + 1)
    if not taps or len({*taps}) < len(taps) or not {*taps} <= {*groups}:
      raise ValueError(
        'The taps of A3Net are groups of its backbone, one or several of '
        f'{", ".join(map(str, groups))}, each once, got {self.taps!r}.'
      )
    return sorted(taps)

  def _check_size(self, size, taps):
    """Raises ValueError where an attention map would have few positions."""
    if not self.element:
      return
    # Of features, element attention is on the grid that they are brought to.
    finest = self.fusion == 'features' and self.grid == 'finest'
    group = taps[0] if finest else taps[-1]

    def sides(height, width):
      groups = len(self.blocks)
      return [sides_of_groups(n, groups)[group - 1] for n in (height, width)]

    def fits(height, width):
      rows, columns = sides(height, width)
      return rows * columns >= POSITIONS

    if not fits(*size):
      enough = next(n for n in itertools.count(1) if fits(n, n))
      rows, columns = sides(*size)
      raise ValueError(
        f'Images of {size[0]}x{size[1]} pixels leave {rows}x{columns} positions'
        f' in group {group} of A3Net, among which attention has little to '
        f'choose: it wants 4x4. Images of {enough}x{enough} pixels or more '
        'give that, or taps of earlier groups alone.'
      )

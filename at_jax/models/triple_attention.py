"""Triple attention: the three attentions of A3Net joined, for any network.

Source: Wang et al., Triple attention learning for classification of 14 thoracic
diseases using chest radiography (A3Net), Medical Image Analysis 67, 2021,
https://doi.org/10.1016/j.media.2020.101846; `attention_modules.py` says what of
it we know. Axes: B batch, H height, W width, D features, C classes, L scales.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank, unknown
from at_jax.element_attention import READINGS
from at_jax.models.attention_modules import (
  ChannelAttention,
  ElementAttention,
  linear_conv,
)
from at_jax.models.scale_attention import ScaleAttention, stack_scales

FUSIONS = ('maps', 'features')
PROJECTED = 256  # channels of each scale in the fusion of features


class TripleAttention(nn.Module):
  """The three attentions over features of one or more scales, to logits.

  At every scale channel attention, then element attention; scale attention
  joins the weighted maps M of the scales to F. Logits are the pool of F: in
  `space` the sum over positions, in `class` the mean. With that they are sums
  over the scales, each of gate times score.

  Called with a dict {name: features `[B, H, W, D]`}, whose sorted names are the
  order of the scales, returns (logits `[B, C]`, parts), a dict. For each name:
    `gate/<name>` u `[B, D]`, `gated/<name>` u * x; `attention/<name>` A,
    `scores/<name>` S, `weighted/<name>` M, each `[B, H, W, C]`; `score/<name>`
    y `[B, C]`, for an auxiliary loss at each scale;
  and `scale` `[B, L, C]`, the gates, `fused` F `[B, h, w, C]`. What is switched
  off is missing; of one scale F is M, and there are no gates.

  Fusion `features`: the gated features u * x, projected to 256 channels a
  scale, are weighed by scale and concatenated; one element attention follows.
  `scale` is `[B, L, 256]`, `fused` `[B, h, w, 256 L]`; instead of the parts of
  each scale there are `attention/fused`, `scores/fused`, `weighted/fused`, and
  `score/fused`, the logits.

  Documented: these three in one network, what each is for, channel before
  element attention, and a weighted cross-entropy of scores y. Our definition:
  at which scales, and how these are joined.

  Attributes:
    num_classes: C.
    width, reading, last_bias: see `ElementAttention`.
    channel: False leaves channel attention out.
    element: False weighs all positions alike: M is S / (H W) in `space`, S in
      `class`, y the mean of S in both.
    scale: False takes the mean over the scales; `features` are concatenated as
      they are.
    fusion: `maps` or `features`.
    scale_gate, scale_per, grid: see `ScaleAttention`; `grid` without it, too.
    dtype: of the activations; parameters stay float32.
  """

  num_classes: int
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
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, features):
    self._check(features)
    parts, maps = {}, []
    for name in sorted(features):  # as jit hands dicts on, whatever their order
      x = features[name]
      if self.channel:
        attend = ChannelAttention(dtype=self.dtype, name=_path('channel', name))
        x, parts[f'gate/{name}'] = attend(x)
        parts[f'gated/{name}'] = x
      if self.fusion == 'maps':
        x = self._classify(x, name, parts)
      else:
        x = self._convolve(PROJECTED, 'project', name)(x)
      maps.append(x)
    pool = 'sum' if self._sums and self.fusion == 'maps' else 'mean'
    if self.scale and len(maps) > 1:
      stack, parts['scale'] = ScaleAttention(
        self.scale_gate,
        self.scale_per,
        self.grid,
        pool,
        self.dtype,
        name='scale',
      )(maps)
    else:
      stack = stack_scales(maps, grid=self.grid, pool=pool).astype(self.dtype)
    if self.fusion == 'features':
      parts['fused'] = stack.reshape(*stack.shape[:3], -1)
      self._classify(parts['fused'], 'fused', parts)
      return parts['score/fused'], parts
    join = jnp.sum if 'scale' in parts else jnp.mean
    parts['fused'] = join(stack, axis=3)
    reduce = jnp.sum if self._sums else jnp.mean
    return reduce(parts['fused'], axis=(1, 2)), parts

  @property
  def _sums(self):
    return self.reading == 'space'

  def _classify(self, x, name, parts):
    """The weighted maps M; they and all that led to them go into `parts`."""
    if self.element:
      found = ElementAttention(
        self.num_classes,
        self.width,
        self.reading,
        self.last_bias,
        self.dtype,
        name=_path('element', name),
      )(x)
    else:
      scores = self._convolve(self.num_classes, 'scores', name, bias=True)(x)
      height, width = scores.shape[1:3]
      weighted = scores / (height * width) if self._sums else scores
      found = dict(scores=scores, weighted=weighted, score=scores.mean((1, 2)))
    parts.update({f'{part}/{name}': array for part, array in found.items()})
    return found['weighted']

  def _convolve(self, channels, kind, name, bias=False):
    return linear_conv(
      channels, use_bias=bias, dtype=self.dtype, name=_path(kind, name)
    )

  def _check(self, features):
    if not isinstance(features, Mapping) or not features:
      raise ValueError(
        'TripleAttention wants features in a dict, {name: [B, H, W, D]}, at '
        f'least one, got {type(features).__name__} {features!r:.60}.'
      )
    for x in features.values():
      check_rank('TripleAttention', x, '[B, H, W, D]')
    if self.reading not in READINGS:
      raise ValueError(
        unknown('reading of element attention', self.reading, READINGS)
      )
    if self.fusion not in FUSIONS:
      raise ValueError(unknown('fusion of scales', self.fusion, FUSIONS))


def _path(kind, name):
  """The name of a submodule; a / would split paths of parameters."""
  return f'{kind}_{name}'.replace('/', '_')

"""One convolution and attention, for small images: the module to try out.

Sources: our definition of the network that a public question asks for,
"Conv2D - attention module - GAP - softmax(10)" on MNIST (Understand and
Implement Element-Wise Attention Module, StackOverflow); the module is that of
A3Net, https://doi.org/10.1016/j.media.2020.101846, see `attention_modules.py`.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank, unknown
from at_jax.models.attention_modules import POSITIONS
from at_jax.models.layers import conv
from at_jax.models.triple_attention import TripleAttention

# What of the arguments is left at None.
PRESETS = {
  'demo': dict(reading='space', k=64, last_bias=True),
  'paper': dict(reading='space', k=512, last_bias=True),
  'so': dict(reading='class', k=512, last_bias=False),
}
HEADS = ('pool', 'dense')


class AttentionCNN(nn.Module):
  """A 3x3 convolution with ReLU, channel and element attention, logits.

  There is no pooling before the attention, so that a map has a position for
  each pixel. Logits are the pooled maps themselves, C of them; a dense layer
  has nothing to add. With the default of 32 and 64 channels, for one colour and
  10 classes, 40,468 parameters; 2,382,612 with k=512, the paper's width.

  | preset | reading | pool of the logits | k | bias of the last convolution |
  |---|---|---|---|---|
  | `demo` | `space` | sum | 64 | yes |
  | `paper` | `space` | sum | 512 | yes |
  | `so` | `class` | mean | 512 | no |

  `paper` has the module of A3Net (logits for a sigmoid each where labels do not
  exclude each other, for a softmax where they do), `so` that of the question's
  author.

  Endpoints for a 28x28 input, with D = width:
    `group1` [B, 28, 28, D], what the attention gets; `gate/group1` [B, D],
    `gated/group1` [B, 28, 28, D], `attention/group1`, `scores/group1`,
    `weighted/group1` [B, 28, 28, C], `score/group1` [B, C], see
    `TripleAttention`; `fused`, the weighted maps once more.

  Attributes:
    width: channels of the convolution, D.
    k: channels within element attention; None: those of the preset.
    preset: a key of `PRESETS`, for what is None.
    reading: `space` or `class`; None: that of the preset.
    last_bias: whether the last convolution of element attention has a bias;
      None: as the preset.
    channel, element: see `TripleAttention`; without both, this is convolution,
      global average, dense layer.
    head: `pool`, or `dense`: a dense layer of the mean of the weighted maps
      over positions, as in the question; then `score/group1` is for an
      auxiliary loss.
    num_classes: number of logits, C.
    dtype: of the activations; parameters stay float32.
  """

  width: int = 32
  k: int | None = None
  preset: str = 'demo'
  reading: str | None = None
  last_bias: bool | None = None
  channel: bool = True
  element: bool = True
  head: str = 'pool'
  num_classes: int = 10
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    del train  # nothing here knows the difference
    check_rank('AttentionCNN', images, '[B, H, W, C]')
    self._check(*images.shape[1:3])
    given = dict(k=self.k, reading=self.reading, last_bias=self.last_bias)
    given = {name: value for name, value in given.items() if value is not None}
    settings = PRESETS[self.preset] | given
    x = nn.relu(
      conv(self.width, 3, 1, use_bias=True, dtype=self.dtype, name='conv0')(
        images
      )
    )
    logits, parts = TripleAttention(
      self.num_classes,
      settings['k'],
      settings['reading'],
      settings['last_bias'],
      self.channel,
      self.element,
      dtype=self.dtype,
      name='attention',
    )({'group1': x})
    if self.head == 'dense':
      pooled = parts['weighted/group1'].mean((1, 2))
      logits = nn.Dense(self.num_classes, dtype=self.dtype, name='head')(pooled)
    return logits, {'group1': x} | parts

  def _check(self, height, width):
    """Raises ValueError on bad arguments or images."""
    if self.preset not in PRESETS:
      raise ValueError(unknown('preset of AttentionCNN', self.preset, PRESETS))
    if self.head not in HEADS:
      raise ValueError(unknown('head of AttentionCNN', self.head, HEADS))
    if self.element and height * width < POSITIONS:
      raise ValueError(
        f'Images of {height}x{width} pixels leave attention little to choose: '
        'AttentionCNN wants 4x4 or more.'
      )

"""Channel-wise and element-wise attention, for any network.

Source: Wang et al., Triple attention learning for classification of 14 thoracic
diseases using chest radiography (A3Net), Medical Image Analysis 67, 2021,
https://doi.org/10.1016/j.media.2020.101846. We know its abstract and what a
public question quotes of its section 4.3, not its full text; no code of its
authors is known. Docstrings say what is documented and what is our definition.
Axes: B batch, H height, W width, D features, C classes.
"""

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from at_jax._arrays import check_rank
from at_jax.element_attention import element_attention
from at_jax.models.layers import conv, kaiming_normal

POSITIONS = 16  # 4x4: of fewer an attention map says little, of one it is 1

# A 1x1 convolution without a ReLU after it, which keeps the variance.
linear_conv = functools.partial(
  conv, kernel=1, stride=1, kernel_init=nn.initializers.lecun_normal()
)


def mirrored(key, shape, dtype=jnp.float32):
  """He et al.'s kernel for a ReLU, its units in pairs of opposite ones.

  One of each pair passes the ReLU, whatever they get. Features after a ReLU
  have positive means, of which a unit without bias makes much the same sign for
  all images: of D = 32 both hidden units would be dead in a quarter of all
  runs, and without gradient stay so. The first of a pair (where D < 32 there is
  no second) has a positive sum, and so mostly passes.
  """
  half = kaiming_normal(key, (shape[0], -(-shape[1] // 2)), dtype)
  half *= jnp.sign(half.sum(0, keepdims=True))
  return jnp.concatenate([half, -half], axis=1)[:, : shape[1]]


class ChannelAttention(nn.Module):
  """Squeeze and excitation: every channel times a gate between 0 and 1.

  z = mean of x over positions, u = sigmoid(W2 relu(W1 z)), without biases.
  Returns (u * x, u), shapes `[B, H, W, D]` and `[B, D]`.

  Documented: that it is such a block. From the only public code: the gated map,
  not u, goes on; D / 16 hidden units; no biases.

  Attributes:
    reduction: D divided by the number of hidden units (of which there is at
      least one).
    dtype: of the activations; parameters stay float32.

  References:
    Hu, Shen and Sun, Squeeze-and-Excitation Networks, CVPR 2018,
    https://arxiv.org/abs/1709.01507.
  """

  reduction: int = 16
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    check_rank('ChannelAttention', x, '[B, H, W, D]')
    x = jnp.asarray(x, self.dtype)
    channels = x.shape[-1]
    dense = functools.partial(nn.Dense, use_bias=False, dtype=self.dtype)
    hidden = dense(
      max(channels // self.reduction, 1), kernel_init=mirrored, name='dense0'
    )
    z = nn.relu(hidden(x.mean((1, 2))))
    u = nn.sigmoid(dense(channels, name='dense1')(z))
    return u[:, None, None] * x, u


class ElementAttention(nn.Module):
  """Maps of C classes, weighted position by position, and their scores.

  Z: 1x1 convolution, ReLU, 3x3 convolution, ReLU, 1x1 convolution to C; S: a
  1x1 convolution to C. Returns a dict: `attention` A, the softmax of Z,
  `scores` S, `weighted` M = S * A, each `[B, H, W, C]`; `score` y `[B, C]`, the
  pool of M, of which a classification loss is taken. See
  `at_jax.element_attention` for the two readings of "softmax".

  Documented: these layers with 512 channels, the softmax, S * A, and a weighted
  cross-entropy of the resulting scores. From the network whose recipe this is
  (SRN, https://arxiv.org/abs/1702.05891): the ReLUs, the axis and the pool of
  `space`.

  Attributes:
    num_classes: C.
    width: channels of the first two convolutions.
    reading: `space` or `class`.
    last_bias: whether the convolution that makes Z has a bias. In SRN it has,
      in the only public code of this module it has none; in `space` the softmax
      does not see it.
    dtype: of the activations; softmax and pool are float32 or better.
  """

  num_classes: int
  width: int = 512
  reading: str = 'space'
  last_bias: bool = True
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    check_rank('ElementAttention', x, '[B, H, W, D]')
    height, width = x.shape[1:3]
    if height * width < POSITIONS:
      raise ValueError(
        f'ElementAttention has little to choose from among {height}x{width} '
        f'positions: it wants {POSITIONS} (4x4) or more. Give the network '
        'larger images, or take features from before its last halvings.'
      )
    convolve = functools.partial(conv, use_bias=True, dtype=self.dtype)
    z = nn.relu(convolve(self.width, 1, 1, name='conv0')(x))
    z = nn.relu(convolve(self.width, 3, 1, name='conv1')(z))
    to_classes = functools.partial(
      linear_conv, self.num_classes, dtype=self.dtype
    )
    z = to_classes(use_bias=self.last_bias, name='conv2')(z)
    scores = to_classes(use_bias=True, name='scores')(x)
    attention, weighted, score = element_attention(
      z, scores, reading=self.reading
    )
    found = dict(attention=attention, weighted=weighted, score=score)
    found = {name: array.astype(self.dtype) for name, array in found.items()}
    return found | {'scores': scores}

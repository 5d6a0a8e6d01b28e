"""Gates: what turns the output of an attention branch into factors.

Axes: B batch, H height, W width, C channels.
"""

import sys

import jax
import jax.numpy as jnp

from at_jax._arrays import (
  at_least_float32,
  check_range,
  check_rank,
  l2_normalize,
  unknown,
)

GATES = ('mixed', 'channel', 'spatial')


def attention_gate(z, *, kind='mixed', eps=1e-5):
  """Normalises or squashes attention logits, as residual attention nets do.

  | kind | formula | range | in the paper |
  |---|---|---|---|
  | `mixed` | sigmoid(z) of every entry | (0, 1) | f1, the default |
  | `channel` | z / max(norm(z), eps), norm over channels | [-1, 1] | f2 |
  | `spatial` | sigmoid((z - mean) / sqrt(var + eps)) | (0, 1) | f3 |

  `channel` has no sigmoid and keeps signs: every position is a vector of norm
  1, or 0 with derivatives 0 where z is 0. `spatial` takes mean and variance
  (of the population) over the positions of each channel of each example: no
  running statistics, the same in training and evaluation; a map of one position
  or of one value gives 0.5.

  Args:
    z: attention logits, `[B, H, W, C]`, of any real dtype.
    kind: one of the table.
    eps: floor of the norm in `channel`, added to the variance in `spatial`;
      > 0. `mixed` has no use for it.

  Returns:
    Gates of the shape and dtype of `z` (float32 for integers), computed in at
    least float32.

  Raises:
    ValueError: `z` not of rank 4, an unknown kind, eps not above 0.

  Example:
    >>> import jax.numpy as jnp
    >>> z = jnp.array([[[[0., -4.], [0., 0.]]]])  # [1, 1, 2, 2]
    >>> attention_gate(z, kind='channel')[0, 0].tolist()
    [[0.0, -1.0], [0.0, 0.0]]
    >>> attention_gate(z)[0, 0, 1].tolist()
    [0.5, 0.5]

  References:
    Wang et al., Residual Attention Network for Image Classification, CVPR 2017,
    https://arxiv.org/abs/1704.06904, equations 4 to 6. The paper has no eps and
    does not say whether its mean and deviation are taken per example.
  """
  check_rank('attention_gate', z, '[B, H, W, C]')
  if kind not in GATES:
    raise ValueError(unknown('kind of attention gate', kind, GATES))
  smallest = jnp.finfo(jnp.float32).smallest_normal
  check_range('eps of attention_gate', eps, smallest, sys.float_info.max)
  (wide,) = at_least_float32(z)
  if kind == 'mixed':
    gate = jax.nn.sigmoid(wide)
  elif kind == 'channel':
    gate = l2_normalize(wide, eps)
  else:
    gate = jax.nn.sigmoid(_standardize(wide, eps))
  dtype = jnp.result_type(z)
  floating = jnp.issubdtype(dtype, jnp.inexact)
  return gate.astype(dtype) if floating else gate


def gate_statistics(gate):
  """What a gate does, example by example: does it look, or only scale?

  The variance over positions and channels is the sum of two parts: `spatial`,
  the variance over positions, mean over channels (0 for a constant gate, one
  factor a channel), and `channels`, the variance over channels of their means.

  Args:
    gate: `[B, H, W, C]`.

  Returns:
    A dict of `[B]`, at least float32: `mean`; `low` and `high`, the shares of
    entries of absolute value below 0.05 and above 0.95; `spatial`; `channels`.

  Raises:
    ValueError: not of rank 4.

  Example:
    >>> import jax.numpy as jnp
    >>> found = gate_statistics(jnp.array([[[[1., 0.], [0., 0.]]]]))
    >>> {name: float(value[0]) for name, value in found.items()}
    {'mean': 0.25, 'low': 0.75, 'high': 0.25, 'spatial': 0.125, \
'channels': 0.0625}
  """
  check_rank('gate_statistics', gate, '[B, H, W, C]')
  (gate,) = at_least_float32(gate)
  size, means = jnp.abs(gate), jnp.mean(gate, axis=(1, 2))
  everywhere = (1, 2, 3)
  return {
    'mean': jnp.mean(means, axis=1),
    'low': jnp.mean(size < 0.05, axis=everywhere, dtype=gate.dtype),
    'high': jnp.mean(size > 0.95, axis=everywhere, dtype=gate.dtype),
    'spatial': jnp.mean((gate - means[:, None, None]) ** 2, axis=everywhere),
    'channels': jnp.var(means, axis=1),
  }


def strongest_channels(gate, count):
  """The channels whose gates differ most from place to place, strongest first.

  By the standard deviation over positions, mean over the batch.

  Args:
    gate: `[B, H, W, C]`.
    count: how many, at most C of them.

  Returns:
    Indices `[min(count, C)]`.

  Raises:
    ValueError: not of rank 4.
  """
  check_rank('strongest_channels', gate, '[B, H, W, C]')
  (gate,) = at_least_float32(gate)
  contrast = jnp.mean(jnp.std(gate, axis=(1, 2)), axis=0)
  return jnp.argsort(-contrast)[:count]


def _standardize(x, eps):
  """Mean 0 and deviation 1 over the positions of each channel."""
  centred = x - jnp.mean(x, axis=(1, 2), keepdims=True)
  variance = jnp.mean(centred * centred, axis=(1, 2), keepdims=True)
  return centred * jax.lax.rsqrt(variance + eps)

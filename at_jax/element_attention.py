"""Element-wise attention: where a class is, times how sure its classifier is.

Source: Wang et al., Triple attention learning for classification of 14 thoracic
diseases using chest radiography (A3Net), Medical Image Analysis 67, 2021,
https://doi.org/10.1016/j.media.2020.101846, equations 4 and 5. Axes: B batch, H
height, W width, C classes.
"""

import jax
import jax.numpy as jnp

from at_jax._arrays import (
  at_least_float32,
  check_rank,
  check_same_shape,
  unknown,
)

READINGS = ('space', 'class')


def element_attention(attention_logits, scores, *, reading='space'):
  """Softmax of Z times S: attention A, weighted maps M = S * A, their pool y.

  | reading | A sums to 1 over | it says | y, the score of a class |
  |---|---|---|---|
  | `space` | the positions, for each class | where a class is | sum of M |
  | `class` | the classes, at each position | which class it is | mean of M |

  The paper has the product and "softmax", not its axis. `space` is that of the
  network whose recipe it repeats (SRN); labels do not compete, and y is also
  what linear classifiers say of features pooled with A. `class` is that of the
  only public code (Keras' default axis), for labels that exclude each other.
  Both train without complaint; their scores differ in scale.

  A sums to 1 in `space` for a class that is absent, too: draw A times
  sigmoid(S), or print the score beside it.

  Args:
    attention_logits: Z, `[B, H, W, C]`, of any real dtype.
    scores: S of the same shape, of linear classifiers at each position: no
      sigmoid, no softmax.
    reading: `space` or `class`.

  Returns:
    A `[B, H, W, C]`, M `[B, H, W, C]` and y `[B, C]`, at least float32.

  Raises:
    ValueError: a rank other than 4, two shapes, an unknown reading.

  Example:
    >>> import jax.numpy as jnp
    >>> z = jnp.log(jnp.array([3., 1.])).reshape(1, 1, 2, 1)
    >>> s = jnp.array([2., -4.]).reshape(1, 1, 2, 1)
    >>> attention, weighted, pooled = element_attention(z, s)
    >>> [round(float(x), 4) for x in attention.ravel()]
    [0.75, 0.25]
    >>> [round(float(x), 4) for x in weighted.ravel()]
    [1.5, -1.0]
    >>> round(float(pooled[0, 0]), 4)
    0.5

  References:
    Wang et al., see above. Zhu et al., Learning Spatial Regularization with
    Image-level Supervisions for Multi-label Image Classification (SRN), CVPR
    2017, https://arxiv.org/abs/1702.05891.
  """
  layout = '[B, H, W, C]'
  check_rank('element_attention', attention_logits, layout)
  check_rank('element_attention', scores, layout)
  check_same_shape(
    'element_attention',
    attention_logits,
    scores,
    hint=' Both have one map for each class.',
  )
  if reading not in READINGS:
    raise ValueError(unknown('reading of element attention', reading, READINGS))
  attention_logits, scores = at_least_float32(attention_logits, scores)
  in_space = reading == 'space'
  attention = jax.nn.softmax(attention_logits, axis=(1, 2) if in_space else -1)
  weighted = scores * attention
  pool = jnp.sum if in_space else jnp.mean
  return attention, weighted, pool(weighted, axis=(1, 2))

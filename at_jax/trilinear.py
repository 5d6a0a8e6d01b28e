"""Trilinear attention: maps of channels that fire together.

Source: Zheng, Fu, Zha and Luo, Looking for the Devil in the Details: Learning
Trilinear Attention Sampling Network for Fine-grained Image Recognition (TASN),
CVPR 2019, https://arxiv.org/abs/1903.06150. Axes: B batch, H height, W width,
C channels, N = H*W.
"""

import sys

import jax
import jax.numpy as jnp

from at_jax._arrays import (
  at_least_float32,
  check_range,
  check_rank,
  plain_float,
  unknown,
)

VARIANTS = ('features', 'basic', 'spatial', 'relation', 'both')


def trilinear_attention(features, *, spatial_scale=7.0, variant='both'):
  """One attention map per channel: related channels, integrated.

  With X the features as a matrix of channels by positions, R X, where R says
  how related two channels are:

  | variant | R | |
  |---|---|---|
  | `both` | softmax_j(softmax_p(s X) X^T) | the network's |
  | `spatial` | softmax_p(s X) X^T | |
  | `relation` | softmax_j(X X^T) | |
  | `basic` | X X^T | |
  | `features` | 1: the features themselves | |

  softmax_p is taken over the positions p of each channel, which makes a row of
  R the means of all channels where this one is active; softmax_j over the
  channels j of each row. So in `both` and `relation` every map is a convex
  combination of the channels: at every position it lies between the smallest
  and the largest. With channels or positions permuted, so are the maps.
  Channels that are zero everywhere get equal maps.

  The scale s is not in the paper's formula (1). The authors' MXNet code has 7,
  their unfinished PyTorch code 2. Only the input of softmax_p is scaled.

  Args:
    features: X, `[B, H, W, C]`, of any real dtype; in TASN >= 0.
    spatial_scale: s >= 0, of `both` and `spatial`; others have no use for it.
    variant: one of the table.

  Returns:
    Maps `[B, H, W, C]`, at least float32. Their gradient is not stopped: TASN's
    attention network learns from its own classifier alone, so stop it there.

  Raises:
    ValueError: features not of rank 4, an unknown variant, a negative scale.

  Example:
    >>> import jax.numpy as jnp
    >>> x = jnp.array([[1., 0.], [0., 3.], [2., 0.]])  # 3 positions, 2 channels
    >>> maps = trilinear_attention(x[None, None], variant='basic')
    >>> maps[0, 0].T.tolist()
    [[5.0, 0.0, 10.0], [0.0, 27.0, 0.0]]
    >>> maps = trilinear_attention(x[None, None])
    >>> [f'{x:.2f}' for x in maps[0, 0, :, 0]]  # of the first channel
    ['0.88', '0.36', '1.76']

  References:
    Zheng et al., see above, and https://github.com/researchmm/tasn.
  """
  check_rank('trilinear_attention', features, '[B, H, W, C]')
  if variant not in VARIANTS:
    raise ValueError(
      unknown('variant of trilinear attention', variant, VARIANTS)
    )
  spatial_scale = plain_float(spatial_scale)
  name = 'The spatial_scale of trilinear_attention'
  check_range(name, spatial_scale, 0, sys.float_info.max)
  (features,) = at_least_float32(features)
  if variant == 'features':
    return features
  batch, height, width, channels = features.shape
  x_bnc = features.reshape(batch, height * width, channels)
  where_bnc = x_bnc
  if variant in ('spatial', 'both'):
    where_bnc = jax.nn.softmax(spatial_scale * x_bnc, axis=1)
  relation_bcc = _einsum('bni,bnj->bij', where_bnc, x_bnc)
  if variant in ('relation', 'both'):
    relation_bcc = jax.nn.softmax(relation_bcc, axis=2)
  maps_bnc = _einsum('bij,bnj->bni', relation_bcc, x_bnc)
  return maps_bnc.reshape(features.shape)


def _einsum(formula, one, other):
  return jnp.einsum(formula, one, other, precision='highest')

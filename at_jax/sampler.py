"""Attention-based sampling: images warped so that attended places get pixels.

Source: Zheng, Fu, Zha and Luo, Looking for the Devil in the Details: Learning
Trilinear Attention Sampling Network for Fine-grained Image Recognition (TASN),
CVPR 2019, https://arxiv.org/abs/1903.06150, and its authors' code,
https://github.com/researchmm/tasn. Axes: B batch, H height, W width, C
channels, h and w those of a map, Oh and Ow those of the result.
"""

import operator
import sys

import jax.numpy as jnp

from at_jax import _densities
from at_jax._arrays import (
  at_least_float32,
  check_range,
  check_rank,
  check_size,
  plain_float,
  unknown,
)
from at_jax._bilinear import bilinear_sample

RULES = ('centre', 'pt')
MARGINALS = ('max', 'sum')
FLOOR = 1e-6


def sample_positions(
  maps,
  image_size,
  out_size,
  *,
  dense=4.0,
  iters=5,
  joint=True,
  rule='centre',
  marginal='max',
  floor=FLOOR,
):
  """Where to read the rows and columns of an image, by attention.

  A map is read as a mass, of which equal shares lie between neighbouring
  positions (inverse transform sampling), for each axis on its own: straight
  lines along the axes stay straight.

  1. Negative entries count as 0. The map is interpolated to the image's size:
     bilinear, half-pixel centres, no filter against aliasing. (To align corners
     instead, pass it through `resize_align_corners` to that size.)
  2. The density of a row of pixels is its `marginal`, that of a column
     likewise. Both are divided by their means, so the even density is 1; then
     `floor` is added, and they are divided by 1 + `floor`.
  3. `iters` times: each is cut at its maximum, with `joint` at the smaller of
     the two maxima, the first time also at `dense`, and what is cut off is
     spread evenly. Then no density exceeds `dense` + 1. With `joint` no axis
     is steeper than the flatter one, which keeps proportions: a map that is
     even along one axis gives hardly any zoom.
  4. Positions are where the cumulated density E reaches given shares:

  | rule | E is the sum of | share of position i | position |
  |---|---|---|---|
  | `centre` | d_0 ... d_(k-1) at the left edge of k | (i + 1/2) / O | E^-1 |
  | `pt` | d_1 ... d_k at the centre of k | i / O | E^-1 |

  With `centre` an even map gives a plain resize, and a mirrored map mirrored
  positions. `pt` is TASN's PyTorch code: d_0 has no weight, position 0 is 0,
  the far edge is never reached. (The MXNet code begins its sum at 1 and reads
  out of bounds: not offered. Step 3 is that of both codes; of the paper we know
  steps 2 and 4, and that the maximum is preferred to the sum as more robust.)

  Differentiable almost everywhere with respect to the maps, which TASN is not:
  stop the gradient where maps should not learn from what is seen through them.

  Args:
    maps: attention, `[B, h, w]`, of any real dtype and any aspect. A map that
      is zero everywhere counts as even, with derivatives 0.
    image_size: (H, W).
    out_size: (Oh, Ow); may exceed `image_size`.
    dense: the largest density before step 3 spreads, >= 1.
    iters: how often step 3 cuts, >= 0; not traced.
    joint: whether the axes share one cap.
    rule: `centre` or `pt`.
    marginal: `max` or `sum`, over the other axis.
    floor: >= 0. Neighbouring positions lie at most (1 + floor) / floor times as
      far apart as even ones; the default only keeps every density above 0.

  Returns:
    Rows `[B, Oh]` in [0, H - 1] and columns `[B, Ow]` in [0, W - 1], in pixels
    of the image (0 is the centre of the first), never decreasing; at least
    float32.

  Raises:
    ValueError: maps not of rank 3 or without entries, sizes of other than two
      integers >= 1, a number out of its range, an unknown rule or marginal.

  Example:
    >>> import jax.numpy as jnp
    >>> rows, columns = sample_positions(jnp.ones((1, 2, 3)), (8, 6), (4, 3))
    >>> [f'{x:.3f}' for x in rows[0]], [f'{x:.3f}' for x in columns[0]]
    (['0.500', '2.500', '4.500', '6.500'], ['0.500', '2.500', '4.500'])
    >>> spot = jnp.zeros((1, 7, 7)).at[0, 3, 3].set(1.)
    >>> rows, columns = sample_positions(spot, (7, 7), (5, 5))
    >>> [f'{x:.2f}' for x in rows[0]]
    ['1.13', '2.68', '3.00', '3.32', '4.87']

  References:
    Zheng et al., see above.
  """
  name = 'sample_positions'
  check_rank(name, maps, '[B, h, w]')
  if 0 in jnp.shape(maps)[1:]:
    raise ValueError(f'{name} wants maps with entries, got {jnp.shape(maps)}.')
  image_size = check_size(name, image_size, 'an image_size')
  out_size = check_size(name, out_size, 'an out_size')
  if rule not in RULES:
    raise ValueError(unknown(f'rule of {name}', rule, RULES))
  if marginal not in MARGINALS:
    raise ValueError(unknown(f'marginal of {name}', marginal, MARGINALS))
  dense, floor = plain_float(dense), plain_float(floor)
  check_range(f'dense of {name}', dense, 1, sys.float_info.max)
  check_range(f'floor of {name}', floor, 0, sys.float_info.max)
  check_range(f'iters of {name}', iters, 0, sys.maxsize)
  (maps,) = at_least_float32(maps)
  return _densities.positions(
    maps,
    dense,
    floor,
    image_size=image_size,
    out_size=out_size,
    iters=operator.index(iters),
    joint=bool(joint),
    rule=rule,
    marginal=marginal,
  )


def attention_sample(
  images,
  maps,
  out_size,
  *,
  dense=4.0,
  iters=5,
  joint=True,
  rule='centre',
  marginal='max',
  floor=FLOOR,
):
  """Images resampled so that attended places become larger.

  Bilinear interpolation of every image at the crossings of its rows and columns
  from `sample_positions`, edges clamped. Like there, gradients reach the maps;
  they reach the images, too.

  Args:
    images: `[B, H, W, C]`, of any real dtype.
    maps: attention, `[B, h, w]`; its aspect need not be that of the images.
    out_size: (Oh, Ow); may exceed the images' size.
    dense: see `sample_positions`, as for all that follow.
    iters: likewise.
    joint: likewise.
    rule: likewise.
    marginal: likewise.
    floor: likewise.

  Returns:
    `[B, Oh, Ow, C]` of the dtype of `images` (float32 for integers), computed
    in at least float32. No filter against aliasing.

  Raises:
    ValueError: images not of rank 4, a batch of another size than that of the
      maps, and what `sample_positions` raises.

  Example:
    >>> import jax.numpy as jnp
    >>> images = jnp.arange(8.).reshape(1, 1, 8, 1)
    >>> even, ramp = jnp.ones((1, 1, 8)), jnp.arange(8.).reshape(1, 1, 8)
    >>> attention_sample(images, even, (1, 4)).ravel().round(2).tolist()
    [0.5, 2.5, 4.5, 6.5]
    >>> sampled = attention_sample(images, ramp, (1, 4), joint=False)
    >>> [f'{x:.2f}' for x in sampled.ravel()]
    ['2.67', '4.60', '5.92', '7.00']

  References:
    Zheng et al., see above.
  """
  check_rank('attention_sample', images, '[B, H, W, C]')
  check_rank('attention_sample', maps, '[B, h, w]')
  if len(images) != len(maps):
    raise ValueError(
      'attention_sample wants one map for each image, got '
      f'{jnp.shape(images)} and {jnp.shape(maps)}.'
    )
  rows, columns = sample_positions(
    maps,
    jnp.shape(images)[1:3],
    out_size,
    dense=dense,
    iters=iters,
    joint=joint,
    rule=rule,
    marginal=marginal,
    floor=floor,
  )
  return bilinear_sample(images, rows, columns)

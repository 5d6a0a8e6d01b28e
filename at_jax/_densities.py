"""From maps to densities along two axes, and from those to positions.

Axes: B batch, N pixels along one side of an image, n cells along the same side
of a map, k cells along its other side. The mean of a density is 1.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from at_jax._arrays import divide_by_largest
from at_jax.resize import half_pixel, linear_matrix


@functools.partial(
  jax.jit,
  static_argnames=(
    'image_size',
    'out_size',
    'iters',
    'joint',
    'rule',
    'marginal',
  ),
)
def positions(
  maps, dense, floor, *, image_size, out_size, iters, joint, rule, marginal
):
  """`at_jax.sample_positions` of arguments that have been checked.

  Jitted, since called eagerly its many small operations take longer to
  dispatch than to compute.
  """
  rows, columns = densities(
    maps,
    dense,
    floor,
    image_size=image_size,
    iters=iters,
    joint=joint,
    marginal=marginal,
  )
  return (
    positions_of_equal_mass(rows, out_size[0], rule),
    positions_of_equal_mass(columns, out_size[1], rule),
  )


def densities(maps, dense, floor, *, image_size, iters, joint, marginal):
  """Densities of rows `[B, H]` and columns `[B, W]`, steps 1 to 3 there.

  With `iters=0` they are what step 3, the cap, begins with.
  """
  maps = jnp.where(maps < 0, 0.0, maps)
  batch, height, width = maps.shape
  _, flat = divide_by_largest(maps.reshape(batch, height * width))
  weights = marginals(flat.reshape(maps.shape), image_size, marginal)
  rows, columns = (density(weight, floor) for weight in weights)
  return cap(rows, columns, dense=dense, iters=iters, joint=joint)


def marginals(maps, image_size, kind):
  """What each row and column of a map weighs, once it has the image's size.

  Args:
    maps: `[B, h, w]`.
    image_size: (H, W).
    kind: 'max' or 'sum', over the pixels of the row or column.

  Returns:
    `[B, H]` and `[B, W]`.
  """
  rows, columns = map(half_pixel, maps.shape[1:], image_size)
  return (
    _marginal(maps, rows, columns, kind),
    _marginal(maps.swapaxes(1, 2), columns, rows, kind),
  )


def _marginal(maps_bnk, along, across, kind):
  """`[B, N]`, of a map interpolated at positions `along` x `across`."""
  cells, others = maps_bnk.shape[1:]
  if kind == 'sum':
    lines_bns = _interpolate(maps_bnk, across, others).sum(-1, keepdims=True)
  else:
    # Between two cells a line is straight: its maximum over many pixels is that
    # over the first and the last, so there are few to compute in any image.
    lines_bns = _interpolate(maps_bnk, _ends(across), others)
  lines_bsn = lines_bns.swapaxes(1, 2)
  reduce = jnp.sum if kind == 'sum' else _largest
  return reduce(_interpolate(lines_bsn, along, cells), axis=1)


def _ends(positions):
  """The first and the last of the positions between each two cells."""
  new = np.diff(np.floor(positions)) != 0
  return positions[np.append(new, True) | np.append(True, new)]


def _interpolate(x, positions, cells):
  """The last axis of `[B, ?, cells]` at fixed positions, linearly."""
  if np.array_equal(positions, np.arange(cells)):
    return x
  matrix = jnp.asarray(linear_matrix(positions, cells).T, x.dtype)
  return jnp.matmul(x, matrix, precision='highest')


def density(marginal, floor):
  """Marginals `[B, N]` with mean 1, even where they are zero."""
  mean = jnp.mean(marginal, axis=-1, keepdims=True)
  alive = mean != 0  # true for NaN: a diverged network must not look even
  even = jnp.where(alive, marginal / jnp.where(alive, mean, 1.0), 1.0)
  return (even + floor) / (1 + floor)


def cap(rows, columns, *, dense, iters, joint):
  """Cuts the peaks of two densities, `[B, H]` and `[B, W]`.

  What is cut off is spread evenly, which lifts the peaks again: hence several
  times, in a loop since unrolled it runs no faster and compiles longer.
  """

  def cut(pair, most):
    tops = [_largest(x, 1)[:, None] for x in pair]
    if joint:
      tops = [jnp.minimum(*tops)] * 2
    pair = [
      jnp.minimum(x, jnp.minimum(y, most))
      for x, y in zip(pair, tops, strict=True)
    ]
    return tuple(x + (1 - jnp.mean(x, axis=1, keepdims=True)) for x in pair)

  if not iters:
    return rows, columns
  pair = cut((rows, columns), dense)
  return jax.lax.fori_loop(1, iters, lambda _, pair: cut(pair, jnp.inf), pair)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _largest(x, axis):
  """Maxima along an axis, of entries >= 0.

  The derivative of `jnp.max` looks for the entries equal to the maximum. Where
  a compiler computes them twice, and rounds differently, it finds none: 0 / 0.
  Here all within rounding of the maximum share the derivative.
  """
  return jnp.max(x, axis=axis)


@_largest.defjvp
def _largest_jvp(axis, primals, tangents):
  (x,), (tangent,) = primals, tangents
  top = _largest(x, axis)
  noise = 16 * jnp.finfo(x.dtype).eps
  near = x >= jnp.expand_dims(top, axis) * (1 - noise)
  total = jnp.sum(jnp.where(near, tangent, 0), axis=axis)
  return top, total / jnp.sum(near, axis=axis, dtype=x.dtype)


def positions_of_equal_mass(density, count, rule):
  """Positions in pixels, `[B, count]`, between which densities weigh the same.

  Args:
    density: `[B, N]`.
    count: how many.
    rule: 'centre' or 'pt', as in `at_jax.sample_positions`.
  """
  batch, size = density.shape
  if size == 1:
    return jnp.zeros((batch, count), density.dtype)
  edges, half = cumulated(density, rule)
  shares = (jnp.arange(count, dtype=density.dtype) + half) / count
  targets = edges[:, -1:] * shares[None]
  search = jax.vmap(functools.partial(jnp.searchsorted, side='right'))
  pixel = search(edges[:, 1:-1], targets)
  left = jnp.take_along_axis(edges, pixel, axis=1)
  width = jnp.take_along_axis(edges, pixel + 1, axis=1) - left
  # Where densities vanish beside the sum, rounding puts edges out of order. The
  # search ends between two in order even so; the guards are for compilers that
  # compute edges twice and round them differently. Positions never decrease.
  inside = (targets - left) / jnp.where(width > 0, width, 1.0)
  inside = jnp.where(inside < 0, 0.0, jnp.where(inside > 1, 1.0, inside))
  return jnp.clip(pixel + inside - half, 0, size - 1)


def cumulated(density, rule):
  """What a density weighs up to each edge, and how far they are from centres.

  Args:
    density: `[B, N]`.
    rule: 'centre' or 'pt', as in `at_jax.sample_positions`.

  Returns:
    `[B, N + 1]` and 1/2, or with `pt` `[B, N]` and 0: edge k lies at position
    k minus that, in pixels of which 0 is the centre of the first.
  """
  if rule == 'pt':
    density = density[:, 1:]
  edges = jnp.pad(jnp.cumsum(density, axis=-1), ((0, 0), (1, 0)))
  return edges, 0.0 if rule == 'pt' else 0.5

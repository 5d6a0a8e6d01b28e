"""Interpolation of images at the crossings of given rows and columns.

Axes: B batch, H height, W width, C channels, Oh and Ow those of the result, N
pixels along one axis.
"""

import jax
import jax.numpy as jnp


@jax.jit
def bilinear_sample(images, rows, columns):
  """Images where rows and columns cross.

  On a CPU this reads four neighbours of every result at once, in one loop: to
  make fewer rows first and read columns from those took longer, and products
  far longer. Elsewhere it is two products with matrices of two entries a row:
  TPUs are made for them, and their gradients need no atomic sums, so that they
  are the same every time. Only the CPU's side has been measured; on a GPU
  reading may well be faster.

  Args:
    images: `[B, H, W, C]`, of any real dtype.
    rows: `[B, Oh]`, in [0, H - 1]; float32 or wider.
    columns: `[B, Ow]`, in [0, W - 1].

  Returns:
    `[B, Oh, Ow, C]` of the dtype of `images`, float32 for integers.
  """
  sampled = jax.lax.platform_dependent(
    images, rows, columns, cpu=by_gathers, default=by_products
  )
  floating = jnp.issubdtype(images.dtype, jnp.inexact)
  return sampled.astype(images.dtype) if floating else sampled


def by_gathers(images, rows, columns):
  """`bilinear_sample` by reading neighbours, in at least float32."""
  dtype = jnp.promote_types(images.dtype, rows.dtype)
  top, bottom, down = _neighbours(rows, images.shape[1])
  left, right, across = _neighbours(columns, images.shape[2])
  down, across = down[:, :, None, None], across[:, None, :, None]

  def read(row, column):
    return jax.vmap(_cross)(images, row, column).astype(dtype)

  def line(row):
    start = read(row, left)
    return start + (read(row, right) - start) * across

  start = line(top)
  return start + (line(bottom) - start) * down


def _cross(image, rows, columns):
  where = image.at[rows[:, None], columns[None]]
  return where.get(mode='promise_in_bounds', wrap_negative_indices=False)


def by_products(images, rows, columns):
  """`bilinear_sample` by matrices, in at least float32."""
  dtype = jnp.promote_types(images.dtype, rows.dtype)
  down = _matrix(rows, images.shape[1])
  across = _matrix(columns, images.shape[2])
  images = _einsum('bih,bhwc->biwc', down, images.astype(dtype))
  return _einsum('bjw,biwc->bijc', across, images)


def _neighbours(positions, pixels):
  """Indices to the left and to the right, and how far it is from the left."""
  left = positions.astype(jnp.int32)  # none is below 0
  return left, jnp.minimum(left + 1, pixels - 1), positions - left


def _matrix(positions, pixels):
  """`[B, O, N]`: the weight of every pixel at every position `[B, O]`."""
  left, right, share = (x[..., None] for x in _neighbours(positions, pixels))
  every = jnp.arange(pixels)[None, None]
  return jnp.where(every == left, 1 - share, 0) + jnp.where(
    every == right, share, 0
  )


def _einsum(formula, one, other):
  return jnp.einsum(formula, one, other, precision='highest')

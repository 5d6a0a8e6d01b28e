"""max_pool_ceil against windows cut by hand and by NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax import max_pool_ceil

SIZES = [(1, 1), (1, 6), (2, 5), (7, 2), (3, 4), (9, 12), (8, 7), (75, 10)]


def windows(x):
  """Yields (i, j, window of x): starts 0, 2, ...; slices end at the edge."""
  for i, top in enumerate(range(0, max(x.shape[1] - 1, 1), 2)):
    for j, left in enumerate(range(0, max(x.shape[2] - 1, 1), 2)):
      yield i, j, x[:, top : top + 3, left : left + 3]


def reference(x):
  *_, (last_i, last_j, _) = windows(x)
  y = np.zeros((x.shape[0], last_i + 1, last_j + 1, x.shape[3]), x.dtype)
  for i, j, window in windows(x):
    y[:, i, j] = window.max((1, 2))
  return y


def negative(size, dtype=np.float32):
  """All below zero, all different: padding with zeros would win."""
  shape = (2, *size, 3)
  values = np.random.default_rng(0).permutation(np.prod(shape))
  return (-1 - values.reshape(shape)).astype(dtype)


def test_eight_numbers_in_a_row_and_in_a_column():
  row = np.arange(8.0).reshape(1, 1, 8, 1)
  assert max_pool_ceil(row).ravel().tolist() == [2, 4, 6, 7]
  column = row.reshape(1, 8, 1, 1)
  assert max_pool_ceil(column).ravel().tolist() == [2, 4, 6, 7]
  # Falling numbers tell where windows begin.
  assert max_pool_ceil(-row).ravel().tolist() == [0, -2, -4, -6]


def test_sizes():
  for n, wanted in {
    1: 1,
    2: 1,
    3: 1,
    4: 2,
    5: 2,
    6: 3,
    7: 3,
    8: 4,
    32: 16,
    75: 37,
  }.items():
    for shape, out in (
      ((2, n, 6, 5), (2, wanted, 3, 5)),
      ((2, 6, n, 5), (2, 3, wanted, 5)),
    ):
      x = jax.ShapeDtypeStruct(shape, jnp.float32)
      assert jax.eval_shape(max_pool_ceil, x).shape == out


@pytest.mark.parametrize('size', SIZES)
def test_equals_numpy(size):
  x = negative(size)
  y = max_pool_ceil(x)
  np.testing.assert_array_equal(y, reference(x))
  np.testing.assert_array_equal(y, jax.jit(max_pool_ceil)(x))


@pytest.mark.parametrize('size', SIZES)
def test_equals_torch(size):
  torch = pytest.importorskip('torch')
  if 1 in size:
    pytest.skip('PyTorch has no window for a single pixel.')
  x = negative(size)
  theirs = torch.nn.functional.max_pool2d(
    torch.tensor(x).permute(0, 3, 1, 2), 3, 2, ceil_mode=True
  )
  np.testing.assert_array_equal(
    max_pool_ceil(x), theirs.permute(0, 2, 3, 1).numpy()
  )


@pytest.mark.parametrize(
  'dtype', ['bfloat16', 'float16', 'int32', 'int8', 'uint8']
)
def test_dtype_and_values_are_kept(dtype):
  x = (np.arange(40) * 7 % 41).reshape(1, 8, 5, 1)
  x = jnp.asarray(x if dtype == 'uint8' else x - 50, dtype)
  y = max_pool_ceil(x)
  assert y.dtype == x.dtype
  np.testing.assert_array_equal(y, reference(np.asarray(x)))


def test_infinities_and_nan_come_through():
  x = np.full((1, 4, 4, 1), -np.inf, np.float32)
  assert (max_pool_ceil(x) == -np.inf).all()
  x[0, 3, 3] = np.nan
  assert np.isnan(max_pool_ceil(x)).ravel().tolist() == [False] * 3 + [True]


@pytest.mark.parametrize('size', [(7, 6), (4, 9)])
def test_derivatives(size):
  """Of sum(u * max^3): first and, along a direction, second."""
  x = negative(size) / 50
  rng = np.random.default_rng(1)
  u = rng.standard_normal(reference(x).shape).astype(np.float32)
  direction = rng.standard_normal(x.shape).astype(np.float32)

  def value(x):
    return jnp.sum(u * max_pool_ceil(x) ** 3)

  def slope(x):
    return jnp.vdot(jax.grad(value)(x), direction)

  first, second = np.zeros_like(x), np.zeros_like(x)
  for i, j, window in windows(x):
    for b in range(x.shape[0]):
      for c in range(x.shape[3]):
        top = window[b, :, :, c].max()
        here = (b, *np.argwhere(x[b, :, :, c] == top)[0], c)
        first[here] += u[b, i, j, c] * 3 * top**2
        second[here] += u[b, i, j, c] * 6 * top * direction[here]
  close = dict(rtol=1e-5, atol=1e-4)
  gradient, curvature = jax.jit(
    lambda x: (jax.grad(value)(x), jax.grad(slope)(x))
  )(x)
  np.testing.assert_allclose(gradient, first, **close)
  np.testing.assert_allclose(curvature, second, **close)


def test_gradient_goes_to_the_first_of_equals():
  x = np.zeros((1, 4, 4, 1), np.float32)
  gradient = jax.grad(lambda x: max_pool_ceil(x).sum())(x)
  wanted = np.zeros((4, 4))
  wanted[::2, ::2] = 1
  np.testing.assert_array_equal(gradient[0, :, :, 0], wanted)


@pytest.mark.parametrize('shape', [(8, 8), (8, 8, 3), (1, 2, 8, 8, 3)])
def test_wrong_rank(shape):
  with pytest.raises(ValueError, match=r'max_pool_ceil.*\[B, H, W, C\]'):
    max_pool_ceil(np.zeros(shape))

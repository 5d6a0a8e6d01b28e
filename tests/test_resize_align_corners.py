"""resize_align_corners against numbers by hand, NumPy and PyTorch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from at_jax import resize_align_corners

SIZES = [  # from, to
  ((4, 4), (8, 8)),
  ((7, 3), (14, 5)),
  ((2, 9), (7, 37)),
  ((1, 1), (4, 3)),
  ((1, 5), (6, 1)),
  ((8, 6), (3, 4)),
  ((5, 4), (5, 9)),
]


def normal(seed, shape, dtype=np.float32):
  return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def reference(x, size):
  """One line at a time, between the corners."""
  for axis, length in zip((1, 2), size, strict=True):
    n = x.shape[axis]
    places = np.linspace(0, n - 1, length) if length > 1 else [0]
    x = np.apply_along_axis(
      lambda line, places=places, n=n: np.interp(places, np.arange(n), line),
      axis,
      np.asarray(x, np.float64),
    )
  return x


@pytest.mark.parametrize(
  'values, length, wanted',
  [
    ([0, 1], 4, [0, 1 / 3, 2 / 3, 1]),
    ([0, 1], 3, [0, 0.5, 1]),
    ([0, 3, 6, 9], 2, [0, 9]),
    ([5], 3, [5, 5, 5]),
    ([5, 7, 9], 1, [5]),
    ([1, 2, 4], 5, [1, 1.5, 2, 3, 4]),
  ],
)
def test_by_hand_in_a_row_and_in_a_column(values, length, wanted):
  line = np.array(values, np.float32)
  row = resize_align_corners(line.reshape(1, 1, -1, 1), (1, length))
  column = resize_align_corners(line.reshape(1, -1, 1, 1), (length, 1))
  for got in (row, column):
    np.testing.assert_allclose(np.ravel(got), wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize('old, new', SIZES)
def test_equals_numpy_and_itself_compiled(old, new):
  x = normal(0, (3, *old, 4))
  y = resize_align_corners(x, new)
  assert y.shape == (3, *new, 4) and y.dtype == jnp.float32
  np.testing.assert_allclose(y, reference(x, new), rtol=1e-5, atol=1e-6)
  compiled = jax.jit(resize_align_corners, static_argnums=1)(x, new)
  np.testing.assert_allclose(compiled, y, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('old, new', SIZES)
def test_equals_torch(old, new):
  torch = pytest.importorskip('torch')
  x = normal(1, (2, *old, 3))
  theirs = torch.nn.functional.interpolate(
    torch.tensor(x).permute(0, 3, 1, 2),
    new,
    mode='bilinear',
    align_corners=True,
  )
  np.testing.assert_allclose(
    resize_align_corners(x, new),
    theirs.permute(0, 2, 3, 1).numpy(),
    rtol=1e-4,
    atol=1e-5,
  )


def test_laws():
  """Copies, corners, constants, planes, order of axes and of channels."""
  x = normal(2, (2, 5, 4, 3))
  x[0, 1, 2, 0] = np.nan
  np.testing.assert_array_equal(resize_align_corners(x, (5, 4)), x)
  x = np.nan_to_num(x)
  y = np.asarray(resize_align_corners(x, (11, 6)))
  np.testing.assert_array_equal(y[:, ::10, ::5], x[:, ::4, ::3])
  swapped = resize_align_corners(x.swapaxes(1, 2)[..., ::-1], (6, 11))
  np.testing.assert_allclose(
    swapped, y.swapaxes(1, 2)[..., ::-1], rtol=1e-5, atol=1e-6
  )
  ones = resize_align_corners(np.ones((1, 7, 5, 1), np.float32), (23, 30))
  np.testing.assert_allclose(ones, 1, rtol=2e-7)
  plane = np.add.outer(np.arange(4.0), 2 * np.arange(3.0))
  got = resize_align_corners(plane[None, :, :, None], (7, 5))[0, :, :, 0]
  wanted = np.add.outer(np.arange(7) / 2, np.arange(5.0))
  np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_half_precision_is_rounded_once_at_the_end(dtype):
  x = normal(3, (2, 4, 4, 3)).astype(jnp.dtype(dtype))
  y = resize_align_corners(x, (7, 9))
  assert y.dtype == x.dtype
  wide = resize_align_corners(x.astype(np.float32), (7, 9))
  np.testing.assert_array_equal(y, wide.astype(dtype))
  assert resize_align_corners(x, (4, 4)).dtype == x.dtype


def test_integers_become_float32():
  x = np.array([0, 255], np.uint8).reshape(1, 1, 2, 1)
  y = resize_align_corners(x, (1, 3))
  assert y.dtype == jnp.float32 and y.ravel().tolist() == [0, 127.5, 255]


@pytest.mark.parametrize('old, new', [((4, 3), (7, 8)), ((1, 6), (3, 2))])
def test_derivatives(old, new):
  """Of cubes: of order 2 by finite differences; and the map is linear."""
  with jax.enable_x64(True):
    x = normal(4, (2, *old, 2), np.float64)
    resize = functools.partial(resize_align_corners, size=new)
    np.testing.assert_allclose(
      resize(x), reference(x, new), rtol=1e-12, atol=1e-14
    )
    cubes = jax.jit(lambda x: resize(x) ** 3)
    check_grads(cubes, (x,), order=2, modes=['rev'])
    u = normal(5, (2, *new, 2), np.float64)
    slope = jax.jit(jax.grad(lambda x: jnp.vdot(u, resize(x))))(x)
    np.testing.assert_allclose(
      np.vdot(slope, x), np.vdot(u, resize(x)), rtol=1e-12
    )


@pytest.mark.parametrize(
  'shape, size, message',
  [
    ((8, 8, 3), (4, 4), r'resize_align_corners.*\[B, H, W, C\].*\(8, 8, 3\)'),
    ((1, 2, 8, 8, 3), (4, 4), r'\[B, H, W, C\]'),
    ((1, 8, 8, 3), (4,), r'two integers >= 1.*got \(4,\)'),
    ((1, 8, 8, 3), (4, 4, 4), r'two integers >= 1'),
    ((1, 8, 8, 3), 4, r'two integers >= 1.*got 4'),
    ((1, 8, 8, 3), (4, 0), r'got \(4, 0\)'),
    ((1, 8, 8, 3), (4, -1), r'got \(4, -1\)'),
    ((1, 8, 8, 3), (4, 2.5), r'got \(4, 2.5\)'),
    ((1, 0, 8, 3), (4, 4), r'at least one pixel.*\(1, 0, 8, 3\)'),
  ],
)
def test_errors_name_what_was_wanted(shape, size, message):
  with pytest.raises(ValueError, match=message):
    resize_align_corners(np.zeros(shape), size)

"""Reading at rows and columns: NumPy, both ways, the choice between them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax import _bilinear

WAYS = (_bilinear.by_gathers, _bilinear.by_products)
both_ways = pytest.mark.parametrize('way', WAYS)


def normal(seed, shape=(2, 8, 9, 3)):
  return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def places(seed, count, length):
  """Positions along an axis, both ends among them."""
  inner = np.random.default_rng(seed).uniform(0, length - 1, (2, count - 2))
  ends = np.tile([[0, length - 1]], (2, 1))
  return np.sort(np.concatenate([ends, inner], axis=1)).astype(np.float32)


def reference(images, rows, columns):
  """One line after the other."""
  result = []
  for image, row, column in zip(images, rows, columns, strict=True):
    for axis, line in ((0, row), (1, column)):
      image = np.apply_along_axis(
        lambda x, at=line: np.interp(at, np.arange(len(x)), x), axis, image
      )
    result.append(image)
  return np.array(result)


@both_ways
def test_reading_equals_numpy(way):
  images = normal(1)
  rows, columns = places(2, 5, 8), places(3, 11, 9)
  sampled = way(images, rows, columns)
  assert sampled.shape == (2, 5, 11, 3) and sampled.dtype == jnp.float32
  np.testing.assert_allclose(
    sampled, reference(images, rows, columns), rtol=1e-5, atol=1e-6
  )


@both_ways
def test_whole_positions_copy(way):
  images = normal(4)
  rows = np.array([[0, 2, 2, 7], [7, 6, 1, 0]], np.float32)
  columns = np.array([[8, 0], [3, 3]], np.float32)
  sampled = way(images, rows, columns)
  for example in range(2):
    at = np.ix_(rows[example].astype(int), columns[example].astype(int))
    np.testing.assert_array_equal(sampled[example], images[example][at])


def test_both_ways_have_the_same_derivatives():
  """At whole positions, too, where the slope to the right is taken."""
  images, u = normal(5), normal(6, (2, 5, 11, 3))
  rows, columns = places(2, 5, 8), places(3, 11, 9)
  rows[0, 1:3] = 4
  one, other = (
    jax.jit(
      jax.grad(lambda *x, way=way: jnp.vdot(u, way(*x) ** 2), argnums=(0, 1, 2))
    )(images, rows, columns)
    for way in WAYS
  )
  for got, wanted in zip(one, other, strict=True):
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('mapped', [False, True])
def test_the_platform_chooses_the_way(mapped):
  """Of values and of derivatives, under vmap, too; a program has but one."""
  images = normal(7)
  rows, columns = places(2, 5, 8), places(3, 11, 9)

  def each(*arrays):
    return _bilinear.bilinear_sample(*(array[None] for array in arrays))[0]

  def both(images, rows, columns):
    sample = jax.vmap(each) if mapped else _bilinear.bilinear_sample
    value, pull = jax.vjp(sample, images, rows, columns)
    return value, *pull(value)

  for platform in ('cpu', 'cuda', 'tpu'):
    exported = jax.export.export(jax.jit(both), platforms=[platform])
    text = exported(images, rows, columns).mlir_module()
    on_cpu = platform == 'cpu'
    assert ('stablehlo.gather' in text) == on_cpu
    assert ('stablehlo.dot_general' in text) != on_cpu
  value, pull = jax.vjp(_bilinear.by_products, images, rows, columns)
  got = jax.jit(both)(images, rows, columns)
  for one, other in zip(got, (value, *pull(value)), strict=True):
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_products_ask_for_full_precision():
  positions = places(2, 5, 8), places(3, 11, 9)
  text = str(jax.make_jaxpr(_bilinear.by_products)(normal(1), *positions))
  assert text.count('dot_general') == 2
  assert text.count('Precision.HIGHEST, Precision.HIGHEST') == 2

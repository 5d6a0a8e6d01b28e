"""at_distance(..., resize='bilinear') against half-pixel bilinear in NumPy."""

import functools

import jax
import numpy as np
import pytest

import at_jax


def normal(seed, shape):
  return np.random.default_rng(seed).standard_normal(shape)


def reference_resize(maps, size):
  """Half-pixel centres, one line at a time; no filter for the shrinking."""
  for axis, n_out in zip((1, 2), size, strict=True):
    n_in = maps.shape[axis]
    lines = []
    for i in range(n_out):
      x = (i + 0.5) * n_in / n_out - 0.5
      low = int(np.floor(x))
      left, right = (
        np.take(maps, min(j, n_in - 1), axis) for j in (low, low + 1)
      )
      lines.append((1 - (x - low)) * left + (x - low) * right)
    maps = np.stack(lines, axis)
  return maps


@pytest.mark.parametrize(
  'student_size, teacher_size, common',
  [
    ((4, 4), (8, 8), (4, 4)),
    ((4, 4), (7, 7), (4, 4)),
    ((3, 3), (5, 3), (3, 3)),
    ((5, 3), (3, 5), (3, 3)),
  ],
)
def test_maps_are_interpolated_then_normalised(
  student_size, teacher_size, common
):
  student = normal(1, (2, *student_size, 3))
  teacher = normal(2, (2, *teacher_size, 5))
  maps = [reference_resize((x**2).sum(3), common) for x in (student, teacher)]
  at = functools.partial(at_jax.at_distance, resize='bilinear')
  both_ways = jax.jit(lambda s, t: (at(s, t), at(t, s), at(s, t, form='paper')))
  *code, paper = both_ways(student, teacher)
  for result in code:
    expected = at_jax.map_distance(*maps)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-7)
  expected = at_jax.map_distance(*maps, form='paper')
  np.testing.assert_allclose(paper, expected, rtol=1e-5, atol=1e-7)


def test_shrinking_is_not_antialiased():
  teacher = np.zeros((1, 8, 8, 1), np.float32)
  teacher[0, 1, 1] = 1  # 8 -> 2 reads the lines 1, 2, 5, 6 only
  student = np.array([1.0, 0, 0, 0]).reshape(1, 2, 2, 1)
  assert at_jax.at_distance(student, teacher, resize='bilinear') == 0
  teacher = np.roll(teacher, -1, axis=1)  # line 0 is not read: a dead map
  assert at_jax.at_distance(student, teacher, resize='bilinear') == 1 / 4


def test_features_are_not_interpolated():
  teacher = np.ones((1, 4, 4, 1), np.float32)
  teacher[0, :, 1::2] = -1  # features of mean 0, a map of ones
  student = np.ones((1, 2, 2, 1), np.float32)
  assert at_jax.at_distance(student, teacher, resize='bilinear') == 0


def test_equal_sizes_are_left_alone():
  student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 3))
  np.testing.assert_array_equal(
    at_jax.at_distance(student, teacher, resize='bilinear'),
    at_jax.at_distance(student, teacher),
  )


def test_derivatives_of_dead_maps_are_zero():
  student = normal(1, (2, 5, 3, 3)).astype(np.float32)
  teacher = normal(2, (2, 3, 3, 3)).astype(np.float32)
  student[0] = 0

  @jax.grad
  def gradient(student):
    return at_jax.at_distance(student, teacher, resize='bilinear').sum()

  both = jax.jit(lambda x: jax.jvp(gradient, (x,), (np.ones_like(student),)))
  for derivative in map(np.asarray, both(student)):
    assert np.isfinite(derivative).all()
    assert (derivative[0] == 0).all() and (derivative[1] != 0).any()

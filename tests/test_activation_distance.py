"""Distance of whole activations: by hand, NumPy in float64, laws, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax import activation_distance

FORMS = ('code', 'paper')
SHAPE = (4, 5, 4, 3)
SIZE = 5 * 4 * 3
all_forms = pytest.mark.parametrize('form', FORMS)


def normal(seed, shape=SHAPE, dtype=np.float32):
  # Arrays of NumPy, of few shapes: every eager operation of jax compiles.
  return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def reference(student, teacher, form):
  """Row by row in float64."""
  distances = []
  for pair in zip(student, teacher, strict=True):
    own, other = (
      x / np.sqrt(np.sum(x**2)) for x in (np.float64(x).ravel() for x in pair)
    )
    squares = np.square(own - other)
    distances.append(
      squares.sum() / squares.size if form == 'code' else squares.sum() ** 0.5
    )
  return np.array(distances)


def test_by_hand():
  student = jnp.array([[[[3.0, 0.0], [0.0, 4.0]]]] * 3)
  teacher = jnp.array(
    [
      [[[0.0, 0.0], [0.0, 2.0]]],  # .6 0 0 .8 and 0 0 0 1
      [[[-15.0, 0.0], [0.0, -20.0]]],  # opposite
      [[[0.3, 0.0], [0.0, 0.4]]],  # the same but for its size
    ]
  )
  code = activation_distance(student, teacher)
  np.testing.assert_allclose(code, [0.4 / 4, 1, 0], atol=1e-7)
  paper = activation_distance(student, teacher, form='paper')
  np.testing.assert_allclose(paper, [0.4**0.5, 2, 0], rtol=1e-6, atol=1e-7)


@all_forms
@pytest.mark.parametrize(
  'shape', [SHAPE, (2, 1, 1, 7), (3, 2, 6, 1), (1, 8, 8, 16)], ids=str
)
def test_equals_numpy(form, shape):
  student, teacher = normal(1, shape), normal(2, shape)
  distance = activation_distance(student, teacher, form=form)
  assert distance.shape == shape[:1] and distance.dtype == jnp.float32
  expected = reference(student, teacher, form)
  np.testing.assert_allclose(distance, expected, rtol=1e-5)


@all_forms
def test_laws(form):
  with jax.enable_x64(True):
    student, teacher = (normal(s, dtype=np.float64) for s in (1, 2))
    distance = functools.partial(activation_distance, form=form)
    value = np.asarray(distance(student, teacher))
    assert value.dtype == np.float64
    close = functools.partial(np.testing.assert_allclose, rtol=1e-12)
    close(value, reference(student, teacher, form))
    close(distance(teacher, student), value)
    sizes = np.array([7, 1e-3, 0.4, 1e5]).reshape(4, 1, 1, 1)
    close(distance(sizes * student, teacher), value)
    close(distance(student, sizes * teacher), value)
    # The sign counts: |a - b|^2 + |a + b|^2 = 4 for rows of norm 1.
    other = np.asarray(distance(-student, teacher))
    squares = (value, other) if form == 'code' else (value**2, other**2)
    close(sum(squares), 4 / SIZE if form == 'code' else 4)
    assert (np.abs(other - value) > 1e-3 * value).all()
    # Channels (and places) are paired one by one.
    for one in ((..., [2, 0, 1]), (slice(None), slice(None, None, -1))):
      close(distance(student[one], teacher[one]), value)
      moved = np.asarray(distance(student[one], teacher))
      assert (np.abs(moved - value) > 1e-3 * value).all()
    gradient = np.asarray(
      jax.grad(lambda x: distance(x, teacher).sum())(student)
    )
    assert (np.abs(gradient).max(axis=(1, 2, 3)) > 1e-4).all()
    euler = np.sum(student * gradient, axis=(1, 2, 3))
    np.testing.assert_allclose(euler, 0, atol=1e-14)


@all_forms
def test_bounds_are_reached_by_equal_and_opposite(form):
  x = normal(1)
  top = 4 / SIZE if form == 'code' else 2
  np.testing.assert_allclose(
    activation_distance(x, -3 * x, form=form), top, rtol=1e-6
  )
  value = activation_distance(x, normal(2), form=form)
  assert (value > 0).all() and (value < top).all()


@all_forms
def test_examples_do_not_see_each_other(form):
  student, teacher = normal(1), normal(2)
  whole = activation_distance(student, teacher, form=form)
  student[1], teacher[3] = 0, 99
  rest = activation_distance(student, teacher, form=form)
  np.testing.assert_array_equal(whole[::2], rest[::2])
  assert (whole[1::2] != rest[1::2]).all()


def test_the_norm_is_at_least_1e_12():
  student = np.zeros((1, 1, 1, 2), np.float32)
  student[..., 0] = 1e-14
  teacher = np.ones_like(student) * [1, 0]
  np.testing.assert_allclose(
    activation_distance(student, teacher), 0.99**2 / 2, rtol=1e-6
  )


@all_forms
def test_half_precision_in_float32_out(form):
  for dtype in ('bfloat16', 'float16'):
    half = [(9 * normal(s)).astype(jnp.dtype(dtype)) for s in (1, 2)]
    wide = [x.astype('float32') for x in half]
    expected = activation_distance(*wide, form=form)
    for pair in (half, (half[0], wide[1])):
      result = activation_distance(*pair, form=form)
      assert result.dtype == jnp.float32
      np.testing.assert_allclose(result, expected, rtol=1e-6)


@all_forms
def test_jit_and_vmap(form):
  distance = functools.partial(activation_distance, form=form)
  student, teacher = normal(1, (3, *SHAPE)), normal(2, (3, *SHAPE))
  eager = np.stack(
    [distance(*pair) for pair in zip(student, teacher, strict=True)]
  )
  close = functools.partial(np.testing.assert_allclose, rtol=1e-6)
  close(jax.jit(distance)(student[0], teacher[0]), eager[0])
  close(jax.jit(jax.vmap(distance))(student, teacher), eager)
  outer = jax.vmap(distance, in_axes=(None, 0))(student[0], teacher)
  close(outer[0], eager[0])


@all_forms
def test_nan_is_not_hidden_as_a_dead_activation(form):
  bad = normal(2)
  bad[0, 0, 0, 0] = np.nan
  distance = activation_distance(normal(1), bad, form=form)
  assert np.isnan(distance[0]) and np.isfinite(distance[1:]).all()


LAYOUT = r'activation_distance.*\[B, H, W, C\].*'
WRONG = [  # the regressor is the way out where only channels differ
  ([(2, 4, 4), (2, 4, 4, 3)], LAYOUT + r'\(2, 4, 4\)'),
  ([(2, 4, 4, 3), (2, 48)], LAYOUT + r'\(2, 48\)'),
  ([(2, 48), (2, 48)], LAYOUT + r'\(2, 48\)'),
  ([(2, 4, 4, 3), (2, 4, 4, 6)], r'\(2, 4, 4, 3\).*\(2, 4, 4, 6\).*1x1 reg'),
  ([(2, 4, 4, 3), (2, 4, 4, 1)], r'\(2, 4, 4, 3\) and \(2, 4, 4, 1\).*1x1 reg'),
  ([(2, 4, 4, 3), (2, 2, 2, 3)], r'\(2, 4, 4, 3\) and \(2, 2, 2, 3\)\.(?! A)'),
  ([(2, 4, 2, 3), (2, 2, 4, 3)], r'\(2, 4, 2, 3\) and \(2, 2, 4, 3\)\.(?! A)'),
  ([(2, 4, 4, 3), (1, 4, 4, 3)], r'\(2, 4, 4, 3\) and \(1, 4, 4, 3\)\.(?! A)'),
]


@pytest.mark.parametrize('shapes, message', WRONG)
def test_errors_name_both_shapes(shapes, message):
  for function in (activation_distance, jax.jit(activation_distance)):
    with pytest.raises(ValueError, match=message):
      function(*map(np.ones, shapes))


def test_unknown_form_names_the_nearest_and_all():
  x = np.ones((1, 2, 2, 1))
  for form, words in (('papr', "mean 'paper'"), ('', 'code, paper')):
    with pytest.raises(ValueError, match=words):
      activation_distance(x, x, form=form)

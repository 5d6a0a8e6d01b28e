"""Distance of whole activations where it is dead, equal, huge or tiny."""

import functools

import jax
import numpy as np
import pytest
from jax.test_util import check_grads

from at_jax import activation_distance

FORMS = ('code', 'paper')
SHAPE = (4, 5, 4, 3)
SIZE = 5 * 4 * 3
EPS = np.finfo(np.float32).eps
all_forms = pytest.mark.parametrize('form', FORMS)


def normal(seed, dtype=np.float32):
  return np.random.default_rng(seed).standard_normal(SHAPE).astype(dtype)


@functools.partial(jax.jit, static_argnames=('form', 'of'))
def derivatives(student, teacher, *, form='code', of=0):
  """Value, gradient, and its derivative along ones: of the `of`th argument."""

  def distance(x):
    pair = (x, teacher) if of == 0 else (student, x)
    return activation_distance(*pair, form=form)

  x = (student, teacher)[of]
  gradient = jax.grad(lambda x: distance(x).sum())
  return distance(x), *jax.jvp(gradient, (x,), (np.ones(SHAPE, x.dtype),))


def both(student, teacher, form):
  """NumPy's (value, first, second) for the student, then for the teacher."""
  for of in (0, 1):
    yield map(np.asarray, derivatives(student, teacher, form=form, of=of))


@all_forms
def test_order_2_against_finite_differences(form):
  with jax.enable_x64(True):
    check_grads(
      jax.jit(functools.partial(activation_distance, form=form)),
      tuple(normal(s, dtype=np.float64) for s in (1, 2)),
      order=2,
      modes=['rev'],
      rtol=1e-5,
      atol=1e-5,
    )


@all_forms
def test_dead_activations_in_a_batch(form):
  student, teacher = normal(1), normal(2)
  student[0], student[2], student[3, 0] = 0, 0, 0
  teacher[1:3] = 0
  one_dead = 1 / SIZE if form == 'code' else 1.0
  for results, dead in zip(
    both(student, teacher, form), ([0, 2], [1, 2]), strict=True
  ):
    value, *orders = results
    np.testing.assert_allclose(value[:3], [one_dead, one_dead, 0], rtol=1e-6)
    assert value[2] == 0 < value[3]
    for derivative in orders:
      assert np.isfinite(derivative).all()
      assert (derivative[dead] == 0).all() and (derivative[3] != 0).any()
  eager = activation_distance(student, teacher, form=form)
  np.testing.assert_allclose(eager, value, rtol=1e-6)


@all_forms
def test_branches_not_taken_hold_no_nan_either(form):
  zero = np.zeros(SHAPE, np.float32)
  with jax.debug_nans(True):  # of every operation, as none is compiled away
    _, *orders = derivatives.__wrapped__(zero, zero, form=form)
    for derivative in orders:
      np.testing.assert_array_equal(derivative, 0)
  _, *orders = derivatives(zero, normal(1), form=form)
  for derivative in orders:
    np.testing.assert_array_equal(derivative, 0)


@all_forms
def test_nearly_equal_is_not_equal(form):
  student, noise = normal(1, np.float64), normal(2, np.float64)
  for size in (1e-4, 1e-2):
    other = student * (1 + size * noise)
    rows = [
      x.reshape(4, -1) / np.sqrt(np.sum(x**2, axis=(1, 2, 3)))[:, None]
      for x in (student, other)
    ]
    squares = np.square(rows[0] - rows[1])
    want = squares.mean(1) if form == 'code' else np.sqrt(squares.sum(1))
    got = activation_distance(np.float32(student), np.float32(other), form=form)
    np.testing.assert_allclose(got, want, rtol=0.02)


def test_a_difference_whose_square_is_zero():
  student, teacher = np.zeros((2, *SHAPE), np.float32)
  student[..., 0] = teacher[..., 0] = 1
  student[:, 0, 0, 1] = 1e-30
  value, *orders = derivatives(student, teacher, form='paper')
  np.testing.assert_allclose(value, 1e-30 / 20**0.5, rtol=1e-5)
  for derivative in orders:
    assert np.isfinite(derivative).all()


@all_forms
def test_equal_arguments(form):
  x = normal(1)
  x[0, 0, 0] = 0
  eager, first = jax.value_and_grad(
    lambda one: activation_distance(one, x, form=form).sum()
  )(x)
  assert eager == 0 and not np.any(first)
  for other in (x, np.float32(0.37) * x):
    for value, first, second in both(x, other, form):
      if form == 'paper':
        # The norm has a kink here: its second derivative is defined as 0.
        for number in (value, first, second):
          np.testing.assert_array_equal(number, 0)
      else:
        # A compiler may round the two sides differently: not quite 0.
        assert (value <= (4 * EPS) ** 2).all()
        assert (np.abs(first) <= 4 * EPS).all()
        assert np.isfinite(second).all() and (second != 0).any()


@all_forms
@pytest.mark.parametrize('scale', [1e30, 1e-9])
def test_huge_and_tiny_activations(form, scale):
  student, teacher = normal(1), normal(2)
  scale = np.float32(scale)
  for of, pair in enumerate(
    [(scale * student, teacher), (student, scale * teacher)]
  ):
    want, gradient, _ = derivatives(student, teacher, form=form, of=of)
    value, first, _ = derivatives(*pair, form=form, of=of)
    np.testing.assert_allclose(value, want, rtol=1e-5)
    np.testing.assert_allclose(scale * first, gradient, rtol=1e-4, atol=1e-6)


@all_forms
def test_gradient_of_the_teacher_is_not_stopped(form):
  student, teacher = normal(1), normal(2)
  _, first, _ = derivatives(student, teacher, form=form, of=1)
  _, swapped, _ = derivatives(teacher, student, form=form)
  np.testing.assert_allclose(first, swapped, rtol=1e-5, atol=1e-8)
  assert (np.asarray(first) != 0).all()

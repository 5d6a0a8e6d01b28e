"""soft_target_cross_entropy: golden values, NumPy, its relation to the rest."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import at_jax

STUDENT = np.array([[2, 0, -1]], np.float32)
TEACHER = np.array([[1, 1, 0]], np.float32)


def logits(seed):
  values = np.random.default_rng(seed).standard_normal((4, 10))
  return (3 * values).astype(np.float32)


def softmax(x, temperature):
  x = np.exp(np.asarray(x, np.float64) / temperature)
  return x / x.sum(axis=1, keepdims=True)


def entropy(x, temperature):
  p = softmax(x, temperature)
  return -np.sum(p * np.log(p), axis=1)


def test_golden_values():
  loss, pull = jax.vjp(
    lambda s: at_jax.soft_target_cross_entropy(s, TEACHER), STUDENT
  )
  np.testing.assert_allclose(loss, [1.102130], rtol=2e-6)
  (gradient,) = pull(np.ones(1, np.float32))
  np.testing.assert_allclose(
    gradient, [[0.004644, -0.002438, -0.002206]], atol=1e-6
  )
  itself = at_jax.soft_target_cross_entropy(TEACHER, TEACHER)
  np.testing.assert_allclose(itself, [1.097527], rtol=2e-6)


@pytest.mark.parametrize('temperature', [1, 10.0])
@pytest.mark.parametrize('t_squared', [False, True])
def test_equals_numpy_and_itself_compiled(temperature, t_squared):
  student, teacher = logits(1), logits(2)
  loss = functools.partial(
    at_jax.soft_target_cross_entropy,
    temperature=temperature,
    t_squared=t_squared,
  )
  got = loss(student, teacher)
  assert got.shape == (4,) and got.dtype == jnp.float32
  p, q = softmax(teacher, temperature), softmax(student, temperature)
  wanted = -np.sum(p * np.log(q), axis=1)
  wanted *= temperature**2 if t_squared else 1
  np.testing.assert_allclose(got, wanted, rtol=1e-5)
  np.testing.assert_allclose(jax.jit(loss)(student, teacher), got, rtol=1e-5)


def test_is_the_divergence_and_the_entropy_of_the_teacher():
  student, teacher = logits(3), logits(4)
  loss = at_jax.soft_target_cross_entropy(
    student, teacher, temperature=3.0, t_squared=True
  )
  divergence = at_jax.kd_divergence(student, teacher, temperature=3.0)
  wanted = divergence + 9 * entropy(teacher, 3.0)
  np.testing.assert_allclose(loss, wanted, rtol=1e-5)


def test_default_temperature_is_10_without_its_square():
  loss = at_jax.soft_target_cross_entropy(logits(1), logits(2))
  np.testing.assert_array_equal(
    loss,
    at_jax.soft_target_cross_entropy(
      logits(1), logits(2), temperature=10.0, t_squared=False
    ),
  )


def test_shifted_logits_and_other_examples_change_nothing():
  student, teacher = logits(5), logits(6)
  loss = at_jax.soft_target_cross_entropy(student, teacher)
  moved = at_jax.soft_target_cross_entropy(student + 5, teacher - 7)
  np.testing.assert_allclose(moved, loss, rtol=1e-4)
  student[1], teacher[3] = 0, 99
  again = at_jax.soft_target_cross_entropy(student, teacher)
  np.testing.assert_array_equal(again[::2], loss[::2])


def test_gradients_reach_both_and_agree_with_finite_differences():
  with jax.enable_x64(True):
    pair = [logits(seed).astype(np.float64) for seed in (7, 8)]
    loss = jax.jit(at_jax.soft_target_cross_entropy)
    assert loss(*pair).dtype == jnp.float64
    check_grads(loss, pair, order=2, modes=['rev'])
  of_teacher = jax.grad(lambda t: loss(logits(7), t).sum())(logits(8))
  assert (np.abs(of_teacher).max(axis=1) > 1e-4).all()


def test_extreme_logits():
  student, teacher = np.full((2, 2, 10), -1e4, np.float32)
  student[:, 0], teacher[0, 0], teacher[1, 1] = 1e4, 1e4, 1e4
  loss = jax.jit(jax.value_and_grad(lambda s: soft(s, teacher).sum()))
  soft = at_jax.soft_target_cross_entropy
  np.testing.assert_allclose(soft(student, teacher), [0, 2e3], rtol=1e-6)
  assert np.isfinite(loss(student)[1]).all()
  ruled_out = np.array([[0.0, -np.inf]], np.float32)
  np.testing.assert_array_equal(soft(ruled_out, ruled_out), [0])
  student = np.zeros((1, 2), np.float32)
  np.testing.assert_allclose(soft(student, ruled_out), [np.log(2)], rtol=1e-6)
  gradient = jax.grad(lambda s: soft(s, ruled_out).sum())(student)
  np.testing.assert_allclose(gradient, [[-0.05, 0.05]], rtol=1e-6)


def test_half_precision_in_float32_out():
  half = [logits(seed).astype(jnp.bfloat16) for seed in (1, 2)]
  loss = at_jax.soft_target_cross_entropy(*half)
  assert loss.dtype == jnp.float32
  wide = [x.astype(np.float32) for x in half]
  np.testing.assert_array_equal(loss, at_jax.soft_target_cross_entropy(*wide))


@pytest.mark.parametrize(
  'shapes, temperature, message',
  [
    ([(10,), (10,)], 1, r'soft_target_cross_entropy.*\[B, K\].*\(10,\)'),
    ([(4, 10), (4, 1, 10)], 1, r'\[B, K\].*\(4, 1, 10\)'),
    ([(4, 10), (4, 100)], 1, r'\(4, 10\) and \(4, 100\).*same classes'),
    ([(4, 10), (1, 10)], 1, r'\(1, 10\)'),
    ([(4, 10), (4, 10)], 0, 'temperature of soft_target.*got 0'),
  ],
)
def test_errors_name_what_was_wanted(shapes, temperature, message):
  pair = [np.zeros(shape, np.float32) for shape in shapes]
  loss = functools.partial(
    at_jax.soft_target_cross_entropy, temperature=temperature
  )
  for function in (loss, jax.jit(loss)):
    with pytest.raises(ValueError, match=message):
      function(*pair)

"""Derivatives of distances of gradients, alone and through a linear model."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax import (
  gradient_distance,
  gradient_penalty,
  input_gradient,
  symmetry_distance,
)

SHAPE = (4, 3, 4, 2)
AXES = (1, 2, 3)
EPS = np.finfo(np.float32).eps


def normal(seed, shape=SHAPE, dtype=np.float32):
  return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


TANGENT = normal(0)


def mirror(x):
  return x[:, :, ::-1]


def penalty(own, other, *, squared):
  del other
  return gradient_penalty(own, squared=squared)


MEASURES = {  # `[B]`, by name and by whether they are squared
  (name, squared): functools.partial(function, squared=squared)
  for squared in (True, False)
  for name, function in (
    ('distance', gradient_distance),
    ('symmetry', symmetry_distance),
    ('penalty', penalty),
  )
}


def derivatives_of(measure, one, other):
  """Value, both gradients, and these along `TANGENT` of the first argument."""
  gradient = jax.grad(lambda *pair: measure(*pair).sum(), argnums=(0, 1))
  tangents = jnp.asarray(TANGENT, one.dtype), jnp.zeros_like(other)
  return measure(one, other), *jax.jvp(gradient, (one, other), tangents)


@jax.jit
def jitted(one, other):
  return [derivatives_of(measure, one, other) for measure in MEASURES.values()]


def derivatives(one, other):
  """(name, squared, value, first, second) of every distance, in NumPy."""
  results = jax.tree.map(np.asarray, jitted(one, other))
  for (name, squared), (value, first, second) in zip(
    MEASURES, results, strict=True
  ):
    if name == 'penalty':  # knows one argument
      first, second = first[:1], second[:1]
    yield name, squared, value, np.stack(first), np.stack(second)


def test_by_hand():
  one, other = normal(1, dtype=np.float64), normal(2, dtype=np.float64)
  differences = {
    'distance': one - other,
    'symmetry': one - mirror(other),
    'penalty': one,
  }
  with jax.enable_x64(True):
    for name, squared, _, *orders in derivatives(one, other):
      difference, step = differences[name], np.float64(TANGENT)
      norm = np.sqrt(np.sum(difference**2, axis=AXES, keepdims=True))
      unit = difference / norm
      radial = unit * np.sum(unit * step, axis=AXES, keepdims=True)
      wants = (
        (2 * difference, 2 * step)
        if squared
        else (unit, (step - radial) / norm)
      )
      for order, want in zip(orders, wants, strict=True):
        np.testing.assert_allclose(order[0], want, rtol=1e-9, atol=1e-12)
        if name != 'penalty':  # the second argument's gradient is not stopped
          want = mirror(want) if name == 'symmetry' else want
          np.testing.assert_allclose(order[1], -want, rtol=1e-9, atol=1e-12)


def test_zero_and_equal_gradients_in_a_batch():
  one, other = normal(1), normal(2)
  one[2:, 0] = 0
  one[0] = other[0] = 0
  one[2, :, 2:] = mirror(one)[2, :, 2:]  # its own mirror image
  other[2] = one[2]
  for name, squared, value, first, second in derivatives(one, other):
    equal = [0] if name == 'penalty' else [0, 2]
    rest = [i for i in range(4) if i not in equal]
    assert (value[equal] == 0).all() and (value[rest] > 1).all()
    assert (first[:, equal] == 0).all()
    assert (np.abs(first[:, rest]).sum(axis=(2, 3, 4)) > 1).all()
    assert np.isfinite(second).all()
    if squared:
      np.testing.assert_array_equal(second[0], 2 * TANGENT)
    else:  # a kink, where the second derivative is defined as 0
      assert (second[:, equal] == 0).all() and (second[:, rest] != 0).any()


@pytest.mark.parametrize('name', ['distance', 'penalty'])
def test_branches_not_taken_hold_no_nan_either(name):
  zero = np.zeros(SHAPE)  # in float64, to share operations with a test below
  # Of every operation, as none is compiled away.
  with jax.enable_x64(True), jax.debug_nans(True):
    results = derivatives_of(MEASURES[name, False], zero, zero)
  for number in jax.tree.leaves(results):
    np.testing.assert_array_equal(number, 0)


def test_the_norm_of_a_rounding_error_is_zero():
  one, noise = normal(1), np.float32(1e-4) * normal(2)
  one += mirror(one)
  other = one * np.float32(1 + 4 * EPS)
  assert (other != one).any()
  for name, squared, *numbers in derivatives(one, other):
    if name != 'penalty' and not squared:
      for number in numbers:
        np.testing.assert_array_equal(number, 0)
  # Nearly equal is not equal.
  for name, squared, value, first, _ in derivatives(one, one + noise):
    if name != 'penalty' and not squared:
      norm = np.sqrt(np.sum(noise**2, axis=AXES))
      np.testing.assert_allclose(value, norm, rtol=1e-2)
      lengths = np.sqrt(np.sum(first**2, axis=(2, 3, 4)))
      np.testing.assert_allclose(lengths, 1, rtol=1e-5)


@pytest.mark.parametrize('scale', [1e30, 1e-30])
def test_norms_of_huge_and_tiny_gradients(scale):
  pair, scale = (normal(1), normal(2)), np.float32(scale)
  usual, scaled = derivatives(*pair), derivatives(*(scale * x for x in pair))
  for want, got in zip(usual, scaled, strict=True):
    if not want[1]:
      np.testing.assert_allclose(got[2] / scale, want[2], rtol=1e-5)
      np.testing.assert_allclose(got[3], want[3], rtol=1e-4, atol=1e-6)
      np.testing.assert_allclose(scale * got[4], want[4], rtol=1e-4, atol=1e-6)


# Double backpropagation by hand: for linear softmax, J = W (p - y).

CLASSES, LABELS = 3, np.array([1, 0, 2, 1])
IMAGES, TEACHER = normal(3, dtype=np.float64), normal(4, dtype=np.float64)
SIZE = IMAGES[0].size
WEIGHTS = normal(5, (SIZE, CLASSES), np.float64) / 4


def model(weights, images, teacher, factors):
  """`factors` times every measure and the loss, in the passes of a training."""

  def loss(images):
    logits = images.reshape(len(images), -1) @ weights
    log_p = jax.nn.log_softmax(logits)
    picked = jnp.take_along_axis(log_p, LABELS[:, None], axis=1)[:, 0]
    return -picked, -picked

  own, losses = input_gradient(loss, images, has_aux=True)
  flipped, _ = input_gradient(loss, mirror(images), has_aux=True)
  others = {'distance': teacher, 'symmetry': flipped, 'penalty': None}
  values = [
    measure(own, others[name]) for (name, _), measure in MEASURES.items()
  ]
  return factors @ jnp.stack([x.sum() for x in (*values, losses)])


FACTORS = dict(zip((*MEASURES, 'loss'), np.eye(len(MEASURES) + 1), strict=True))
model_gradient = jax.jit(jax.grad(model))


def parts_of(images):
  """(x, p - y, p, J), one row an example."""
  x = images.reshape(len(images), -1)
  p = np.exp(x @ WEIGHTS)
  p /= p.sum(axis=1, keepdims=True)
  error = p - np.eye(CLASSES)[LABELS]
  return x, error, p, (error @ WEIGHTS.T).reshape(images.shape)


def second_order(images, direction):
  """d/dW of the sum of direction . J."""
  x, error, p, _ = parts_of(images)
  direction = direction.reshape(x.shape)
  back = direction @ WEIGHTS
  back = p * (back - np.sum(p * back, axis=1, keepdims=True))
  return direction.T @ error + x.T @ back


def test_linear_softmax_against_its_closed_form():
  x, error, _, own = parts_of(IMAGES)
  differences = {
    'distance': own - TEACHER,
    'symmetry': own - mirror(parts_of(mirror(IMAGES))[-1]),
    'penalty': own,
  }
  wants = {'loss': x.T @ error}
  for name, squared in MEASURES:
    difference = differences[name]
    norm = np.sqrt(np.sum(difference**2, axis=AXES, keepdims=True))
    direction = difference * (2 if squared else 1 / norm)
    wants[name, squared] = second_order(IMAGES, direction)
    if name == 'symmetry':
      mirrored = second_order(mirror(IMAGES), mirror(direction))
      wants[name, squared] -= mirrored
  with jax.enable_x64(True):
    for name, factors in FACTORS.items():
      got = np.asarray(model_gradient(WEIGHTS, IMAGES, TEACHER, factors))
      close = np.linalg.norm(got - wants[name]) / np.linalg.norm(wants[name])
      assert close < 1e-12, name


def test_a_model_of_zeros_listens_to_nothing_and_eager_is_jit():
  zeros, factors = np.zeros((2, *IMAGES.shape)), sum(FACTORS.values())
  factors[-1] = 0  # the loss
  with jax.enable_x64(True):
    for weights, teacher in ((0 * WEIGHTS, zeros[0]), (WEIGHTS, TEACHER)):
      jitted = model_gradient(weights, IMAGES, teacher, factors)
      with jax.debug_nans(True):  # of every operation
        eager = jax.grad(model)(weights, IMAGES, teacher, factors)
      np.testing.assert_allclose(eager, jitted, rtol=1e-11, atol=1e-13)
      assert np.any(eager) == (weights is WEIGHTS)

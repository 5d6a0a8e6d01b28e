"""Gradients with respect to images, and distances of them: values, errors."""

import functools
import re

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

SHAPE = (4, 5, 6, 3)
PAIRS = (gradient_distance, symmetry_distance)
FUNCTIONS = (*PAIRS, gradient_penalty)
HEIGHT, WIDTH = np.s_[:, ::-1], np.s_[:, :, ::-1]  # mirrored
close = functools.partial(np.testing.assert_allclose, rtol=1e-5)


def normal(seed, shape=SHAPE, dtype=np.float32):
  # Arrays of NumPy, of few shapes: every eager operation of jax compiles.
  return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def arguments(function, one, other):
  return (one, other) if function in PAIRS else (one,)


def measures(one, other):
  """`[6, B]`: squares of the three functions, then norms."""
  return jnp.stack(
    [
      function(*arguments(function, one, other), squared=squared)
      for squared in (True, False)
      for function in FUNCTIONS
    ]
  )


jitted = jax.jit(measures)


def reference(one, other):
  """`measures` pixel by pixel in float64."""
  squares = np.zeros((3, len(one)))
  for b, i, j, k in np.ndindex(one.shape):
    x, y = float(one[b, i, j, k]), float(other[b, i, j, k])
    mirrored = float(other[b, i, one.shape[2] - 1 - j, k])
    squares[:, b] += (x - y) ** 2, (x - mirrored) ** 2, x**2
  return np.concatenate([squares, np.sqrt(squares)])


def test_by_hand():
  student = np.array([[[[1.0, 2.0], [3.0, 4.0]]], [[[0.0, 0.0], [0.0, 6.0]]]])
  teacher = np.array([[[[1.0, 0.0], [4.0, 2.0]]], [[[0.0, 8.0], [0.0, 6.0]]]])
  for function, squares in (
    (gradient_distance, [0 + 4 + 1 + 4, 64]),
    (gradient_penalty, [1 + 4 + 9 + 16, 36]),
    (symmetry_distance, [9 + 0 + 4 + 16, 36 + 4]),
  ):
    pair = arguments(function, student, teacher)
    close(function(*pair), squares)
    close(function(*pair, squared=True), squares)
    close(function(*pair, squared=False), np.sqrt(squares))
  close(jitted(student, teacher), measures(student, teacher), rtol=1e-6)


@pytest.mark.parametrize('shape', [(2, 1, 1, 1), (1, 3, 7, 2)], ids=str)
def test_equals_numpy(shape):
  one, other = normal(1, shape), normal(2, shape)
  result = jitted(one, other)
  assert result.shape == (6, shape[0]) and result.dtype == jnp.float32
  close(result, reference(one, other))


def test_laws_of_the_distances():
  one, other = (normal(s, dtype=np.float64) for s in (1, 2))
  with jax.enable_x64(True):

    def values(*pair):
      return np.asarray(jitted(*pair))

    near = functools.partial(np.testing.assert_allclose, rtol=1e-12)
    value = values(one, other)
    assert value.dtype == np.float64
    near(value, reference(one, other))
    order = [2, 0, 3, 1]
    near(values(one[order], other[order]), value[:, order])
    near(values(one[:1], other[:1]), value[:, :1])
    swapped = values(other, one)
    near(swapped[[0, 1, 3, 4]], value[[0, 1, 3, 4]])
    # Nothing is normalised.
    factors = np.array([[9.0]] * 3 + [[3.0]] * 3)
    near(values(-3 * one, -3 * other), factors * value)
    near(values(one, 0 * one), value[[2, 2, 2, 5, 5, 5]])
    # Pixels and channels are paired one by one; only the width is mirrored,
    # and only that of the second argument.
    for part in (HEIGHT, WIDTH, np.s_[..., [1, 2, 0]]):
      moved = values(one, other[part])[[0, 1, 3, 4]]
      assert (np.abs(moved / value[[0, 1, 3, 4]] - 1) > 1e-3).all()
    near(values(one, other[WIDTH]), value[[1, 0, 2, 4, 3, 5]])
    assert not values(one, one[WIDTH])[[1, 4]].any()


def test_examples_do_not_see_each_other():
  one, other = normal(1), normal(2)
  whole = np.asarray(jitted(one, other))
  one[1], one[3, 0, 0, 0] = 1e6, np.nan
  rest = np.asarray(jitted(one, other))
  np.testing.assert_array_equal(whole[:, ::2], rest[:, ::2])
  assert (rest[:, 1] > 1e6).all() and np.isnan(rest[:, 3]).all()


def test_sums_are_taken_in_float32():
  half = [jnp.asarray(99 * normal(s), jnp.bfloat16) for s in (1, 2)]
  low = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
  for one, other in (half, (half[0], normal(2)), (low, ~low), (~low, low)):
    result = jitted(one, other)
    assert result.dtype == jnp.float32
    expected = reference(np.float32(one), np.float32(other))
    close(result, expected, rtol=1e-6)


def test_vmap():
  one, other = normal(1, (2, *SHAPE)), normal(2, (2, *SHAPE))
  stack = jax.jit(jax.vmap(measures))(one, other)
  for i in range(2):
    close(stack[i], jitted(one[i], other[i]), rtol=1e-6)


GOOD = (2, 4, 4, 3)


@pytest.mark.parametrize('function', FUNCTIONS)
@pytest.mark.parametrize('shape', [(2, 4, 4), (2, 48), (1, 2, 4, 4, 3), ()])
def test_wrong_rank(function, shape):
  layout = r' wants shape \[B, H, W, C\], got '
  message = function.__name__ + layout + re.escape(str(shape))
  pairs = [(shape, GOOD), (shape, shape)]
  if function in PAIRS:
    pairs.append((GOOD, shape))
  for pair in pairs:
    with pytest.raises(ValueError, match=message):
      jax.jit(function)(*arguments(function, *map(np.ones, pair)))


@pytest.mark.parametrize('function', PAIRS)
@pytest.mark.parametrize(
  'shape', [(2, 4, 4, 1), (1, 4, 4, 3), (2, 4, 1, 3), (2, 8, 2, 3)], ids=str
)
def test_nothing_broadcasts(function, shape):
  message = rf'{function.__name__}.*{re.escape(f"{GOOD} and {shape}")}'
  with pytest.raises(ValueError, match=message):
    function(np.ones(GOOD), np.ones(shape))


# Of input_gradient: for linear softmax, J = W (p - y).

IMAGES, LABELS = normal(3), np.array([1, 0, 2, 1])
WEIGHTS = normal(4, (5 * 6 * 3, 3))


def cross_entropy(images):
  logits = images.reshape(len(images), -1) @ WEIGHTS.astype(images.dtype)
  log_p = jax.nn.log_softmax(logits)
  return -jnp.take_along_axis(log_p, LABELS[:, None], axis=1)[:, 0]


def closed_form(images):
  logits = np.float64(images).reshape(len(images), -1) @ np.float64(WEIGHTS)
  p = np.exp(logits - logits.max(axis=1, keepdims=True))
  p /= p.sum(axis=1, keepdims=True)
  return ((p - np.eye(3)[LABELS]) @ WEIGHTS.T).reshape(images.shape)


def test_linear_softmax_against_its_closed_form():
  jitted = jax.jit(functools.partial(input_gradient, cross_entropy))
  close(jitted(IMAGES), closed_form(IMAGES), atol=1e-5)
  stack = jax.vmap(jitted)(np.stack([IMAGES, IMAGES[HEIGHT]]))
  close(stack[1], closed_form(IMAGES[HEIGHT]), atol=1e-5)
  with jax.enable_x64(True):
    gradient = np.asarray(jitted(np.float64(IMAGES)))
  assert gradient.dtype == np.float64
  close(gradient, closed_form(IMAGES), rtol=1e-12)


def test_aux_is_handed_through_and_the_loss_called_once():
  calls = []

  def loss(images):
    calls.append(images)
    return cross_entropy(images), {'twice': 2 * images, 'name': None}

  gradient, aux = input_gradient(loss, IMAGES, has_aux=True)
  assert len(calls) == 1
  close(gradient, closed_form(IMAGES), atol=1e-5)
  assert aux.keys() == {'twice', 'name'} and aux['name'] is None
  np.testing.assert_array_equal(aux['twice'], 2 * IMAGES)


def test_a_dict_of_arrays_of_any_rank_and_dtype():
  arrays = {
    'image': (40 * np.abs(IMAGES)).astype(np.uint8),
    'half': jnp.asarray(normal(1, (4, 5)), jnp.bfloat16),
  }

  def loss(arrays):
    assert all(x.dtype == jnp.float32 for x in arrays.values())
    squares = jnp.sum(arrays['half'] ** 2, axis=1)
    return cross_entropy(arrays['image'] / 255) + squares

  gradients = jax.jit(lambda x: input_gradient(loss, x))(arrays)
  assert all(x.dtype == jnp.float32 for x in gradients.values())
  assert gradients.keys() == arrays.keys()
  close(gradients['half'], 2 * np.float32(arrays['half']))
  expected = closed_form(np.float32(arrays['image']) / 255) / 255
  close(gradients['image'], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
  'loss, shape',
  [
    (lambda x: cross_entropy(x).mean(), ()),
    (lambda x: cross_entropy(x)[:, None], (4, 1)),
    (lambda x: cross_entropy(x)[:3], (3,)),
    (lambda x: x, SHAPE),
  ],
)
def test_losses_of_another_shape_than_the_batch(loss, shape):
  shapes = rf'one loss an example, shape \(4,\), got {re.escape(str(shape))}:'
  for function, more in (
    (loss, {}),
    (lambda x: (loss(x), x), {'has_aux': True}),
  ):
    gradient = jax.jit(functools.partial(input_gradient, function, **more))
    with pytest.raises(ValueError, match=shapes + '.* mean or sum'):
      gradient(IMAGES)


@pytest.mark.parametrize(
  'images',
  [np.float32(1), {}, None, {'a': 1.0}, {'a': np.ones(2), 'b': np.ones(3)}],
)
def test_no_batch_of_images(images):
  with pytest.raises(ValueError, match='whose first axis is one batch'):
    input_gradient(cross_entropy, images)


@pytest.mark.parametrize('has_aux', [False, True])
def test_a_pair_and_has_aux_go_together(has_aux):
  def losses(images):
    one = jnp.sum(images, axis=(1, 2, 3))
    return one if has_aux else (one, 1)

  with pytest.raises(ValueError, match=f'has_aux is {has_aux}'):
    input_gradient(losses, np.ones((2, 3, 3, 1)), has_aux=has_aux)

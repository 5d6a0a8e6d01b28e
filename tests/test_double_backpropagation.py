"""Training through gradients of convolutional networks: laws, differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax import (
  gradient_distance,
  gradient_penalty,
  input_gradient,
  max_pool_ceil,
  symmetry_distance,
)

NAMES = tuple(
  (name, squared)
  for squared in (True, False)
  for name in ('distance', 'symmetry', 'penalty')
)
COUNT, HEIGHT, WIDTH, CHANNELS, CLASSES = 3, 4, 6, 2, 3
LABELS = np.array([1, 0, 2])


def normal(seed, *shape):
  return np.random.default_rng(seed).standard_normal(shape)


IMAGES = normal(0, COUNT, HEIGHT, WIDTH, CHANNELS)
TEACHER = normal(9, *IMAGES.shape) / 4  # its gradient


# Of networks whose parameters are one vector.
SHAPES = {
  'kernel': (3, 3, CHANNELS, 4),
  'bias': (1, 1, 1, 4),
  'head': (4, CLASSES),
}


def unpacked(vector):
  ends = np.cumsum([np.prod(shape) for shape in SHAPES.values()])
  parts = jnp.split(vector, ends[:-1])
  pairs = zip(SHAPES.items(), parts, strict=True)
  return {name: part.reshape(shape) for (name, shape), part in pairs}


def parameters(seed, **changed):
  params = {name: normal(seed + len(name), *SHAPES[name]) for name in SHAPES}
  params['kernel'] /= 2
  params |= changed
  return np.concatenate([x.ravel() for x in params.values()])


def convolutional(vector, images, *, smooth):
  params = unpacked(vector)
  x = jax.lax.conv_general_dilated(
    images,
    params['kernel'],
    (1, 1),
    'SAME',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )
  x = x + params['bias']
  if smooth:
    x = jax.nn.softplus(x).reshape(-1, HEIGHT // 2, 2, WIDTH // 2, 2, 4)
    x = x.mean(axis=(2, 4))
  else:
    x = max_pool_ceil(jax.nn.relu(x))
  return x.mean(axis=(1, 2)) @ params['head']


SMOOTH, KINKED = (
  functools.partial(convolutional, smooth=smooth) for smooth in (True, False)
)


def cross_entropy(network, params, images, labels=LABELS):
  log_p = jax.nn.log_softmax(network(params, images))
  return -jnp.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]


def distances(network, params):
  """Means over the batch, `[6]`, by `NAMES`."""

  def gradient(images):
    return input_gradient(
      functools.partial(cross_entropy, network, params), images
    )

  own, flipped = gradient(IMAGES), gradient(IMAGES[:, :, ::-1])
  values = {}
  for squared in (True, False):
    values |= {
      ('distance', squared): gradient_distance(own, TEACHER, squared=squared),
      ('symmetry', squared): symmetry_distance(own, flipped, squared=squared),
      ('penalty', squared): gradient_penalty(own, squared=squared),
    }
  return jnp.stack([values[name].mean() for name in NAMES])


@functools.partial(jax.jit, static_argnums=0)
def value_and_grad(network, params, weights):
  """`distances`, and the gradient of their sum with `weights`."""

  def weighed(params):
    values = distances(network, params)
    return weights @ values, values

  (_, values), gradient = jax.value_and_grad(weighed, has_aux=True)(params)
  return values, gradient


ONE_BY_ONE = dict(zip(NAMES, np.eye(len(NAMES)), strict=True))


def assert_close(got, want, tolerance, name=''):
  """By the norm of everything, as weights differ in size."""
  error = np.linalg.norm(got - want) / np.linalg.norm(want)
  assert error < tolerance, (name, error)


def test_examples_have_their_own_gradients_whatever_the_batch():
  params = np.float32(parameters(1))

  @jax.jit
  def gradient(images, labels):
    loss = functools.partial(cross_entropy, SMOOTH, params, labels=labels)
    return input_gradient(loss, images)

  images = np.float32(IMAGES)
  whole = np.asarray(gradient(images, LABELS))
  for i in range(COUNT):
    alone = gradient(images[i : i + 1], LABELS[i : i + 1])
    np.testing.assert_allclose(alone[0], whole[i], rtol=1e-4, atol=1e-5)


# A step that crosses a kink of the second network would break its gradient: it
# is small, and the seed a lucky one.
@pytest.mark.parametrize('network, step', [(SMOOTH, 1e-5), (KINKED, 1e-7)])
def test_against_finite_differences(network, step):
  point, weights = parameters(1), np.ones(len(NAMES))
  with jax.enable_x64(True):
    ends = [
      [value_and_grad(network, point + s * row, weights)[0] for s in (1, -1)]
      for row in step * np.eye(point.size)
    ]
    numeric = -np.diff(np.array(ends), axis=1)[:, 0].T / (2 * step)
    for (name, weights), want in zip(ONE_BY_ONE.items(), numeric, strict=True):
      values, gradient = value_and_grad(network, point, weights)
      assert (values > 1e-3).all() and values.dtype == np.float64
      assert_close(gradient, want, 1e-6, name)


def test_equation_5():
  """The distance's gradient is beta (J_S - J_T) d2L/dWdx."""
  beta, params = 3.0, parameters(1)

  @jax.jit
  def equation(params):
    def total(params, images):
      return cross_entropy(KINKED, params, images).sum()

    # Forwards over x, backwards over W: unlike what is tested.
    own = jax.grad(total, argnums=1)(params, IMAGES)
    by_weights = functools.partial(jax.grad(total), params)
    return jax.jvp(by_weights, (IMAGES,), (beta * (own - TEACHER),))[1]

  weights = beta / 2 * COUNT * ONE_BY_ONE['distance', True]
  with jax.enable_x64(True):
    _, gradient = value_and_grad(KINKED, params, weights)
    assert_close(gradient, equation(params), 1e-12)


def test_symmetry_of_a_network_that_does_not_see_the_mirror():
  kernel = normal(3, *SHAPES['kernel'])
  symmetric = {
    axes: parameters(1, kernel=(kernel + np.flip(kernel, axes)) / 2)
    for axes in (0, 1)
  }
  with jax.enable_x64(True):
    for squared in (True, False):
      name = ('symmetry', squared)
      index, weights = NAMES.index(name), ONE_BY_ONE[name]
      values, gradient = value_and_grad(SMOOTH, symmetric[1], weights)
      assert values[index] < (1e-26 if squared else 1e-13)
      assert np.isfinite(gradient).all()
      if squared:
        np.testing.assert_allclose(gradient, 0, atol=1e-12)
      values, gradient = value_and_grad(SMOOTH, symmetric[0], weights)
      assert values[index] > 1e-3 and np.linalg.norm(gradient) > 1e-3


def test_a_dead_network_listens_to_nothing():
  dead = parameters(1, bias=np.full(SHAPES['bias'], -99.0))
  with jax.enable_x64(True):
    for name, weights in ONE_BY_ONE.items():
      values, gradient = value_and_grad(KINKED, dead, weights)
      assert (values[NAMES.index(name)] > 0) == (name[0] == 'distance')
      np.testing.assert_array_equal(gradient, 0)

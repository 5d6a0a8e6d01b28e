"""Networks against NumPy in float64: variables, and layers to compare to."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax


def random_images(*size):
  return np.random.default_rng(0).standard_normal((2, *size, 3))


def shapes_of(model, size=8):
  """Shapes of the variables, at no cost."""

  def init(key):
    return model.init(key, jnp.zeros((1, size, size, 3)), train=False)

  return jax.eval_shape(init, jax.random.key(0))


def count_parameters(model):
  return sum(x.size for x in jax.tree.leaves(shapes_of(model)['params']))


def random_variables(model):
  """Nothing at its initial value, where a zero or a one hides a mistake."""
  rng = np.random.default_rng(1)

  def draw(path, leaf):
    name = path[-1].key
    if name == 'kernel':
      scale = np.sqrt(2 / np.prod(leaf.shape[:-1]))
      return scale * rng.standard_normal(leaf.shape).astype(np.float32)
    if name == 'var':
      return rng.uniform(0.1, 2, leaf.shape).astype(np.float32)
    return rng.standard_normal(leaf.shape).astype(np.float32)

  return jax.tree.map_with_path(draw, shapes_of(model))


def initial_variables(module, **kwargs):
  """What `init` draws for an image of 8x8 pixels."""
  key = jax.random.key(0, impl='rbg')  # the fastest to compile
  variables = jax.jit(
    lambda key: module.init(key, jnp.zeros((1, 8, 8, 3)), **kwargs)
  )(key)
  return jax.tree.map(np.asarray, variables)


@functools.cache
def compiled(model, train):
  def forward(variables, x):
    return model.apply(variables, x, train=train, mutable=['batch_stats'])

  return jax.jit(forward)


def apply64(model, variables, x, train=False):
  """(logits, endpoints, new statistics), computed in float64 throughout."""
  with jax.enable_x64(True):
    (logits, endpoints), updated = compiled(
      model.clone(dtype=jnp.float64), train
    )(jax.tree.map(np.float64, variables), x)
  updated = updated.get('batch_stats', {})
  return jax.tree.map(np.asarray, (logits, endpoints, updated))


class Layers:
  """Layers by the names of their parameters; keeps the new statistics."""

  def __init__(self, variables, train):
    variables = jax.tree.map(np.float64, variables)
    self.params = variables['params']
    self.stats = variables.get('batch_stats', {})
    self.train, self.updated = train, {}

  def conv(self, x, *path, stride=1):
    params = _at(self.params, path)
    kernel = params['kernel']
    pad, size = len(kernel) // 2, len(kernel)
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    view = view[:, ::stride, ::stride]
    y = np.einsum('bhwcij,ijco->bhwo', view, kernel, optimize=True)
    return y + params['bias'] if 'bias' in params else y

  def norm(self, x, *path):
    params, stats = _at(self.params, path), _at(self.stats, path)
    mean, var = stats['mean'], stats['var']
    if self.train:
      old_mean, old_var = mean, var
      mean = x.mean((0, 1, 2))
      var = np.mean((x - mean) ** 2, axis=(0, 1, 2))  # biased
      self.updated[path] = (
        0.9 * old_mean + 0.1 * mean,
        0.9 * old_var + 0.1 * var,
      )
    scaled = (x - mean) / np.sqrt(var + 1e-5)
    return scaled * params['scale'] + params['bias']

  def head(self, x):
    return (
      x.mean((1, 2)) @ self.params['head']['kernel']
      + (self.params['head']['bias'])
    )


def assert_forward_equals(model, variables, x, train, reference):
  """Compares a model with `reference(layers, x) -> (logits, endpoints)`."""
  logits, endpoints, updated = apply64(model, variables, x, train)
  layers = Layers(variables, train)
  wanted_logits, wanted = reference(layers, x)
  close = dict(rtol=1e-9, atol=1e-9)
  assert endpoints.keys() == wanted.keys()
  for name in wanted:
    np.testing.assert_allclose(
      endpoints[name], wanted[name], err_msg=name, **close
    )
  np.testing.assert_allclose(logits, wanted_logits, **close)
  if not train:
    old = variables.get('batch_stats', {})
    jax.tree.map(np.testing.assert_array_equal, updated, old)
  else:
    assert len(layers.updated) == len(jax.tree.leaves(updated)) // 2
  for path, (mean, var) in layers.updated.items():
    np.testing.assert_allclose(_at(updated, path)['mean'], mean, **close)
    np.testing.assert_allclose(_at(updated, path)['var'], var, **close)


def assert_bfloat16_is_for_activations_only(model, x, atol):
  """Against float64: logits within `atol`, float32 parameters, statistics."""
  assert model.dtype == jnp.bfloat16
  variables = random_variables(model)
  for leaf in jax.tree.leaves(shapes_of(model)):
    assert leaf.dtype == jnp.float32
  (logits, endpoints), updated = compiled(model, True)(
    variables, x.astype(np.float32)
  )
  for leaf in (logits, *endpoints.values()):
    assert leaf.dtype == jnp.bfloat16
  wanted, _, statistics = apply64(model, variables, x, train=True)
  np.testing.assert_allclose(logits.astype(np.float32), wanted, atol=atol)
  for leaf, exact in zip(
    jax.tree.leaves(updated.get('batch_stats', {})),
    jax.tree.leaves(statistics),
    strict=True,
  ):
    assert leaf.dtype == jnp.float32
    np.testing.assert_allclose(leaf, exact, atol=0.02, rtol=0.02)


def assert_gradient_everywhere(model, variables, x):
  """The loss of a batch of two moves every parameter."""

  @jax.jit
  @jax.grad
  def gradient(params):
    (logits, _), _ = model.apply(
      variables | {'params': params},
      x.astype(np.float32),
      train=True,
      mutable=['batch_stats'],
    )
    return optax.losses.softmax_cross_entropy_with_integer_labels(
      logits, np.array([1, 7])
    ).mean()

  gradients = gradient(variables['params'])
  for path, leaf in jax.tree.leaves_with_path(gradients):
    assert np.isfinite(leaf).all() and np.abs(leaf).max() > 1e-6, path


def _at(tree, path):
  return functools.reduce(lambda node, name: node[name], path, tree)

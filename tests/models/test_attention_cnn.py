"""The small attention network: counts, presets, laws, and that it learns."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy_attention import (
  apply64,
  random_variables_of,
  relu,
  triple,
)
from numpy_networks import Layers

import at_jax
from at_jax.models import create_model
from at_jax.models.attention_cnn import AttentionCNN

small = functools.partial(AttentionCNN, 16, 5, num_classes=3)
PARTS = 'gate', 'gated', 'attention', 'scores', 'weighted', 'score'


def traced(size=(28, 28, 1), **kwargs):
  """(logits, endpoints), variables: shapes, at no cost."""
  model = create_model('attention_cnn', **kwargs)
  images = jax.ShapeDtypeStruct((2, *size), jnp.float32)
  return jax.eval_shape(
    functools.partial(model.init_with_output, train=True),
    jax.random.key(0),
    images,
  )


def count(variables):
  return sum(leaf.size for leaf in jax.tree.leaves(variables))


def images(*size, seed=0):
  return np.random.default_rng(seed).uniform(0, 1, (2, *size, 1))


def random_variables(model, x):
  return random_variables_of(model, x, train=False)


@pytest.mark.parametrize(
  'arguments, parameters',
  [
    ({}, 40_468),
    (dict(width=32, k=64), 40_468),
    (dict(k=512), 2_382_612),
    (dict(preset='paper'), 2_382_612),
    (dict(preset='so'), 2_382_602),  # without the last bias of ten classes
    (dict(preset='so', last_bias=True), 2_382_612),
    (dict(preset='paper', k=64), 40_468),
    (dict(head='dense'), 40_468 + 110),
    (dict(channel=False, element=False), 320 + 330),
  ],
)
def test_counts(arguments, parameters):
  (logits, _), variables = traced(**arguments)
  assert count(variables) == parameters and variables.keys() == {'params'}
  assert logits.shape == (2, 10)


def test_endpoints():
  (_, endpoints), variables = traced()
  shapes = (32,), (28, 28, 32), *3 * ((28, 28, 10),), (10,)
  wanted = {
    f'{part}/group1': shape for part, shape in zip(PARTS, shapes, strict=True)
  }
  wanted |= dict(group1=(28, 28, 32), fused=(28, 28, 10))
  assert {k: v.shape[1:] for k, v in endpoints.items()} == wanted
  params = variables['params']
  assert count(params['conv0']) == 320
  assert count(params['attention']['channel_group1']) == 128
  element = params['attention']['element_group1']
  assert count(element.pop('scores')) == 330 and count(element) == 39_690


def forward(layers, x, reading='space'):
  x = relu(layers.conv(x, 'conv0'))
  logits, parts = triple(layers, {'group1': x}, 'attention', reading=reading)
  return logits, {'group1': x} | parts


@pytest.mark.parametrize(
  'preset, reading', [('demo', 'space'), ('paper', 'space'), ('so', 'class')]
)
def test_presets_equal_numpy(preset, reading):
  x = images(6, 5)
  model = small(preset=preset, dtype=jnp.float64)
  variables = random_variables(model, x)
  logits, ends = apply64(model, variables, x, train=False)
  wanted, others = forward(Layers(variables, False), x, reading)
  close = dict(rtol=1e-9, atol=1e-9)
  np.testing.assert_allclose(logits, wanted, **close)
  assert ends.keys() == others.keys()
  for name in ends:
    np.testing.assert_allclose(ends[name], others[name], **close)
  bias = variables['params']['attention']['element_group1']['conv2']
  assert ('bias' in bias) == (preset != 'so')


def test_arguments_overrule_a_preset():
  """The question's preset, with the other reading."""
  x = images(6, 5)
  model = small(preset='so', reading='space', dtype=jnp.float64)
  variables = random_variables(model, x)
  logits, ends = apply64(model, variables, x, train=False)
  np.testing.assert_allclose(ends['attention/group1'].sum((1, 2)), 1)
  np.testing.assert_allclose(logits, ends['weighted/group1'].sum((1, 2)))


def test_logits_are_the_sum_in_space_the_mean_in_class():
  """784 times apart: what a plain GAP would do to the logits of `space`."""
  x = images(28, 28)
  for reading, factor in (('space', 784), ('class', 1)):
    model = small(reading=reading, dtype=jnp.float64)
    logits, ends = apply64(model, random_variables(model, x), x, train=False)
    gap = ends['weighted/group1'].mean((1, 2))
    np.testing.assert_allclose(logits, factor * gap, rtol=1e-9)
    np.testing.assert_array_equal(ends['score/group1'], logits)


def test_dense_head_equals_numpy():
  x = images(6, 5)
  model = small(head='dense', dtype=jnp.float64)
  variables = random_variables(model, x)
  logits, ends = apply64(model, variables, x, train=False)
  layers = Layers(variables, False)
  score, parts = forward(layers, x)
  np.testing.assert_allclose(logits, layers.head(parts['fused']), rtol=1e-9)
  np.testing.assert_allclose(ends['score/group1'], score, rtol=1e-9)


def test_without_attention_it_is_average_and_dense():
  x = images(6, 5)
  model = small(channel=False, element=False, dtype=jnp.float64)
  variables = random_variables(model, x)
  logits, _ = apply64(model, variables, x, train=False)
  layers = Layers(variables, False)
  pooled = relu(layers.conv(x, 'conv0')).mean((1, 2))
  dense = variables['params']['attention']['scores_group1']
  wanted = pooled @ dense['kernel'][0, 0] + dense['bias']
  np.testing.assert_allclose(logits, wanted, rtol=1e-9)


def test_attention_follows_what_it_sees():
  """Shifted by two pixels, all maps are, and logits stay as they are."""
  x = np.zeros((1, 20, 20, 1))
  x[:, 5:12, 6:11] = images(7, 5)[:1]
  model = small(dtype=jnp.float64)
  variables = random_variables(model, x)
  logits, ends = apply64(model, variables, x, train=False)
  moved = np.roll(x, (2, -2), (1, 2))
  shifted, others = apply64(model, variables, moved, train=False)
  # Borders, where padding is seen, are left out; so is the sum over them.
  for name in ('scores/group1', 'attention/group1', 'gated/group1'):
    wanted = np.roll(ends[name], (2, -2), (1, 2))[:, 4:-4, 4:-4]
    np.testing.assert_allclose(others[name][:, 4:-4, 4:-4], wanted, rtol=1e-9)
  np.testing.assert_allclose(shifted, logits, rtol=1e-9)


def test_zero_image():
  """No biases: no class is more likely than another, and nothing is NaN."""
  x = np.zeros((2, 8, 8, 1), np.float32)
  model = small()
  variables = jax.tree.map_with_path(
    lambda path, v: np.float32(v) * (path[-1].key != 'bias'),
    random_variables(model, x),
  )
  with jax.debug_nans(True):
    logits, ends = jax.jit(functools.partial(model.apply, train=False))(
      variables, x
    )
  np.testing.assert_array_equal(logits, 0)
  np.testing.assert_allclose(ends['attention/group1'], 1 / 64, rtol=1e-6)
  np.testing.assert_array_equal(ends['gate/group1'], 0.5)


def test_compiled_is_eager_and_training_is_evaluation():
  x = images(6, 5).astype(np.float32)
  model = small()
  variables = jax.tree.map(np.float32, random_variables(model, x))
  logits, ends = model.apply(variables, x, train=False)
  compiled, others = jax.jit(functools.partial(model.apply, train=True))(
    variables, x
  )
  np.testing.assert_allclose(compiled, logits, rtol=1e-5, atol=1e-5)
  for name in ends:
    np.testing.assert_allclose(others[name], ends[name], rtol=1e-4, atol=1e-5)


def test_bfloat16_is_for_activations_only():
  x = images(28, 28)
  wide = small(dtype=jnp.float64)
  variables = random_variables(wide, x)
  wanted, _ = apply64(wide, variables, x, train=False)
  model = small(dtype=jnp.bfloat16)
  logits, ends = jax.jit(functools.partial(model.apply, train=False))(
    jax.tree.map(np.float32, variables), x
  )
  for leaf in (logits, *ends.values()):
    assert leaf.dtype == jnp.bfloat16
  np.testing.assert_allclose(np.float32(logits), wanted, atol=0.1)
  _, shapes = traced(dtype=jnp.bfloat16)
  assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize('preset', ['demo', 'so'])
def test_overfits_a_few_images(preset):
  """Bars at random places: 64 images, their direction the class."""
  rng = np.random.default_rng(0)
  x, labels = np.zeros((64, 12, 12, 1), np.float32), np.arange(64) % 2
  for i, (row, column) in enumerate(rng.integers(0, 8, (64, 2))):
    if labels[i]:
      x[i, row : row + 5, column] = 1
    else:
      x[i, row, column : column + 5] = 1
  model = AttentionCNN(16, 16, preset, num_classes=2)
  key = jax.random.key(0, impl='rbg')
  params = jax.jit(functools.partial(model.init, train=True))(key, x)
  optimizer = optax.adam(1e-2)
  weights = np.ones(2, np.float32)

  @jax.jit
  def step(params, state):
    def loss(params):
      logits, _ = model.apply(params, x, train=True)
      losses = at_jax.weighted_cross_entropy(logits, labels, weights)
      return losses.mean(), logits

    grads, logits = jax.grad(loss, has_aux=True)(params)
    updates, state = optimizer.update(grads, state)
    return optax.apply_updates(params, updates), state, logits

  state = optimizer.init(params)
  for _ in range(150):
    params, state, logits = step(params, state)
    if (logits.argmax(1) == labels).all():
      return
  raise AssertionError(f'After 150 steps: {logits}')


@pytest.mark.parametrize(
  'arguments, message',
  [
    (dict(preset='papr'), "mean 'paper'.*demo, paper, so"),
    (dict(preset=''), 'preset of AttentionCNN.*demo, paper, so'),
    (dict(head='dens'), "mean 'dense'"),
    (dict(reading='spaces'), "mean 'space'"),
    (dict(size=(3, 5, 1)), '3x5 pixels .* wants 4x4 or more'),
    (dict(size=(1, 1, 1)), '1x1 pixels .* wants 4x4 or more'),
    (dict(size=(28, 28)), r'AttentionCNN .*\[B, H, W, C\]'),
  ],
)
def test_wrong_arguments(arguments, message):
  with pytest.raises(ValueError, match=message):
    traced(**arguments)


def test_sizes_that_work():
  for size in ((4, 4, 1), (2, 8, 3)):
    (logits, _), _ = traced(size)
    assert logits.shape == (2, 10)
  (logits, _), _ = traced((2, 2, 1), element=False)
  assert logits.shape == (2, 10)

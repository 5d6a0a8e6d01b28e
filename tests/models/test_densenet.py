"""DenseNets against NumPy in float64, and what counts miss."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_attention import (
  dense_layer,
  densenet,
  halved,
  random_variables_of,
  relu,
  stem,
)
from numpy_networks import (
  Layers,
  assert_bfloat16_is_for_activations_only,
  assert_forward_equals,
  assert_gradient_everywhere,
  initial_variables,
  random_images,
  random_variables,
)

from at_jax.models import create_model
from at_jax.models.densenet import DenseLayer, DenseNet, Stem, Transition

SMALL = DenseNet(blocks=(2, 3), growth=3, width=6, num_classes=10)


@functools.cache
def traced(size, **kwargs):
  """(output, endpoints), variables: shapes, at no cost."""
  model = create_model('densenet121', **kwargs)
  images = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
  return jax.eval_shape(
    functools.partial(model.init_with_output, train=False),
    jax.random.key(0),
    images,
  )


def count(variables):
  return sum(leaf.size for leaf in jax.tree.leaves(variables))


def transition(layers, x):
  active = relu(layers.norm(x, 'bn0'))
  return halved(layers.conv(active, 'conv0')), active


PARTS = {
  'stem': (Stem(5, jnp.float64), 3, stem),
  'layer': (DenseLayer(2, jnp.float64), 5, dense_layer),
  'transition': (Transition(jnp.float64), 7, transition),
}


@pytest.mark.parametrize('size, train', [((8, 6), True), ((11, 5), False)])
@pytest.mark.parametrize('name', PARTS)
def test_parts_equal_numpy(name, size, train):
  module, channels, reference = PARTS[name]
  x = np.random.default_rng(2).standard_normal((3, *size, channels))
  variables = random_variables_of(module, x, train=False)
  with jax.enable_x64(True):
    got, updated = jax.jit(
      lambda v, x: module.apply(v, x, train=train, mutable=['batch_stats'])
    )(variables, x)
  layers = Layers(variables, train)
  close = functools.partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-10)
  jax.tree.map(close, jax.tree.map(np.asarray, got), reference(layers, x))
  for (norm,), (mean, var) in layers.updated.items():
    close(updated['batch_stats'][norm]['mean'], mean)
    close(updated['batch_stats'][norm]['var'], var)


def whole(layers, x):
  ends = densenet(layers, x, SMALL.blocks)
  return layers.head(ends['active/group2']), ends


@pytest.mark.parametrize('size, train', [((23, 32), False), ((16, 9), True)])
def test_whole_network_equals_numpy(size, train):
  assert_forward_equals(
    SMALL, random_variables(SMALL), random_images(*size), train, whole
  )


def test_without_head_it_returns_what_the_head_gets():
  variables = random_variables(SMALL)
  bare = SMALL.clone(num_classes=0)
  params = dict(variables['params'])
  head = params.pop('head')
  x = random_images(8, 8).astype(np.float32)
  pooled, _ = jax.jit(functools.partial(bare.apply, train=False))(
    variables | {'params': params}, x
  )
  logits, ends = jax.jit(functools.partial(SMALL.apply, train=False))(
    variables, x
  )
  last = np.asarray(ends['active/group2'])
  np.testing.assert_allclose(pooled, last.mean((1, 2)), rtol=1e-5)
  wanted = pooled @ head['kernel'] + head['bias'][None]
  np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-4)


def test_counts():
  _, variables = traced((224, 224))
  params = variables['params']
  assert count(params) == 7_978_856
  assert params['head']['kernel'].shape == (1024, 1000)
  # Twice the 41,824 channels that have a norm.
  assert count(variables['batch_stats']) == 83_648
  assert count(params['stem']) == 9_536
  assert count(params['group1_block1']) == 2 * 64 + 64 * 128 + 256 + 36_864
  assert count(params['transition3']) == 2 * 1024 + 1024 * 512
  assert params['group4_block16']['conv0']['kernel'].shape == (1, 1, 992, 128)
  assert 'transition4' not in params and 'group4_block17' not in params


def test_endpoints_at_224_pixels():
  (logits, endpoints), _ = traced((224, 224))
  wanted = {}
  sizes = (56, 256), (28, 512), (14, 1024), (7, 1024)
  for group, (side, channels) in enumerate(sizes, 1):
    shape = (2, side, side, channels)
    wanted |= {f'group{group}': shape, f'active/group{group}': shape}
  assert {k: v.shape for k, v in endpoints.items()} == wanted
  assert logits.shape == (2, 1000)


def test_initial_variables():
  """torchvision's: He et al.'s for what goes in; scales 1, biases 0."""
  variables = initial_variables(
    DenseNet(blocks=(1, 1), growth=64, width=128, num_classes=50), train=False
  )
  params = variables['params']
  layers = {**params.pop('stem'), **params['group2_block1']}
  layers |= {f'{k}, transition': v for k, v in params['transition1'].items()}
  for name, layer in layers.items():
    if 'conv' in name:
      fan_in = np.prod(layer['kernel'].shape[:-1])
      std = layer['kernel'].std()
      np.testing.assert_allclose(std, np.sqrt(2 / fan_in), rtol=0.02)
      assert 'bias' not in layer
    else:
      assert (layer['scale'] == 1).all() and (layer['bias'] == 0).all()
  head = params['head']
  limit = 1 / np.sqrt(len(head['kernel']))
  assert 0.99 * limit < np.abs(head['kernel']).max() <= limit
  assert (head['bias'] == 0).all()


def test_every_parameter_learns():
  x = random_images(16, 16)
  assert_gradient_everywhere(SMALL, random_variables(SMALL), x)


def test_bfloat16_is_for_activations_only():
  model = SMALL.clone(dtype=jnp.bfloat16)
  assert_bfloat16_is_for_activations_only(model, random_images(16, 16), 0.2)


@pytest.mark.parametrize('size', [(28, 224), (224, 28), (1, 1)])
def test_an_image_too_small_names_the_smallest(size):
  message = f'Images of {size[0]}x{size[1]} .*takes 29x29 or more'
  with pytest.raises(ValueError, match=message):
    traced(size)


def test_the_smallest_image_works():
  model = DenseNet(blocks=(1, 1, 1, 1), growth=2, width=4)
  (_, ends), _ = jax.eval_shape(
    functools.partial(model.init_with_output, train=False),
    jax.random.key(0),
    jnp.zeros((1, 29, 31, 3)),
  )
  assert ends['group4'].shape[1:3] == (1, 1)


@pytest.mark.parametrize(
  'arguments',
  [dict(blocks=()), dict(blocks=(2, 0)), dict(growth=0), dict(width=1.5)],
)
def test_wrong_arguments(arguments):
  with pytest.raises(ValueError, match='at least one layer .* got blocks='):
    model = DenseNet(**arguments)
    model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), train=False)


def test_other_errors():
  with pytest.raises(ValueError, match=r'DenseNet.*\[B, H, W, C\]'):
    SMALL.init(jax.random.key(0), jnp.zeros((32, 32, 3)), train=False)
  with pytest.raises(ValueError, match="Unknown argument .*'blocks'.*growth"):
    create_model('densenet121', blocks=(6, 12, 32, 32))

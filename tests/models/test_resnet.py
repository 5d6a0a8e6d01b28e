"""ResNets for large images against NumPy in float64, and what counts miss."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_networks import (
  Layers,
  assert_forward_equals,
  count_parameters,
  initial_variables,
  random_images,
  random_variables,
  shapes_of,
)

from at_jax.models import create_model, resnet
from at_jax.models.preact_resnet import Block as PreactBlock
from at_jax.models.preact_resnet import PreactResNet
from at_jax.models.resnet import BasicBlock, Bottleneck, ResNet, Stem


def relu(x):
  return np.maximum(x, 0)


def stem(layers, x, *path):
  x = relu(layers.norm(layers.conv(x, *path, 'conv0', stride=2), *path, 'bn0'))
  sides = ((0, 0), (1, 1), (1, 1), (0, 0))
  x = np.pad(x, sides, constant_values=-np.inf)
  windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
  return windows[:, ::2, ::2].max((-2, -1))


def basic(layers, x, *path, stride):
  y = layers.conv(x, *path, 'conv0', stride=stride)
  y = relu(layers.norm(y, *path, 'bn0'))
  y = layers.norm(layers.conv(y, *path, 'conv1'), *path, 'bn1')
  return relu(y + shortcut(layers, x, y, *path, stride=stride))


def bottleneck(layers, x, *path, stride):
  y = relu(layers.norm(layers.conv(x, *path, 'conv0'), *path, 'bn0'))
  y = layers.conv(y, *path, 'conv1', stride=stride)
  y = relu(layers.norm(y, *path, 'bn1'))
  y = layers.norm(layers.conv(y, *path, 'conv2'), *path, 'bn2')
  return relu(y + shortcut(layers, x, y, *path, stride=stride))


def shortcut(layers, x, y, *path, stride):
  if x.shape == y.shape:
    return x
  x = layers.conv(x, *path, 'convdim', stride=stride)
  return layers.norm(x, *path, 'bndim')


def preact(layers, x, *path, stride, active=False):
  a = x if active else relu(layers.norm(x, *path, 'bn0'))
  y = layers.conv(a, *path, 'conv0', stride=stride)
  y = layers.conv(relu(layers.norm(y, *path, 'bn1')), *path, 'conv1')
  if x.shape == y.shape:
    return y + x
  return y + layers.conv(a, *path, 'convdim', stride=stride)


def variables_of(module, channels):
  """Parameters around zero, so that ReLUs do something; positive variances."""

  def init(key):
    return module.init(key, jnp.zeros((1, 8, 8, channels)), train=False)

  rng = np.random.default_rng(1)
  with jax.enable_x64(True):
    shapes = jax.eval_shape(init, jax.random.key(0))
  variables = jax.tree.map(lambda x: rng.uniform(0.5, 1.5, x.shape), shapes)
  params = jax.tree.map(lambda x: x - 1.0, variables['params'])
  return variables | {'params': params}


PARTS = {
  'stem': (Stem(jnp.float64), 3, stem),
  'basic': (BasicBlock(4, 1, jnp.float64), 4, basic),
  'basic, stride': (BasicBlock(6, 2, jnp.float64), 4, basic),
  'bottleneck': (Bottleneck(3, 1, jnp.float64), 12, bottleneck),
  'bottleneck, wider': (Bottleneck(3, 1, jnp.float64), 4, bottleneck),
  'bottleneck, stride': (Bottleneck(3, 2, jnp.float64), 12, bottleneck),
  'preact': (PreactBlock(4, 1, False, jnp.float64), 4, preact),
  'preact, stride': (PreactBlock(6, 2, False, jnp.float64), 4, preact),
  'preact, active': (
    PreactBlock(4, 1, True, jnp.float64),
    4,
    functools.partial(preact, active=True),
  ),
}


@pytest.mark.parametrize('size, train', [((8, 8), True), ((11, 5), False)])
@pytest.mark.parametrize('name', PARTS)
def test_parts_equal_numpy(name, size, train):
  module, channels, reference = PARTS[name]
  variables = variables_of(module, channels)
  x = np.random.default_rng(2).standard_normal((3, *size, channels))
  with jax.enable_x64(True):
    got, updated = jax.jit(
      lambda v, x: module.apply(v, x, train=train, mutable=['batch_stats'])
    )(variables, x)
  got = np.asarray(got)
  layers = Layers(variables, train)
  stride = {} if reference is stem else {'stride': module.stride}
  close = dict(rtol=1e-10, atol=1e-10)
  np.testing.assert_allclose(got, reference(layers, x, **stride), **close)
  for (norm,), (mean, var) in layers.updated.items():
    stats = updated['batch_stats'][norm]
    np.testing.assert_allclose(stats['mean'], mean, **close)
    np.testing.assert_allclose(stats['var'], var, **close)


def whole(block, sizes, last_norm=False):
  def forward(layers, x):
    x, endpoints = stem(layers, x, 'stem'), {}
    for group, blocks in enumerate(sizes, 1):
      for i in range(1, blocks + 1):
        stride = 2 if i == 1 and group > 1 else 1
        own = dict(active=True) if last_norm and group == i == 1 else {}
        name = f'group{group}_block{i}'
        x = block(layers, x, name, stride=stride, **own)
        endpoints[f'group{group}/block{i}'] = endpoints[f'group{group}'] = x
    x = relu(layers.norm(x, 'bn')) if last_norm else x
    return layers.head(x), endpoints

  return forward


@pytest.mark.parametrize(
  'model, reference',
  [
    (ResNet(num_classes=5), whole(basic, (2, 2, 2, 2))),
    (PreactResNet(num_classes=5), whole(preact, (2, 2, 2, 2), True)),
  ],
  ids=['resnet18', 'preact_resnet18'],
)
def test_whole_networks_equal_numpy(model, reference):
  assert_forward_equals(
    model, random_variables(model), random_images(40, 33), False, reference
  )


@pytest.mark.parametrize(
  'name, count',
  [
    ('resnet18', 11_689_512),
    ('resnet34', 21_797_672),
    ('resnet50', 25_557_032),
    ('resnet101', 44_549_160),
    ('resnet152', 60_192_808),
    # Without the three norms of shortcuts, 2 (128 + 256 + 512); a first block
    # has one norm of its input's width, not its own, and there is a last one.
    ('preact_resnet18', 11_689_512 - 1792),
    ('preact_resnet34', 21_797_672 - 1792),
  ],
)
def test_parameter_counts(name, count):
  assert count_parameters(create_model(name)) == count
  fewer = count_parameters(create_model(name, num_classes=200))
  width = 512 if '18' in name or '34' in name else 2048
  assert count - fewer == 800 * (width + 1)


@pytest.mark.parametrize(
  'name, blocks, wide',
  [
    ('resnet34', (3, 4, 6, 3), 1),
    ('resnet50', (3, 4, 6, 3), 4),
    ('preact_resnet34', (3, 4, 6, 3), 1),
  ],
)
def test_endpoints_at_224_pixels(name, blocks, wide):
  model = create_model(name)
  x = jax.ShapeDtypeStruct((2, 224, 224, 3), jnp.float32)
  logits, endpoints = jax.eval_shape(
    lambda v, x: model.apply(v, x, train=False), shapes_of(model), x
  )
  wanted = {}
  for group, (size, count) in enumerate(
    zip((56, 28, 14, 7), blocks, strict=True), 1
  ):
    shape = (2, size, size, 32 * 2**group * wide)
    names = [f'group{group}/block{i}' for i in range(1, count + 1)]
    wanted |= dict.fromkeys([f'group{group}', *names], shape)
  assert {k: v.shape for k, v in endpoints.items()} == wanted
  assert logits.shape == (2, 1000)


def test_initial_variables():
  """torchvision's: kernels keep the variance of what comes back."""
  block = initial_variables(BasicBlock(512, 2, jnp.float32), train=False)
  block = block['params']
  kernel = block['conv0']['kernel']  # 3, 3, 3 -> 512
  np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 512)), rtol=0.02)
  for norm in ('bn0', 'bn1', 'bndim'):
    assert (block[norm]['scale'] == 1).all() and (
      block[norm]['bias'] == 0
    ).all()
  kernel = resnet.head(1000).init(jax.random.key(0), jnp.zeros((1, 512)))
  kernel, limit = kernel['params']['kernel'], 1 / np.sqrt(512)
  assert 0.99 * limit < np.abs(kernel).max() <= limit
  np.testing.assert_allclose(kernel.std(), limit / np.sqrt(3), rtol=0.01)


def test_stride_of_a_bottleneck_is_in_its_3x3_convolution():
  """The other layout has the same parameters and other numbers."""
  model = ResNet(depth=50)
  variables = shapes_of(model)
  x = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
  jaxpr = str(
    jax.make_jaxpr(lambda v, x: model.apply(v, x, train=False)[0])(variables, x)
  )
  strided = jaxpr.count('window_strides=(2, 2)')
  assert strided == 4  # the stem's, and one 3x3 in groups 2, 3 and 4


@pytest.mark.parametrize('depth', [0, 20, 50.5, '18'])
def test_wrong_depth(depth):
  with pytest.raises(ValueError, match='Unknown depth of a ResNet .*18, 34'):
    shapes_of(ResNet(depth=depth))
  with pytest.raises(ValueError, match='pre-activation ResNet .*18, 34'):
    shapes_of(PreactResNet(depth=depth))


def test_depth_belongs_to_the_name():
  assert create_model('resnet50').depth == 50
  with pytest.raises(ValueError, match="Unknown argument .*'depth'.*num_class"):
    create_model('resnet50', depth=18)

"""Residual attention networks against NumPy, part by part and whole."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_networks import Layers

from at_jax.models import ran_modules, ran_network
from at_jax.models.ran import RANCifar, RANCifarWide, RANImageNet, RANNext
from at_jax.models.ran_modules import AttentionModule, Mask, NextUnit, Unit


def relu(x):
  return np.maximum(x, 0)


def pool(x):
  starts = [range(0, max(n - 1, 1), 2) for n in x.shape[1:3]]
  rows = [
    np.stack([x[:, i : i + 3, j : j + 3].max((1, 2)) for j in starts[1]], 1)
    for i in starts[0]
  ]
  return np.stack(rows, 1)


def resize(x, size):
  for axis, length in zip((1, 2), size, strict=True):
    n = x.shape[axis]
    places, old = np.linspace(0, n - 1, length), np.arange(n)
    interpolate = functools.partial(np.interp, places, old)
    x = np.apply_along_axis(interpolate, axis, x)
  return x


def unit(layers, x, *path, stride=1):
  u = relu(layers.norm(x, *path, 'bn0'))
  y = relu(layers.norm(layers.conv(u, *path, 'conv0'), *path, 'bn1'))
  y = layers.conv(y, *path, 'conv1', stride=stride)
  y = layers.conv(relu(layers.norm(y, *path, 'bn2')), *path, 'conv2')
  if x.shape == y.shape:
    return x + y
  return y + layers.conv(u, *path, 'convdim', stride=stride)


def next_unit(layers, x, *path, stride=1):
  y = relu(layers.norm(layers.conv(x, *path, 'conv0'), *path, 'bn0'))
  y = layers.conv(y, *path, 'conv1', stride=stride)
  y = relu(layers.norm(y, *path, 'bn1'))
  y = layers.norm(layers.conv(y, *path, 'conv2'), *path, 'bn2')
  if x.shape != y.shape:
    x = layers.conv(x, *path, 'convdim', stride=stride)
    x = layers.norm(x, *path, 'bndim')
  return relu(x + y)


def chain(layers, x, count, *path):
  *path, name = path
  step = next_unit if layers.is_next else unit
  for i in range(1, count + 1):
    x = step(layers, x, *path, f'{name}_unit{i}')
  return x


def mask_of(layers, x, d, r, kind='encoder_decoder', path=()):
  """The down path, the up path, the head; before the gate."""
  run = functools.partial(chain, layers)
  if kind == 'local':
    y = run(x, 3, *path, 'local')
  elif d == 0:
    y = run(x, 2 * r, *path, 'bottom')
  else:
    downs, y = [], x
    for i in range(1, d):
      y = run(pool(y), r, *path, f'down{i}')
      downs.append(y)
    y = run(pool(y), 2 * r, *path, 'bottom')
    for i in range(d - 1, 0, -1):
      y = resize(y, downs[i - 1].shape[1:3])
      y = y + run(downs[i - 1], 1, *path, f'skip{i}')
      y = run(y, r, *path, f'up{i}')
    y = resize(y, x.shape[1:3])
  if not layers.is_next:
    y = relu(layers.norm(y, *path, 'bn0'))
  y = relu(layers.norm(layers.conv(y, *path, 'conv0'), *path, 'bn1'))
  return layers.conv(y, *path, 'conv1')


def gate_of(z, kind):
  if kind == 'channel':
    return z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-5)
  if kind == 'spatial':
    z = (z - z.mean((1, 2), keepdims=True)) / np.sqrt(
      z.var((1, 2), keepdims=True) + 1e-5
    )
  return 1 / (1 + np.exp(-z))


def module_of(layers, x, module, path=()):
  a = chain(layers, x, module.p, *path, 'before')
  t = chain(layers, a, module.t, *path, 'trunk')
  z = mask_of(layers, a, module.pools, module.r, module.kind, (*path, 'mask'))
  m = gate_of(z, module.gate)
  h = m * t + t if module.residual else m * t
  parts = dict(split=a, trunk=t, mask=m, fused=h)
  return chain(layers, h, module.p, *path, 'after'), parts


def variables_of(module, channels, size=(8, 8)):
  """Parameters around zero, so that ReLUs do something; positive variances."""
  rng = np.random.default_rng(1)
  with jax.enable_x64(True):
    shapes = jax.eval_shape(
      lambda key: module.init(
        key, jnp.zeros((1, *size, channels)), train=False
      ),
      jax.random.key(0),
    )
  variables = jax.tree.map(lambda x: rng.uniform(0.5, 1.5, x.shape), shapes)
  return variables | {
    'params': jax.tree.map(lambda x: x - 1, variables['params'])
  }


def layers_of(variables, train, is_next, groups=2):
  """`Layers`, grouped kernels written out as sparse dense ones."""

  def dense(path, kernel):
    if not is_next or path[-2].key != 'conv1' or kernel.shape[0] != 3:
      return kernel
    *window, narrow, out = kernel.shape
    full = np.zeros((*window, narrow * groups, out))
    for g in range(groups):
      rows, columns = (
        slice(g * n, (g + 1) * n) for n in (narrow, out // groups)
      )
      full[..., rows, columns] = kernel[..., columns]
    return full

  params = jax.tree.map_with_path(dense, variables['params'])
  layers = Layers(variables | {'params': params}, train)
  layers.is_next = is_next
  return layers


def compare(module, variables, x, train, reference, is_next):
  """Outputs, and the new statistics of every norm."""
  with jax.enable_x64(True):
    got, updated = jax.jit(
      lambda v, x: module.apply(v, x, train=train, mutable=['batch_stats'])
    )(variables, x)
  layers = layers_of(variables, train, is_next)
  close = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9)
  jax.tree.map(lambda a, b: close(np.asarray(a), b), got, reference(layers, x))
  updated = updated.get('batch_stats', {})
  wanted = len(jax.tree.leaves(updated)) // 2 if train else 0
  assert len(layers.updated) == wanted
  for path, (mean, var) in layers.updated.items():
    stats = functools.reduce(dict.get, path, updated)
    close(stats['mean'], mean)
    close(stats['var'], var)


@pytest.fixture(autouse=True)
def two_groups(monkeypatch):
  for file in (ran_modules, ran_network):
    monkeypatch.setattr(file, 'GROUPS', 2)


@pytest.mark.parametrize('kind', [Unit, NextUnit])
@pytest.mark.parametrize(
  'channels, features, stride', [(8, 8, 1), (4, 8, 1), (8, 8, 2)]
)
def test_units_equal_numpy(kind, channels, features, stride):
  module = kind(features, stride, jnp.float64)
  x = np.random.default_rng(2).standard_normal((3, 7, 6, channels))
  reference = functools.partial(
    unit if kind is Unit else next_unit, stride=stride
  )
  compare(
    module,
    variables_of(module, channels),
    x,
    stride == 2,
    reference,
    kind is NextUnit,
  )


base = functools.partial(
  AttentionModule,
  p=1,
  t=1,
  residual=True,
  unit='preact',
  kind='encoder_decoder',
  pools=2,
  r=1,
  gate='mixed',
  dtype=jnp.float64,
)
MODULES = {
  'three pools, odd sides': (base(pools=3), (11, 9), True),
  'p, t, r, naive, spatial': (
    base(p=2, t=3, r=2, residual=False, gate='spatial'),
    (4, 6),
    False,
  ),
  'one pool, channel': (base(pools=1, gate='channel'), (3, 5), True),
  'no pool': (base(pools=0, t=2), (3, 2), False),
  'local': (base(kind='local'), (3, 2), True),
  'next': (base(unit='next', residual=False), (5, 4), True),
}


@pytest.mark.parametrize('name', MODULES)
def test_modules_equal_numpy(name):
  module, size, train = MODULES[name]
  x = np.random.default_rng(3).standard_normal((2, *size, 4))
  variables = variables_of(module, 4, size)
  reference = functools.partial(module_of, module=module)
  compare(module, variables, x, train, reference, module.unit == 'next')


def stem_of(layers, x, model):
  if isinstance(model, RANImageNet):
    x = relu(layers.norm(layers.conv(x, 'conv0', stride=2), 'bn0'))
    return pool(x)
  x = layers.conv(x, 'conv0')
  return relu(layers.norm(x, 'bn0')) if 'bn0' in layers.params else x


def network_of(layers, x, model, modules, pools, closing, last):
  step = next_unit if layers.is_next else unit
  x, ends = stem_of(layers, x, model), {}
  for g, (count, d) in enumerate(zip(modules, pools, strict=True), 1):
    x = step(layers, x, f'group{g}_wider', stride=min(g, 2))
    for i in range(1, count + 1):
      module = base(
        t=model.t, unit=model.unit, kind=model.mask, pools=d, gate=model.gate
      )
      x, parts = module_of(layers, x, module, (f'group{g}_module{i}',))
      place = f'group{g}/module{i}'
      ends |= {place: x} | {f'{k}/{place}': v for k, v in parts.items()}
    x = ends[f'group{g}'] = chain(layers, x, closing, f'group{g}')
  if last:
    x = step(layers, x, 'group4_wider', stride=last)
    x = ends['group4'] = chain(layers, x, 2, 'group4')
  x = x if layers.is_next else relu(layers.norm(x, 'bn'))
  return layers.head(x), ends


small = dict(t=1, width=4, num_classes=3, dtype=jnp.float64)
NETWORKS = {
  'cifar': (
    RANCifar(**small),
    (9, 8),
    dict(modules=(1, 1, 1), pools=(3, 2, 1), closing=1, last=0),
  ),
  'cifar, wide': (
    RANCifarWide(modules=(1, 2, 1), **small),
    (4, 5),
    dict(modules=(1, 2, 1), pools=(2, 1, 0), closing=0, last=1),
  ),
  'imagenet': (
    RANImageNet(mask='local', gate='spatial', **small),
    (22, 27),
    dict(modules=(1, 1, 1), pools=(0, 0, 0), closing=0, last=2),
  ),
  'next': (
    RANNext(mask='local', **small),
    (27, 22),
    dict(modules=(1, 1, 1), pools=(0, 0, 0), closing=0, last=2),
  ),
}


@pytest.mark.parametrize('name', NETWORKS)
def test_whole_networks_equal_numpy(name):
  model, size, layout = NETWORKS[name]
  variables = variables_of(model, 3, size)
  reference = functools.partial(network_of, model=model, **layout)
  x = np.random.default_rng(6).standard_normal((2, *size, 3))
  compare(model, variables, x, False, reference, name == 'next')


def test_a_mask_of_units_that_do_nothing():
  """Of x[row i] = i: pools, interpolation and the one addition, by hand.

  Half-pixel interpolation begins with 8, 8.5625, pools padded on both sides
  with 4, 5.4286, and an addition more with 5, 8.2857.
  """
  mask = Mask('preact', 'encoder_decoder', 2, 1, 'mixed', jnp.float64)

  def value(path, leaf):
    owner, name = path[-2].key, path[-1].key
    if name != 'kernel':
      return np.ones(leaf.shape) * (name in ('scale', 'var'))
    if len(path) == 3:  # ['params'][head's convolution]['kernel']
      return np.eye(4).reshape(1, 1, 4, 4)
    return np.full(leaf.shape, 0.0 if owner == 'conv2' else 0.3)

  variables = jax.tree.map_with_path(value, variables_of(mask, 4))
  wanted = [8, 9, 10, 11, 12, 12.8571, 13.4286, 14]
  rows = np.broadcast_to(np.arange(8.0)[:, None, None], (8, 8, 4))
  x = np.stack([rows, rows.swapaxes(0, 1)])
  with jax.enable_x64(True):
    got = jax.jit(lambda x: mask.apply(variables, x, train=False))(x)
  got = np.asarray(got)
  # Two norms of variance 1 divide by the root of 1 + 1e-5 each.
  entering = np.log(got / (1 - got)) * (1 + 1e-5)
  for head in (entering[0], entering[1].swapaxes(0, 1)):
    for column, channel in np.ndindex(8, 4):
      np.testing.assert_allclose(head[:, column, channel], wanted, atol=1e-4)


@pytest.mark.parametrize('residual, factor', [(True, 1.5), (False, 0.5)])
def test_a_mask_without_an_opinion_is_one_half(residual, factor):
  module = base(residual=residual, dtype=jnp.float32)
  variables = variables_of(module, 4)
  variables['params']['mask']['conv1']['kernel'] *= 0
  variables = jax.tree.map(np.float32, variables)
  x = np.random.default_rng(4).standard_normal((2, 8, 8, 4), np.float32)
  _, parts = jax.jit(functools.partial(module.apply, train=False))(variables, x)
  assert (parts['mask'] == 0.5).all() and (parts['trunk'] != 0).all()
  np.testing.assert_array_equal(parts['fused'], factor * parts['trunk'])


def test_every_parameter_learns():
  module = base(gate='channel', dtype=jnp.float32)
  variables = jax.tree.map(np.float32, variables_of(module, 16))
  x = np.random.default_rng(5).standard_normal((2, 8, 8, 16), np.float32)

  @jax.jit
  @jax.grad
  def gradient(params):
    (y, _), _ = module.apply(
      variables | {'params': params}, x, train=True, mutable=['batch_stats']
    )
    return jnp.mean(y**2) + jnp.mean(y[:, ::2] * x[:, 1::2])

  for path, leaf in jax.tree.leaves_with_path(gradient(variables['params'])):
    assert np.isfinite(leaf).all() and np.abs(leaf).max() > 1e-7, path


@pytest.mark.parametrize('kind', [Unit, NextUnit])
def test_initial_parameters(kind):
  """He et al.'s, which the paper names; scales 1, biases 0."""
  x = jax.ShapeDtypeStruct((1, 1, 1, 128), jnp.float32)
  key = jax.random.key(0, impl='rbg')
  init = functools.partial(kind(256, 2, jnp.float32).init, train=False)
  params = jax.jit(lambda key: init(key, jnp.zeros(x.shape)))(key)['params']
  for name, layer in params.items():
    if 'conv' in name:
      fan_in = np.prod(layer['kernel'].shape[:-1])
      std = np.std(layer['kernel'])
      np.testing.assert_allclose(std, np.sqrt(2 / fan_in), rtol=0.03)
    else:
      assert (layer['scale'] == 1).all() and (layer['bias'] == 0).all()


def test_unknown_structure_of_a_mask():
  mask = Mask('preact', 'encoder', 1, 1, 'mixed', jnp.float32)
  with pytest.raises(ValueError, match="mask structure.*'encoder_decoder'"):
    mask.init(jax.random.key(0), jnp.zeros((1, 2, 2, 4)), train=False)


@pytest.mark.parametrize('residual', [True, False])
def test_without_a_mask_h_is_the_trunk(residual):
  module = AttentionModule(
    1, 1, residual, 'preact', 'none', 1, 1, 'mixed', jnp.float64
  )
  variables = variables_of(module, 8)
  x = np.random.default_rng(0).standard_normal((2, 8, 8, 8))
  with jax.enable_x64(True):
    got, parts = module.apply(variables, x, train=False)
  layers = layers_of(variables, False, False)
  trunk = chain(layers, chain(layers, x, 1, 'before'), 1, 'trunk')
  close = dict(rtol=1e-9, atol=1e-9)
  np.testing.assert_allclose(parts['fused'], trunk, **close)
  np.testing.assert_allclose(got, chain(layers, trunk, 1, 'after'), **close)
  assert 'mask' not in parts


def test_activated_is_what_the_unit_after_a_module_begins_with():
  model = RANCifar(modules=1, t=1, width=8)
  shapes = jax.eval_shape(
    lambda key: model.init(key, jnp.zeros((1, 8, 8, 3)), train=False),
    jax.random.key(0),
  )
  rng = np.random.default_rng(2)
  variables = jax.tree.map(
    lambda x: rng.uniform(0.5, 1.5, x.shape).astype(np.float32), shapes
  )
  fused = rng.standard_normal((2, 8, 8, 8)).astype(np.float32)
  got = ran_modules.activated(variables, 'group1/module1', fused, 'preact')
  layers = layers_of(variables, False, False)
  want = relu(layers.norm(fused, 'group1_module1', 'after_unit1', 'bn0'))
  np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
  got = ran_modules.activated(variables, 'group1/module1', fused, 'next')
  np.testing.assert_array_equal(got, relu(fused))

"""WRN against NumPy in float64, and what a count of parameters cannot see."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_networks import assert_gradient_everywhere

from at_jax.models.wrn import WRN, conv


def images(batch=2, size=8):
  shape = (batch, size, size, 3)
  return np.random.default_rng(0).standard_normal(shape)


def shapes_of(model, size=8):
  def init(key):
    return model.init(key, jnp.zeros((1, size, size, 3)), train=False)

  return jax.eval_shape(init, jax.random.key(0))


def random_variables(model):
  """Nothing at its initial value, where a zero or a one hides a mistake."""
  rng = np.random.default_rng(1)

  def draw(path, leaf):
    name = path[-1].key
    if name == 'kernel':
      scale = 1 / np.sqrt(np.prod(leaf.shape[:-1]))
      return scale * rng.standard_normal(leaf.shape).astype(np.float32)
    if name == 'var':
      return rng.uniform(1e-4, 2, leaf.shape).astype(np.float32)
    return rng.standard_normal(leaf.shape).astype(np.float32)

  return jax.tree.map_with_path(draw, shapes_of(model))


@functools.cache
def compiled(model, train):
  def forward(variables, x):
    return model.apply(variables, x, train=train, mutable=['batch_stats'])

  return jax.jit(forward)


def apply(model, variables, x, train=False):
  """Computes in float64 throughout, whatever the model's dtype."""
  with jax.enable_x64(True):
    variables = jax.tree.map(np.float64, variables)
    (logits, endpoints), updated = compiled(
      model.clone(dtype=jnp.float64), train
    )(variables, x)
  return jax.tree.map(np.asarray, (logits, endpoints, updated['batch_stats']))


def reference_conv(x, kernel, stride):
  pad, size = len(kernel) // 2, len(kernel)
  x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
  view = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
  view = view[:, ::stride, ::stride]
  return np.einsum('bhwcij,ijco->bhwo', view, kernel, optimize=True)


class Reference:
  """The network, written from the paper and the authors' conventions."""

  def __init__(self, variables, train):
    variables = jax.tree.map(np.float64, variables)
    self.params, self.stats = variables['params'], variables['batch_stats']
    self.train, self.updated = train, {}

  def norm_relu(self, x, *path):
    params, stats = self.params, self.stats
    for name in path:
      params, stats = params[name], stats[name]
    mean, var = stats['mean'], stats['var']
    if self.train:
      batch = x.reshape(-1, x.shape[-1])
      new_mean = batch.mean(0)
      new_var = np.mean((batch - new_mean) ** 2, axis=0)  # biased
      mean, var = 0.9 * mean + 0.1 * new_mean, 0.9 * var + 0.1 * new_var
      self.updated[path] = dict(mean=mean, var=var)
      mean, var = new_mean, new_var
    x = (x - mean) / np.sqrt(var + 1e-5) * params['scale'] + params['bias']
    return np.maximum(x, 0)

  def block(self, x, name, stride):
    params = self.params[name]
    o1 = self.norm_relu(x, name, 'bn0')
    y = reference_conv(o1, params['conv0']['kernel'], stride)
    o2 = self.norm_relu(y, name, 'bn1')
    z = reference_conv(o2, params['conv1']['kernel'], 1)
    if x.shape[-1] == z.shape[-1]:
      return z + x
    return z + reference_conv(o1, params['convdim']['kernel'], stride)

  def __call__(self, x, blocks):
    x = reference_conv(x, self.params['conv0']['kernel'], 1)
    endpoints = {}
    for group in (1, 2, 3):
      for block in range(1, blocks + 1):
        stride = 2 if group > 1 and block == 1 else 1
        x = self.block(x, f'group{group}_block{block}', stride)
        endpoints[f'group{group}/block{block}'] = x
      endpoints[f'group{group}'] = x
    x = self.norm_relu(x, 'bn').mean((1, 2))
    head = self.params['head']
    return x @ head['kernel'] + head['bias'], endpoints


@pytest.mark.parametrize('train', [False, True])
@pytest.mark.parametrize('depth, width', [(16, 1), (10, 2), (10, 0.5)])
def test_forward_equals_numpy(depth, width, train):
  model = WRN(depth=depth, width=width)
  variables = random_variables(model)
  logits, endpoints, updated = apply(model, variables, images(), train)
  reference = Reference(variables, train)
  wanted_logits, wanted = reference(images(), blocks=(depth - 4) // 6)
  close = dict(rtol=1e-9, atol=1e-9)
  np.testing.assert_allclose(logits, wanted_logits, **close)
  assert endpoints.keys() == wanted.keys()
  for name in wanted:
    np.testing.assert_allclose(endpoints[name], wanted[name], **close)
  if not train:
    jax.tree.map(
      np.testing.assert_array_equal, updated, variables['batch_stats']
    )
  for path, statistics in reference.updated.items():
    mine = updated
    for name in path:
      mine = mine[name]
    for name in ('mean', 'var'):
      np.testing.assert_allclose(mine[name], statistics[name], **close)
  assert len(reference.updated) == (2 * 3 * (depth - 4) // 6 + 1) * train


@pytest.mark.parametrize(
  'depth, width, count, more',
  [
    (16, 1, 175_066, 5_850),
    (16, 2, 691_674, 11_610),
    (40, 1, 563_930, 5_850),
    (40, 2, 2_243_546, 11_610),
  ],
)
def test_parameter_counts(depth, width, count, more):
  for num_classes, wanted in ((10, count), (100, count + more)):
    model = WRN(depth=depth, width=width, num_classes=num_classes)
    params = shapes_of(model)['params']
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == wanted


@pytest.mark.parametrize('width', [1, 2])
def test_endpoints_at_32_pixels(width):
  model = WRN(depth=16, width=width, num_classes=100)
  x = jax.ShapeDtypeStruct((5, 32, 32, 3), jnp.float32)
  logits, endpoints = jax.eval_shape(
    lambda v, x: model.apply(v, x, train=False), shapes_of(model), x
  )
  wanted = {}
  for group, (size, channels) in enumerate(((32, 16), (16, 32), (8, 64)), 1):
    for name in ('', '/block1', '/block2'):
      wanted[f'group{group}{name}'] = (5, size, size, channels * width)
  assert {k: v.shape for k, v in endpoints.items()} == wanted
  assert logits.shape == (5, 100)


def test_fractional_width_truncates_and_projects_in_group_1():
  for width, channels in ((0.5, [8, 16, 32]), (1.1, [17, 35, 70])):
    params = shapes_of(WRN(depth=10, width=width))['params']
    for group, wanted in enumerate(channels, 1):
      block = params[f'group{group}_block1']
      assert block['conv1']['kernel'].shape == (3, 3, wanted, wanted)
      assert block['convdim']['kernel'].shape[-1] == wanted
    assert params['conv0']['kernel'].shape == (3, 3, 3, 16)
  blocks = shapes_of(WRN(depth=10, width=1))['params']
  assert 'convdim' not in blocks['group1_block1']


@pytest.mark.parametrize('depth', [4, 12, 13, 0, -2, 17])
def test_wrong_depth(depth):
  with pytest.raises(ValueError, match=rf'6n \+ 4 \(10, 16.*got {depth}\.'):
    shapes_of(WRN(depth=depth))


def test_strided_convolution_is_padded_on_both_sides():
  image = np.zeros((1, 4, 4, 1), np.float32)
  image[0, 0, 0] = image[0, 3, 3] = 1
  kernel = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)
  y = conv(1, 3, 2).apply({'params': {'kernel': kernel}}, image)
  # Windows are centred on the pixels 0 and 2; SAME's on 1 and 3.
  np.testing.assert_array_equal(y[0, :, :, 0], [[4, 0], [0, 8]])
  torch = pytest.importorskip('torch')
  theirs = torch.nn.functional.conv2d(
    torch.tensor(image[..., 0])[:, None],
    torch.tensor(kernel[..., 0, 0])[None, None],
    stride=2,
    padding=1,
  )
  np.testing.assert_array_equal(y[0, :, :, 0], theirs[0, 0])


def silence(variables, block):
  """The block's residual branch gives 0: its shortcut is what is left."""
  variables['params'][block]['conv1']['kernel'][:] = 0
  return variables


def test_identity_shortcut_adds_the_raw_input():
  model = WRN(depth=16, width=1)
  variables = silence(random_variables(model), 'group1_block1')
  _, endpoints, _ = apply(model, variables, images())
  stem = reference_conv(images(), variables['params']['conv0']['kernel'], 1)
  assert (stem < 0).any() and (stem > 0).any()  # no batch norm, no ReLU
  np.testing.assert_allclose(endpoints['group1/block1'], stem, atol=1e-12)
  variables = silence(random_variables(model), 'group2_block2')
  _, endpoints, _ = apply(model, variables, images())
  group = endpoints['group2']
  assert (group < 0).any() and (group > 0).any()
  np.testing.assert_array_equal(group, endpoints['group2/block1'])
  np.testing.assert_array_equal(group, endpoints['group2/block2'])


def test_projection_acts_on_the_activated_input():
  model = WRN(depth=16, width=1)
  variables = silence(random_variables(model), 'group2_block1')
  bn0 = variables['params']['group2_block1']['bn0']
  bn0['scale'][:], bn0['bias'][:] = 0, -1
  _, endpoints, _ = apply(model, variables, images())
  np.testing.assert_array_equal(endpoints['group2/block1'], 0)
  bn0['bias'][:] = 2
  _, endpoints, _ = apply(model, variables, images())
  kernel = variables['params']['group2_block1']['convdim']['kernel']
  wanted = np.broadcast_to(2 * kernel.sum((0, 1, 2)), (2, 4, 4, 32))
  np.testing.assert_allclose(endpoints['group2/block1'], wanted, rtol=1e-6)


def test_initial_values():
  model = WRN(depth=10, width=2)
  key = jax.random.key(0, impl='rbg')  # the fastest to compile
  variables = jax.jit(
    lambda key: model.init(key, jnp.zeros((1, 8, 8, 3)), train=False)
  )(key)
  scales = []
  for path, leaf in jax.tree.leaves_with_path(variables):
    name, leaf = path[-1].key, np.asarray(leaf)
    if name == 'kernel':
      fan_in = np.prod(leaf.shape[:-1])
      z = leaf / np.sqrt(2 / fan_in)
      sigma = 1 / np.sqrt(z.size)
      assert abs(z.mean()) < 5 * sigma
      assert abs(z.std() - 1) < 5 * sigma / 2**0.5
      if z.size > 10_000:
        assert np.abs(z).max() > 3.3  # normal, not truncated
    elif name == 'scale':
      scales.append(leaf)
    else:
      np.testing.assert_array_equal(leaf, float(name == 'var'))
  assert len(scales) == 7 and len({float(x[0]) for x in scales}) == 7
  scales = np.concatenate(scales)
  assert 0 <= scales.min() < 0.02 and 0.98 < scales.max() < 1
  assert abs(scales.mean() - 0.5) < 0.05
  assert abs(scales.std() - 12**-0.5) < 0.03


def test_only_the_head_has_a_bias_besides_batch_norm():
  params = shapes_of(WRN(depth=16, width=2))['params']
  for path, _ in jax.tree.leaves_with_path(params):
    names = [key.key for key in path]
    assert names[-1] != 'bias' or names[-2] in ('bn', 'bn0', 'bn1', 'head')


def test_gradient_reaches_every_parameter():
  model = WRN(depth=16, width=1)
  variables = random_variables(model)
  assert_gradient_everywhere(model, variables, images())


def test_bfloat16_is_for_activations_only():
  model = WRN(depth=16, width=1, dtype='bfloat16')
  shapes = shapes_of(model)
  assert {x.dtype for x in jax.tree.leaves(shapes)} == {np.dtype('float32')}
  variables = random_variables(model)
  (logits, endpoints), updated = compiled(model, True)(
    variables, images().astype(np.float32)
  )
  for leaf in (logits, *endpoints.values()):
    assert leaf.dtype == jnp.bfloat16
    assert np.isfinite(leaf).all()
  wanted_logits, _, wanted = apply(
    WRN(depth=16, width=1), variables, images(), train=True
  )
  np.testing.assert_allclose(logits.astype(np.float32), wanted_logits, atol=0.3)
  for leaf, exact in zip(
    jax.tree.leaves(updated['batch_stats']),
    jax.tree.leaves(wanted),
    strict=True,
  ):
    assert leaf.dtype == jnp.float32
    np.testing.assert_allclose(leaf, exact, atol=0.02, rtol=0.02)


@pytest.mark.parametrize('width', [0.05, -1])
def test_a_width_without_channels_is_refused(width):
  model = WRN(depth=10, width=width)
  with pytest.raises(ValueError, match='width'):
    jax.eval_shape(
      lambda key: model.init(key, jnp.zeros((1, 8, 8, 3)), train=False),
      jax.random.key(0),
    )


def test_images_without_a_batch_are_refused():
  with pytest.raises(ValueError, match='B, H, W, C'):
    WRN(depth=10).init(jax.random.key(0), jnp.zeros((8, 8, 3)), train=False)

"""Names, axes and channels of state dicts, without PyTorch."""

import jax.numpy as jnp
import numpy as np
import pytest
from numpy_networks import Layers, apply64, random_images, shapes_of
from small_networks import assert_trees_equal

from at_jax.models import create_model
from at_jax.torch_weights.layouts import (
  find_layout,
  fit_head,
  present_names,
)
from at_jax.torch_weights.settings import parse_model
from at_jax.torch_weights.state_dicts import (
  find_sizes,
  find_slots,
  from_torch,
  one_network,
  to_torch,
)

MODELS = (
  'resnet18',
  'resnet50',
  'densenet121:growth=2,width=4',
  'cifar_resnet:depth=14',
  'wrn:depth=16,width=2',
)


def slots_of(text, **kwargs):
  name, arguments = parse_model(text)
  model = create_model(name, num_classes=7, **arguments)
  size = 32 if name == 'densenet121' else 8
  return find_slots(find_layout(name, **kwargs), shapes_of(model, size))


def random_state(slots, seed=0):
  rng = np.random.default_rng(seed)
  return {
    slot.name: rng.uniform(0.1, 1, slot.shape).astype(np.float32)
    for slot in slots
  }


@pytest.mark.parametrize('text', MODELS)
def test_round_trip_is_exact(text):
  slots = slots_of(text)
  state = random_state(slots)
  back = to_torch(from_torch(state, slots), slots)
  assert back.keys() == state.keys()
  for name, array in state.items():
    np.testing.assert_array_equal(back[name], array, err_msg=name)
    assert back[name].flags.c_contiguous and back[name].dtype == np.float32


# torchvision's own state dicts, without the counters: 122 - 20, 320 - 53, ...
@pytest.mark.parametrize(
  'text, count',
  [
    ('resnet18', 102),
    ('resnet34', 182),
    ('resnet50', 267),
    ('resnet101', 522),
    ('resnet152', 777),
  ],
)
def test_names_are_torchvisions(text, count):
  shapes = {slot.name: slot.shape for slot in slots_of(text)}
  assert len(shapes) == count
  deep = count > 200
  width = 2048 if deep else 512
  assert shapes['conv1.weight'] == (64, 3, 7, 7)
  assert shapes['bn1.running_var'] == (64,)
  assert shapes['fc.weight'] == (7, width) and shapes['fc.bias'] == (7,)
  assert shapes['layer4.1.conv2.weight'] == (512, 512, 3, 3)
  before = 256 if not deep else 1024
  assert shapes['layer4.0.downsample.0.weight'] == (width, before, 1, 1)
  assert shapes['layer4.0.downsample.1.running_mean'] == (width,)
  assert ('layer1.0.downsample.0.weight' in shapes) == deep
  assert ('layer3.1.bn3.bias' in shapes) == deep
  if deep:
    assert shapes['layer2.0.conv3.weight'] == (512, 128, 1, 1)


def test_names_are_torchvisions_densenet():
  shapes = {slot.name: slot.shape for slot in slots_of('densenet121')}
  assert len(shapes) == 727 - 121  # theirs, without the counters
  features = {
    'conv0.weight': (64, 3, 7, 7),
    'norm0.running_mean': (64,),
    'denseblock1.denselayer1.norm1.weight': (64,),
    'denseblock1.denselayer1.conv1.weight': (128, 64, 1, 1),
    'denseblock1.denselayer6.norm2.bias': (128,),
    'denseblock4.denselayer16.norm1.running_var': (992,),
    'denseblock4.denselayer16.conv2.weight': (32, 128, 3, 3),
    'transition1.norm.weight': (256,),
    'transition1.conv.weight': (128, 256, 1, 1),
    'transition3.norm.running_var': (1024,),
    'norm5.bias': (1024,),
  }
  for name, shape in features.items():
    assert shapes[f'features.{name}'] == shape
  assert shapes['classifier.weight'] == (7, 1024)
  assert shapes['classifier.bias'] == (7,)


def test_old_names_become_present_ones():
  layout = find_layout('densenet121')
  layer = 'features.denseblock3.denselayer21'
  for old, new in (
    (f'{layer}.norm.1.running_var', f'{layer}.norm1.running_var'),
    (f'{layer}.conv.2.weight', f'{layer}.conv2.weight'),
    (f'{layer}.norm2.bias', f'{layer}.norm2.bias'),
    ('features.transition1.norm.weight', 'features.transition1.norm.weight'),
    ('features.norm.1.weight', 'features.norm.1.weight'),
  ):
    assert present_names(layout, {old: 5}) == {new: 5}
    assert present_names(find_layout('resnet18'), {old: 5}) == {old: 5}
  # Both are there: none is lost, the old one is reported as unexpected.
  both = {f'{layer}.norm.1.bias': 1, f'{layer}.norm1.bias': 2}
  assert present_names(layout, both) == both


def test_names_are_akamasters():
  names = {slot.name for slot in slots_of('cifar_resnet:depth=8')}
  assert names == {
    *norm('bn1'),
    *(
      name
      for layer in (1, 2, 3)
      for k in (1, 2)
      for name in (
        f'layer{layer}.0.conv{k}.weight',
        *norm(f'layer{layer}.0.bn{k}'),
      )
    ),
    'conv1.weight',
    'linear.weight',
    'linear.bias',
  }


def test_names_are_those_of_attention_transfer():
  names = {slot.name for slot in slots_of('wrn:depth=10,width=1')}
  assert names == {
    'conv0',
    *(
      name
      for group in (0, 1, 2)
      for k in (0, 1)
      for name in (
        f'group{group}.block0.conv{k}',
        *norm(f'group{group}.block0.bn{k}'),
      )
    ),
    'group1.block0.convdim',  # group 0 changes no width
    'group2.block0.convdim',
    *norm('bn'),
    'fc.weight',
    'fc.bias',
  }


def norm(name):
  parts = 'weight', 'bias', 'running_mean', 'running_var'
  return tuple(f'{name}.{part}' for part in parts)


def test_axes_by_hand():
  slots = slots_of('wrn:depth=16,width=2')
  state = random_state(slots)
  params = from_torch(state, slots)['params']
  theirs = state['group1.block0.conv0']
  assert theirs.shape == (64, 32, 3, 3)
  ours = params['group2_block1']['conv0']['kernel']
  assert ours.shape == (3, 3, 32, 64)
  assert ours[0, 2, 5, 60] == theirs[60, 5, 0, 2]
  assert params['head']['kernel'][100, 6] == state['fc.weight'][6, 100]
  stats = from_torch(state, slots)['batch_stats']
  np.testing.assert_array_equal(
    stats['group3_block2']['bn1']['var'],
    state['group2.block1.bn1.running_var'],
  )


def test_orders_of_option_a_by_hand():
  orders = find_layout('cifar_resnet').orders
  old, new = orders[2][:16], orders[2][16:]
  np.testing.assert_array_equal(old, np.arange(8, 24))
  np.testing.assert_array_equal(new, [*range(8), *range(24, 32)])
  # Their third group has the second's 32 channels at 16 to 47.
  np.testing.assert_array_equal(orders[3][:16], np.arange(24, 40))
  np.testing.assert_array_equal(
    orders[3][16:32], [*range(16, 24), *range(40, 48)]
  )
  np.testing.assert_array_equal(orders[3][32:], [*range(16), *range(48, 64)])


def half_before(layers, x):
  """A CIFAR ResNet-14 whose shortcuts put half of the zeros before."""
  x = np.maximum(layers.norm(layers.conv(x, 'conv0'), 'bn0'), 0)
  ends = []
  for group in (1, 2, 3):
    for block in (1, 2):
      name, stride = f'group{group}_block{block}', 1 + (group > 1 == block)
      y = layers.conv(x, name, 'conv0', stride=stride)
      y = np.maximum(layers.norm(y, name, 'bn0'), 0)
      y = layers.norm(layers.conv(y, name, 'conv1'), name, 'bn1')
      half = (y.shape[-1] - x.shape[-1]) // 2
      pads = ((0, 0), (0, 0), (0, 0), (half, half))
      x = np.maximum(y + np.pad(x[:, ::stride, ::stride], pads), 0)
    ends.append(x)
  return layers.head(x), ends


def test_option_a_is_the_same_network_in_numpy():
  """Their weights in their network and, converted, in ours: equal logits."""
  plain = slots_of('cifar_resnet:depth=14', option_a='end')
  state = random_state(plain)
  state = {k: v - 0.5 if v.ndim > 1 else v for k, v in state.items()}
  x = random_images(8, 8)
  logits, ends = half_before(Layers(from_torch(state, plain), False), x)
  ours = from_torch(state, slots_of('cifar_resnet:depth=14'))
  model = create_model('cifar_resnet', depth=14, num_classes=7)
  own_logits, own_ends, _ = apply64(model, ours, x)
  np.testing.assert_allclose(own_logits, logits, rtol=1e-9, atol=1e-9)
  orders = find_layout('cifar_resnet').orders
  for group, end in enumerate(ends, 1):
    np.testing.assert_allclose(
      own_ends[f'group{group}'], end[..., orders[group]], rtol=1e-9, atol=1e-9
    )
  unordered, _, _ = apply64(model, from_torch(state, plain), x)
  assert np.abs(unordered - logits).max() > 1e-3 * np.abs(logits).max()


@pytest.mark.parametrize('kind', ['float16', 'bfloat16', 'float64'])
def test_other_floats_become_float32(kind):
  slots = slots_of('wrn:depth=10,width=1')
  state = random_state(slots)
  other = {k: v.astype(jnp.dtype(kind)) for k, v in state.items()}
  want = {k: v.astype(np.float32) for k, v in other.items()}
  got = from_torch(other, slots)
  assert got['params']['conv0']['kernel'].dtype == np.float32
  assert_trees_equal(got, from_torch(want, slots))


def test_everything_wrong_is_in_one_error():
  slots = slots_of('resnet18')
  state = random_state(slots)
  del state['layer1.0.conv1.weight'], state['fc.bias']
  state |= {
    'layer1.0.conv1.bias': np.zeros(64, np.float32),
    'bn9.num_batches_tracked': np.array(3),
    'conv1.weight': np.zeros((64, 3, 3, 3), np.float16),
    'bn1.bias': np.zeros(64, np.int8),
  }
  with pytest.raises(ValueError) as caught:
    from_torch(state, slots)
  for line in (
    '  2 missing: fc.bias, layer1.0.conv1.weight\n',
    '  2 unexpected: bn9.num_batches_tracked, layer1.0.conv1.bias\n',
    '  2 not as wanted: ',
    'conv1.weight is float16 (64, 3, 3, 3), wanted floats (64, 3, 7, 7)',
    'bn1.bias is int8 (64,), wanted floats (64,)',
    'docs/convert.md',
  ):
    assert line in str(caught.value)


def test_counters_are_dropped():
  slots = slots_of('resnet18')
  state = random_state(slots)
  counters = {
    name.replace('running_var', 'num_batches_tracked'): np.array(9)
    for name in state
    if name.endswith('running_var')
  }
  assert len(counters) == 20
  assert_trees_equal(
    from_torch(state | counters, slots), from_torch(state, slots)
  )


def test_last_layer_and_sizes_are_read():
  zeros = np.zeros
  state = {'conv1.weight': zeros((16, 1, 3, 3)), 'fc.weight': zeros((5, 64))}
  layout = fit_head(find_layout('cifar_resnet'), state)
  assert layout.layers['head'] == 'fc'
  assert find_sizes(layout, state) == (1, 5)
  layout = fit_head(layout, {'linear.weight': 0})
  assert layout.layers['head'] == 'linear'
  assert find_sizes(layout, {}) == (3, 1)
  state = {
    'features.conv0.weight': zeros((64, 2, 7, 7)),
    'classifier.weight': zeros((14, 1024)),
  }
  assert find_sizes(find_layout('densenet121'), state) == (2, 14)
  assert fit_head(layout, state).layers['head'] == 'classifier'


def names(state, prefix=''):
  return set(one_network(dict.fromkeys(state, 0), prefix))


def test_prefixes():
  assert names(['module.a.b', 'module.c']) == {'a.b', 'c'}
  assert names(['module.a', 'c']) == {'module.a', 'c'}
  assert names(['teacher.a', 'teacher.c']) == {'a', 'c'}
  both = ['student.a', 'teacher.a', 'teacher.c']
  assert names(both, 'student') == {'a'}
  assert names([f'module.{name}' for name in both], 'teacher.') == {'a', 'c'}
  # Not one network's: said by the names that are missing and unexpected.
  assert names(['student.a', 'c']) == {'student.a', 'c'}
  with pytest.raises(ValueError, match='--prefix=student or --prefix=teacher'):
    names(both)
  with pytest.raises(ValueError, match=r'pupil\. \(they .* student, teacher\)'):
    names(both, 'pupil')

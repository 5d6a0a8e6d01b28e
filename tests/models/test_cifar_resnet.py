"""CifarResNet against NumPy in float64, and what a count cannot see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_networks import (
  apply64,
  assert_bfloat16_is_for_activations_only,
  assert_forward_equals,
  assert_gradient_everywhere,
  count_parameters,
  initial_variables,
  random_images,
  random_variables,
  shapes_of,
)

from at_jax.models.cifar_resnet import CifarResNet, shortcut


def reference_block(layers, x, name, stride):
  y = np.maximum(
    layers.norm(layers.conv(x, name, 'conv0', stride=stride), name, 'bn0'), 0
  )
  y = layers.norm(layers.conv(y, name, 'conv1'), name, 'bn1')
  skipped = np.zeros_like(y)
  skipped[..., : x.shape[-1]] = x[:, ::stride, ::stride]
  return np.maximum(y + skipped, 0)


def reference(blocks):
  """The network, written from the paper."""

  def forward(layers, x):
    x = np.maximum(layers.norm(layers.conv(x, 'conv0'), 'bn0'), 0)
    endpoints = {}
    for group in (1, 2, 3):
      for block in range(1, blocks + 1):
        stride = 2 if group > 1 and block == 1 else 1
        x = reference_block(layers, x, f'group{group}_block{block}', stride)
        endpoints[f'group{group}/block{block}'] = x
      endpoints[f'group{group}'] = x
    return layers.head(x), endpoints

  return forward


@pytest.mark.parametrize('train', [False, True])
def test_forward_equals_numpy(train):
  model = CifarResNet(depth=14)
  assert_forward_equals(
    model,
    random_variables(model),
    random_images(10, 7),
    train,
    reference(blocks=2),
  )


def by_hand(depth, classes):
  """Convolutions, two numbers a channel of batch norm, and the head."""
  blocks = (depth - 2) // 6
  total, before = 9 * 3 * 16 + 2 * 16, 16
  for width in (16, 32, 64):
    first = 9 * before * width + 9 * width * width + 4 * width
    other = 2 * 9 * width * width + 4 * width
    total += first + (blocks - 1) * other
    before = width
  return total + 64 * classes + classes


@pytest.mark.parametrize(
  'depth, count',
  [
    (20, 269_722),
    (32, 464_154),
    (44, 658_586),
    (56, 853_018),
    (110, 1_727_962),
  ],
)
def test_parameter_counts(depth, count):
  assert by_hand(depth, 10) == count
  for classes in (10, 100) if depth < 56 else (10,):
    model = CifarResNet(depth=depth, num_classes=classes)
    assert count_parameters(model) == by_hand(depth, classes)


def test_endpoints_at_32_pixels():
  model = CifarResNet(num_classes=100)
  x = jax.ShapeDtypeStruct((5, 32, 32, 3), jnp.float32)
  logits, endpoints = jax.eval_shape(
    lambda v, x: model.apply(v, x, train=False), shapes_of(model), x
  )
  wanted = {}
  for group, (size, width) in enumerate(((32, 16), (16, 32), (8, 64)), 1):
    for name in ('', '/block1', '/block2', '/block3'):
      wanted[f'group{group}{name}'] = (5, size, size, width)
  assert {k: v.shape for k, v in endpoints.items()} == wanted
  assert logits.shape == (5, 100)


@pytest.mark.parametrize('depth', [2, 0, -4, 18, 21, 16, 40])
def test_wrong_depth(depth):
  with pytest.raises(ValueError, match=rf'6n \+ 2 \(20, 32.*got {depth}\.'):
    shapes_of(CifarResNet(depth=depth))


def test_option_a_by_hand():
  x = np.arange(1.0, 31).reshape(1, 5, 3, 2)
  y = np.asarray(shortcut(x, 4, 2))
  # Rows 0, 2, 4 and columns 0, 2 of the first channel: 2 numbers a pixel.
  np.testing.assert_array_equal(y[0, :, :, 0], [[1, 5], [13, 17], [25, 29]])
  np.testing.assert_array_equal(y[..., 1], y[..., 0] + 1)
  np.testing.assert_array_equal(y[..., 2:], np.zeros((1, 3, 2, 2)))
  np.testing.assert_array_equal(shortcut(x, 2, 1), x)


def test_a_silent_block_passes_its_shortcut_on():
  model = CifarResNet(depth=14)
  variables = random_variables(model)
  for name in ('group2_block1', 'group2_block2'):
    for parameter in variables['params'][name]['bn1'].values():
      parameter[:] = 0
  _, ends, _ = apply64(model, variables, random_images(10, 7))
  first, second = ends['group2/block1'], ends['group2/block2']
  np.testing.assert_array_equal(first[..., :16], ends['group1'][:, ::2, ::2])
  np.testing.assert_array_equal(first[..., 16:], 0)
  np.testing.assert_array_equal(second, first)
  assert (first[..., :16] > 0).any()


def test_endpoints_come_after_the_relu():
  model = CifarResNet(depth=14)
  _, ends, _ = apply64(model, random_variables(model), random_images(10, 7))
  for end in ends.values():
    assert (end == 0).any() and (end > 0).any() and not (end < 0).any()


def test_only_the_head_has_a_bias_besides_batch_norm():
  params = shapes_of(CifarResNet())['params']
  for path, _ in jax.tree.leaves_with_path(params):
    names = [key.key for key in path]
    assert names[-1] != 'bias' or names[-2] in ('bn0', 'bn1', 'head')


def test_initial_values():
  variables = initial_variables(CifarResNet(depth=8), train=False)
  for path, leaf in jax.tree.leaves_with_path(variables):
    name = path[-1].key
    if name == 'kernel':
      z = leaf / np.sqrt(2 / np.prod(leaf.shape[:-1]))
      assert abs(z.std() - 1) < 5 / np.sqrt(2 * z.size), path
    else:
      np.testing.assert_array_equal(leaf, float(name in ('var', 'scale')))


def test_gradient_reaches_every_parameter():
  model = CifarResNet(depth=8)
  variables = random_variables(model)
  assert_gradient_everywhere(model, variables, random_images(8, 8))


def test_bfloat16_is_for_activations_only():
  model = CifarResNet(depth=14, dtype=jnp.bfloat16)
  assert_bfloat16_is_for_activations_only(model, random_images(10, 7), 0.3)


def test_images_without_a_batch_are_refused():
  with pytest.raises(ValueError, match='B, H, W, C'):
    CifarResNet().init(jax.random.key(0), jnp.zeros((8, 8, 3)), train=False)

"""ResNet-164 by its counts, and against NumPy."""

import numpy as np
import pytest
from numpy_networks import (
  assert_forward_equals,
  count_parameters,
  random_images,
  random_variables,
  shapes_of,
)

from at_jax.models import create_model


@pytest.mark.parametrize(
  ('num_classes', 'count'), [(10, 1_703_258), (100, 1_726_388)]
)
def test_counts_of_resnet_164(num_classes, count):
  model = create_model('preact_cifar_resnet', num_classes=num_classes)
  assert count_parameters(model) == count
  blocks = [k for k in shapes_of(model)['params'] if '_block' in k]
  assert len(blocks) == 54


def relu(x):
  return np.maximum(x, 0)


def reference(layers, x):
  """ResNet-11: one block a group, the second and third with stride 2."""
  x, ends = layers.conv(x, 'conv0'), {}
  for group, stride in ((1, 1), (2, 2), (3, 2)):
    name = f'group{group}_block1'
    u = relu(layers.norm(x, name, 'bn0'))
    y = relu(layers.norm(layers.conv(u, name, 'conv0'), name, 'bn1'))
    y = relu(
      layers.norm(layers.conv(y, name, 'conv1', stride=stride), name, 'bn2')
    )
    x = layers.conv(y, name, 'conv2') + layers.conv(
      u, name, 'convdim', stride=stride
    )
    ends |= {f'group{group}/block1': x, f'group{group}': x}
  return layers.head(relu(layers.norm(x, 'bn'))), ends


@pytest.mark.parametrize('train', [False, True])
def test_forward(train):
  model = create_model('preact_cifar_resnet', depth=11)
  variables = random_variables(model)
  x = random_images(8, 7)
  assert_forward_equals(model, variables, x, train, reference)


def test_wrong_depth_and_rank():
  with pytest.raises(ValueError, match=r'depth 9n \+ 2 .* got 57'):
    shapes_of(create_model('preact_cifar_resnet', depth=57))
  model = create_model('preact_cifar_resnet', depth=11)
  variables = random_variables(model)
  with pytest.raises(ValueError, match=r'\[B, H, W, C\]'):
    model.apply(variables, np.zeros((4, 4, 3)), train=False)

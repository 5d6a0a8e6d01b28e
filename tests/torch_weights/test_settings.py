"""What the flags of the conversion say: model and images."""

import numpy as np
import pytest

from at_jax.torch_weights.layouts import find_layout
from at_jax.torch_weights.settings import make_network, parse_model


def test_models():
  assert parse_model('resnet18') == ('resnet18', {})
  _, arguments = parse_model('wrn:depth=16,width=0.5')
  assert arguments == {'depth': 16, 'width': 0.5}
  with pytest.raises(ValueError, match='leave out num_classes'):
    parse_model('wrn:num_classes=10')
  with pytest.raises(ValueError, match="wants numbers, got 'thin'"):
    parse_model('wrn:width=thin')
  with pytest.raises(ValueError, match="Did you mean 'resnet18'"):
    find_layout('resnet-18')
  with pytest.raises(ValueError, match='There are: both, end'):
    find_layout('cifar_resnet', option_a='start')


def network(name='resnet18', size=0, mean='', std='', channels=3):
  return make_network({'name': name}, channels, size, mean, std, 'mine')


def test_images_have_the_defaults_of_the_family():
  got = network()
  assert got.input_shape == (224, 224, 3) and got.label == 'mine'
  # Their 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225.
  np.testing.assert_allclose(np.divide(got.mean, 255), [0.485, 0.456, 0.406])
  np.testing.assert_allclose(np.divide(got.std, 255), [0.229, 0.224, 0.225])
  theirs = network('densenet121')
  assert theirs.input_shape == (224, 224, 3) and theirs.mean == got.mean
  got = network('wrn')
  assert got.input_shape == (32, 32, 3) and got.mean == (125.3, 123.0, 113.9)
  got = network('wrn', 28, '33.3', '78.6', channels=1)
  assert got.input_shape == (28, 28, 1)
  assert got.mean == (33.3,) and got.std == (78.6,)


@pytest.mark.parametrize(
  'arguments, message',
  [
    (dict(std='0.229,0.224,0.225'), '--std is on the scale 0 to 255'),
    (dict(mean='1,2'), '--mean wants 3 numbers'),
    (dict(mean='a,b,c'), "--mean=a,b,c wants numbers, got 'a,b,c'"),
    (dict(size=-1), '--image-size must be at least 1'),
    (dict(channels=1), '--mean wants 1 numbers'),
  ],
)
def test_images_that_cannot_be(arguments, message):
  with pytest.raises(ValueError, match=message):
    network(**arguments)

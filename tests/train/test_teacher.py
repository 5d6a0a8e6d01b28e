"""Which trained networks can teach on which data."""

import types

import pytest
from small_networks import wrn_network

from at_jax.train import teacher


def data(**fields):
  return types.SimpleNamespace(name='photos', **fields)


def test_a_network_without_a_size_takes_any():
  network = wrn_network()  # of 8x8
  assert (
    teacher._for_images(network, 't', data(image_shape=(8, 8, 3))) is network
  )
  other = teacher._for_images(network, 't', data(image_shape=(16, 24, 3)))
  assert other.input_shape == (16, 24, 3)
  assert other.variable_shapes == network.variable_shapes


def test_other_channels_are_refused():
  message = r'teacher t takes images of \(8, 8, 3\).*photos has \(8, 8, 1\)'
  with pytest.raises(ValueError, match=message):
    teacher._for_images(wrn_network(), 't', data(image_shape=(8, 8, 1)))


def test_the_same_classes_in_another_order_are_refused():
  here = data(class_names=('cat', 'dog', 'owl'))
  for names in (('cat', 'dog', 'owl'), ('0', '1', '2'), ('a', 'b')):
    teacher._check_order(names, 't', here)
  with pytest.raises(ValueError, match='another order.*--classes=FILE'):
    teacher._check_order(('cat', 'owl', 'dog'), 't', here)

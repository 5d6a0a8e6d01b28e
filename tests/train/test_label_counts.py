"""Label counts on their way from the data to the objective."""

import numpy as np
import pytest
from helpers import make_program, tiny_config

from at_jax.data.dataset import Dataset, Split


class Unread(Split):
  """Labels that must not be read."""

  def each_label(self):
    raise AssertionError('nobody asked for the labels')


def dataset(kind=Split):
  labels = np.array([0, 0, 0, 2] * 4, np.int32)
  split = Split(np.zeros((16, 8, 8, 1), np.uint8), labels)
  names = 'a', 'b', 'c'
  train = kind(split.images, split.labels)
  return Dataset('made', 'made here', names, train, None, split)


def program(data, **objective):
  config = tiny_config('configs/wrn.py:tiny,dataset=digits', batch_size=8)
  with config.unlocked():
    config.model = dict(name='attention_cnn', width=4, k=4)
    config.data.mean, config.data.std = (0.0,), (1.0,)
    config.objective = objective
  return make_program(config, data)


def test_a_program_counts_the_training_labels():
  made = program(
    dataset(), name='multi_label', loss='softmax', auxiliary=0
  ).objective
  np.testing.assert_allclose(made.weights, [[16 / 36, 0, 16 / 12]], rtol=1e-6)


def test_labels_of_the_wrong_kind_are_said_at_once():
  with pytest.raises(ValueError, match="loss='softmax'"):
    program(dataset(), name='multi_label')


def test_other_objectives_leave_the_labels_unread():
  assert program(dataset(Unread), name='supervised').objective
  with pytest.raises(AssertionError, match='nobody asked'):
    program(dataset(Unread), name='multi_label', loss='softmax')

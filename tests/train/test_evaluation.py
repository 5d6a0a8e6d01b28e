"""Evaluation is exact: the same numbers for every batch size and device."""

import jax
import numpy as np
import pytest
from small_networks import random_split, tiny_network, variables_of

from at_jax.train.evaluation import Evaluation, Evaluator
from at_jax.train.mesh import data_mesh

COUNT = 23
NETWORK = tiny_network()
VARIABLES = variables_of(NETWORK, 0)
DATA = random_split(COUNT, seed=5)


def evaluate(batch_size, devices):
  evaluator = Evaluator(
    NETWORK,
    DATA['image'],
    DATA['label'],
    batch_size=batch_size,
    mesh=data_mesh(jax.devices()[:devices]),
    precision='float32',
  )
  return evaluator(VARIABLES)


@pytest.fixture(scope='module')
def reference():
  """(losses, predictions) of the whole set at once, in NumPy after the net."""
  images = (DATA['image'] - np.array(NETWORK.mean)) / np.array(NETWORK.std)
  logits, _ = jax.jit(NETWORK.apply)(VARIABLES, images.astype(np.float32))
  logits = np.asarray(logits, np.float64)
  top = logits.max(-1, keepdims=True)
  logs = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
  return -logs[np.arange(COUNT), DATA['label']], logits.argmax(-1)


@pytest.mark.parametrize('devices', [1, 8])
@pytest.mark.parametrize('batch_size', [4, 7, 23, 50])
def test_numbers_are_those_of_numpy(reference, batch_size, devices):
  losses, predictions = reference
  result = evaluate(batch_size, devices)
  wrong = np.sum(predictions != DATA['label'])
  assert 0 < wrong < COUNT  # the test would not see much otherwise
  assert result.error == 100.0 * (wrong / COUNT)  # exactly
  np.testing.assert_allclose(result.loss, losses.mean(), rtol=1e-6)
  # One entry per example, in the order of the data, none for the padding.
  np.testing.assert_array_equal(result.predictions, predictions)
  np.testing.assert_array_equal(result.labels, DATA['label'])
  np.testing.assert_allclose(result.losses, losses, rtol=1e-5, atol=1e-6)


def test_padding_is_masked():
  """The mask as the compiled function sees it: one image in a batch of 8."""
  evaluator = Evaluator(
    NETWORK,
    DATA['image'][:1],
    DATA['label'][:1],
    batch_size=8,
    mesh=data_mesh(),
    precision='float32',
  )
  losses = np.asarray(
    evaluator._evaluate(VARIABLES, evaluator._data, 0)['losses']
  )
  assert losses.shape == (8,) and losses[0] > 0
  np.testing.assert_array_equal(losses[1:], 0)


def test_a_batch_larger_than_the_data_is_cut():
  evaluator = Evaluator(
    NETWORK,
    DATA['image'],
    DATA['label'],
    batch_size=500,
    mesh=data_mesh(jax.devices()[:1]),
    precision='float32',
  )
  assert len(evaluator._data['image']) == COUNT  # not 500


def test_compiles_once_for_all_batches():
  evaluator = Evaluator(
    NETWORK,
    DATA['image'],
    DATA['label'],
    batch_size=4,
    mesh=data_mesh(jax.devices()[:1]),
    precision='float32',
  )
  assert evaluator(VARIABLES).error == evaluator(VARIABLES).error
  assert evaluator._evaluate._cache_size() == 1


def test_other_variables_give_other_numbers():
  evaluator = Evaluator(
    NETWORK,
    DATA['image'],
    DATA['label'],
    batch_size=23,
    mesh=data_mesh(jax.devices()[:1]),
    precision='float32',
  )
  before = evaluator(VARIABLES).loss
  assert evaluator(variables_of(NETWORK, 9)).loss != before


def test_summary_by_hand():
  result = Evaluation(
    losses=np.array([1.0, 2.0, 6.0], np.float32),
    predictions=np.array([0, 1, 2]),
    labels=np.array([0, 2, 2]),
  )
  assert result.loss == 3.0
  assert round(result.error, 9) == 33.333333333
  assert result.as_dict('test') == {
    'test_error': result.error,
    'test_loss': 3.0,
  }

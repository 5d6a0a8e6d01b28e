"""Evaluation is exact: the same numbers for every batch size and device."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import random_split, tiny_network, variables_of

from at_jax.data.dataset import Split
from at_jax.train import evaluation
from at_jax.train.evaluation import Evaluation, Evaluator
from at_jax.train.mesh import data_mesh

COUNT = 23
NETWORK = tiny_network()
VARIABLES = variables_of(NETWORK, 0)
DATA = random_split(COUNT, seed=5)
SPLIT = Split(DATA['image'], DATA['label'])


def evaluate(batch_size, devices):
  evaluator = Evaluator(
    NETWORK,
    SPLIT,
    batch_size=batch_size,
    mesh=data_mesh(jax.devices()[:devices]),
    precision='float32',
  )
  return evaluator(VARIABLES)


@pytest.fixture(scope='module')
def reference():
  """(losses, predictions, probabilities of these) of the whole set at once, in
  NumPy after the net."""
  images = (DATA['image'] - np.array(NETWORK.mean)) / np.array(NETWORK.std)
  logits, _ = jax.jit(NETWORK.apply)(VARIABLES, images.astype(np.float32))
  logits = np.asarray(logits, np.float64)
  top = logits.max(-1, keepdims=True)
  logs = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
  losses = -logs[np.arange(COUNT), DATA['label']]
  return losses, logits.argmax(-1), np.exp(logs.max(-1))


@pytest.mark.parametrize('devices', [1, 8])
@pytest.mark.parametrize('batch_size', [4, 7, 23, 50])
def test_numbers_are_those_of_numpy(reference, batch_size, devices):
  losses, predictions, probabilities = reference
  result = evaluate(batch_size, devices)
  wrong = np.sum(predictions != DATA['label'])
  assert 0 < wrong < COUNT  # the test would not see much otherwise
  assert result.error == 100.0 * (wrong / COUNT)  # exactly
  np.testing.assert_allclose(result.loss, losses.mean(), rtol=1e-6)
  # One entry per example, in the order of the data, none for the padding.
  np.testing.assert_array_equal(result.predictions, predictions)
  np.testing.assert_array_equal(result.labels, DATA['label'])
  np.testing.assert_allclose(result.losses, losses, rtol=1e-5, atol=1e-6)
  assert result.probabilities.dtype == np.float32
  np.testing.assert_allclose(result.probabilities, probabilities, rtol=1e-5)


def test_padding_is_masked():
  """The mask as the compiled function sees it: one image in a batch of 8."""
  evaluator = Evaluator(
    NETWORK,
    SPLIT.take(slice(1)),
    batch_size=8,
    mesh=data_mesh(),
    precision='float32',
  )
  losses = np.asarray(
    evaluator._evaluate(VARIABLES, *next(iter(evaluator._batches)))['losses']
  )
  assert losses.shape == (8,) and losses[0] > 0
  np.testing.assert_array_equal(losses[1:], 0)


def test_a_batch_larger_than_the_data_is_cut():
  evaluator = Evaluator(
    NETWORK,
    SPLIT,
    batch_size=500,
    mesh=data_mesh(jax.devices()[:1]),
    precision='float32',
  )
  (data, _), *more = evaluator._batches
  assert len(data['image']) == COUNT and not more  # not 500


def test_compiles_once_for_all_batches():
  evaluator = Evaluator(
    NETWORK,
    SPLIT,
    batch_size=4,
    mesh=data_mesh(jax.devices()[:1]),
    precision='float32',
  )
  assert evaluator(VARIABLES).error == evaluator(VARIABLES).error
  assert evaluator._evaluate._cache_size() == 1


def test_other_variables_give_other_numbers():
  evaluator = Evaluator(
    NETWORK,
    SPLIT,
    batch_size=23,
    mesh=data_mesh(jax.devices()[:1]),
    precision='float32',
  )
  before = evaluator(VARIABLES).loss
  assert evaluator(variables_of(NETWORK, 9)).loss != before


def test_summary_by_hand():
  result = Evaluation(
    losses=np.array([1.0, 2.0, 6.0, 3.0], np.float32),
    predictions=np.array([0, 1, 2, 2]),
    probabilities=np.full(4, 0.5),
    labels=np.array([0, 2, 2, 0]),
    ranks=np.array([0, 5, 0, 4]),
    classes=11,
  )
  assert result.loss == 3.0 and result.error == 50.0
  assert result.as_dict('test') == {
    'test_error': 50.0,
    'test_loss': 3.0,
    'test_top5_error': 25.0,
  }
  few = dataclasses.replace(result, classes=10)
  assert few.as_dict('test').keys() == {'test_error', 'test_loss'}
  assert result.class_errors()[:3] == [50.0, None, 50.0]
  assert result.class_errors()[3:] == [None] * 8
  assert result.localisation() == {}


def test_mistakes_are_the_wrong_ones_the_surest_first():
  result = Evaluation(
    losses=np.zeros(6),
    predictions=np.array([1, 1, 2, 0, 0, 1]),
    probabilities=np.array([0.5, 0.9, 0.4, 0.8, 0.99, 0.8], np.float32),
    labels=np.array([0, 2, 1, 1, 0, 0]),
    ranks=np.zeros(6),
    classes=3,
  )
  assert result.mistakes(10).tolist() == [1, 3, 5, 0, 2]
  assert result.mistakes(2).tolist() == [1, 3]
  right = dataclasses.replace(result, labels=result.predictions)
  assert right.mistakes(10).tolist() == []


def test_predictions_are_kept_with_the_names_of_classes():
  (name, arrays), *more = evaluate(23, 1).kept(list('abcdefghij')).items()
  assert name == 'predictions.npz' and not more
  np.testing.assert_array_equal(arrays['labels'], DATA['label'])
  assert (
    arrays['predictions'].shape == arrays['probabilities'].shape == (COUNT,)
  )
  assert arrays['class_names'].tolist() == list('abcdefghij')


def test_branches_by_hand():
  labels = np.array([0, 1, 2, 0])
  result = Evaluation(
    losses=np.zeros(4),
    predictions=labels,
    probabilities=np.ones(4),
    labels=labels,
    ranks=np.zeros(4),
    classes=3,
    branches={'part': np.array([0, 1, 0, 1]), 'master': labels},
  )
  assert result.branch_errors() == {'part': 50.0, 'master': 0.0}
  assert result.looks()['branches'] == {'part': 50.0, 'master': 0.0}
  assert result.as_dict('test')['test_error/part'] == 50.0


def test_localisation_by_hand():
  result = Evaluation(
    losses=np.zeros(3, np.float32),
    predictions=np.zeros(3, int),
    probabilities=np.ones(3),
    labels=np.zeros(3, int),
    ranks=np.zeros(3, int),
    classes=2,
    boxed=np.array([True, False, True]),
    areas=np.array([0.5, 0.0, 0.25], np.float32),
    energies={'group1': np.array([1.0, 0.0, 0.5], np.float32)},
    hits={'group1': np.array([True, False, False])},
  )
  assert result.localisation() == {
    'images': 2,
    'area': 37.5,
    'energy': {'group1': 75.0},
    'pointing': {'group1': 50.0},
  }


def test_ranks_are_places_among_the_logits():
  logits = np.array(
    [[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [5.0, 5.0, 0.0], [5.0, 5.0, 0.0]]
  )
  ranks = evaluation._ranks(jnp.asarray(logits), jnp.array([1, 0, 0, 1]))
  np.testing.assert_array_equal(ranks, [0, 2, 0, 1])  # as argmax: 0 iff it is
  broken = logits.copy()
  broken[:, 2] = np.nan
  ranks = evaluation._ranks(jnp.asarray(broken), jnp.array([1, 0, 0, 2]))
  np.testing.assert_array_equal(ranks, [3] * 4)

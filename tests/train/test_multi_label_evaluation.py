"""Evaluation of several labels an image: exact, of the whole set at once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from multi_label_data import CLASSES, MapNet, squares
from small_networks import variables_of

from at_jax.data.dataset import Split
from at_jax.objectives import Network
from at_jax.train import metrics
from at_jax.train.evaluation import Evaluator
from at_jax.train.mesh import data_mesh
from at_jax.train.multi_label_evaluation import MultiLabelEvaluation

COUNT = 23
NETWORK = Network(MapNet(), (75.0,), (50.0,), (8, 8, 3), 'MapNet')
VARIABLES = variables_of(NETWORK, 0)
SPLIT = squares(COUNT, seed=3)


def evaluate(batch_size=COUNT, devices=1, split=SPLIT):
  evaluator = Evaluator(
    NETWORK,
    split,
    batch_size=batch_size,
    mesh=data_mesh(jax.devices()[:devices]),
    precision='float32',
  )
  return evaluator(VARIABLES)


@pytest.fixture(scope='module')
def direct():
  """(logits, attention) of the whole set in one call."""
  images = (SPLIT.images.astype(np.float32) - 75) / 50
  logits, ends = jax.jit(NETWORK.apply)(VARIABLES, images)
  return np.asarray(logits), np.asarray(ends['attention/group1'])


@pytest.mark.parametrize('batch_size, devices', [(4, 1), (7, 8), (50, 1)])
def test_numbers_are_those_of_the_whole_set(direct, batch_size, devices):
  found = evaluate(batch_size, devices)
  logits, _ = direct
  labels = SPLIT.labels
  np.testing.assert_allclose(found.logits, logits, rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(found.labels, labels)
  areas = 100 * metrics.auroc(logits, labels)
  assert len({*areas[:3]}) == 3 and np.isnan(areas[3])
  np.testing.assert_allclose(found.class_auroc, areas)
  precisions = 100 * metrics.average_precision(logits, labels)
  np.testing.assert_allclose(found.class_ap, precisions)
  chances = 1 / (1 + np.exp(-np.float64(logits)))
  right = np.where(labels, chances, 1 - chances)
  assert found.as_dict('test') == pytest.approx(
    {
      'test_auroc': areas[:3].mean(),
      'test_ap': precisions[:3].mean(),
      'test_loss': -np.log(right).mean(),
      'test_error': 100 * np.mean(right < 0.5),
    }
  )


def test_a_result_has_every_class_and_the_interval_over_groups():
  found = evaluate(split=SPLIT)
  result = found.result('test_', CLASSES)
  assert tuple(result['test_class_auroc']) == CLASSES
  assert result['test_class_auroc']['never'] is None
  assert result['test_class_ap']['never'] is None
  assert result['test_class_auroc']['red'] == found.class_auroc[0]
  assert result['test_class_positives'] == dict(
    zip(CLASSES, SPLIT.labels.sum(0).tolist(), strict=True)
  )
  assert result['test_auroc_classes'] == 3
  assert result['test_auroc_groups'] == 12
  wanted = metrics.bootstrap(found.logits, SPLIT.labels, SPLIT.groups)
  low, high = result['test_auroc_interval']
  assert [low, high] == pytest.approx(100 * wanted.mean)
  assert low < found.numbers()['auroc'] < high
  intervals = result['test_class_auroc_interval']
  assert intervals['red'] == pytest.approx(100 * wanted.classes[0])
  assert intervals['never'] == [None, None]
  alone = dataclasses.replace(found, groups=None).result('', CLASSES)
  assert alone['auroc_groups'] == COUNT
  assert alone['auroc_interval'] != result['test_auroc_interval']


def test_maps_are_judged_by_the_boxes_of_their_class(direct):
  found = evaluate(batch_size=5)
  np.testing.assert_array_equal(found.pairs, SPLIT.labels > 0)
  located = found.class_localisation(CLASSES)['group1']
  hits = []
  for i, c in np.argwhere(SPLIT.labels):
    y, x = np.divmod(np.argmax(direct[1][i, :, :, c]), 4)  # cells of 2x2
    y0, x0, y1, x1, _ = SPLIT.boxes[i, c]
    hits.append(y0 <= 2 * y + 1 <= y1 and x0 <= 2 * x + 1 <= x1)
  assert 0 < np.mean(hits) < 1
  assert located['pointing'] == pytest.approx(100 * np.mean(hits))
  assert located['pairs'] == len(hits) and located['area'] == 25.0
  assert set(located['by_class']) == {'red', 'green', 'blue'}
  pairs = [own['pairs'] for own in located['by_class'].values()]
  assert pairs == SPLIT.labels.sum(0)[:3].tolist()
  assert found.localisation()['images'] == SPLIT.labels.any(1).sum()


def test_localisation_of_one_box_by_hand():
  """A 2x2 map of 8x8 pixels; the box, 4x8, is the left two cells."""
  map_ = (
    jnp.zeros((2, 2, 2, 2))
    .at[0, :, :, 1]
    .set(jnp.array([[0.6, 0.3], [0.1, 0.0]]))
  )
  boxes = jnp.array([[[0.0, 0.0, 8.0, 4.0, 1.0]], [[-1.0] * 5]])
  batch = {'label': jnp.array([[0, 1], [1, 0]]), 'boxes': boxes}
  ends = {'attention/p': map_, 'attention/other': jnp.ones((2, 2, 2, 3))}
  fields = MultiLabelEvaluation.measure(jnp.ones((2, 2)), ends, batch, (8, 8))
  found = MultiLabelEvaluation(**jax.device_get(fields))
  # 0.6 and 0.3 are at least half the largest: two cells, one of them in the
  # box of two cells; together they are three.
  own = dict(pairs=1, area=50.0, pointing=100.0, iou=100 / 3, iobb=50.0)
  located = found.class_localisation('ab')
  assert located.keys() == {'p'} and located['p'].pop('by_class') == {
    'b': pytest.approx(own)
  }
  assert located['p'] == pytest.approx(own)


def test_without_boxes_or_maps_nothing_is_located():
  without = Split(SPLIT.images, SPLIT.labels)
  assert evaluate(split=without).class_localisation(CLASSES) == {}
  fields = MultiLabelEvaluation.measure(
    jnp.ones((1, 2)),
    {'group1': jnp.ones((1, 2, 2, 2))},
    {'label': jnp.ones((1, 2), int), 'boxes': jnp.zeros((1, 1, 5))},
    (8, 8),
  )
  assert fields.keys() == {'logits', 'labels'}


def test_a_network_that_diverged_has_no_areas():
  logits = np.array([[0.0, 1.0], [np.nan, 2.0]], np.float32)
  found = MultiLabelEvaluation(logits=logits, labels=np.eye(2, dtype=int))
  assert np.isnan([found.numbers()[name] for name in ('auroc', 'loss')]).all()


def test_labels_of_which_nothing_can_be_measured():
  split = Split(SPLIT.images[:2], np.array([[1, 0]] * 2, np.int32))
  with pytest.raises(ValueError, match='None of the 2 classes of these 2'):
    evaluate(split=split)

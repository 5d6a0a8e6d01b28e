"""AUROC, average precision, curves, bootstrap: by hand, scikit-learn, laws."""

import numpy as np
import pytest
import sklearn.metrics

from at_jax.train import metrics


def case(seed=0, count=200, classes=3, levels=None):
  """Scores that know something of the labels; with `levels`, many ties."""
  rng = np.random.default_rng(seed)
  labels = (rng.random((count, classes)) < [0.1, 0.5, 0.8][:classes]).astype(
    int
  )
  scores = rng.normal(size=(count, classes)) + labels
  return (np.round(scores * levels) if levels else scores), labels


def column(*values):
  return np.array(values, float)[:, None]


@pytest.mark.parametrize(
  'scores, labels, area, precision',
  [
    ((1, 2, 3, 4), (0, 0, 1, 1), 1, 1),
    ((4, 3, 2, 1), (0, 0, 1, 1), 0, (1 / 3 + 2 / 4) / 2),
    ((1, 2, 3, 4), (0, 1, 0, 1), 3 / 4, (1 + 2 / 3) / 2),
    ((5, 5, 5, 5), (0, 1, 1, 1), 1 / 2, 3 / 4),  # all found together
    ((1, 2, 2, 3), (0, 0, 1, 1), 3.5 / 4, (1 + 2 / 3) / 2),
    ((-np.inf, 0, np.inf), (0, 1, 1), 1, 1),
    ((0.5,), (1,), np.nan, 1),
    ((1, 2), (1, 1), np.nan, 1),
    ((1, 2), (0, 0), np.nan, np.nan),
  ],
)
def test_by_hand(scores, labels, area, precision):
  scores, labels = column(*scores), column(*labels)
  np.testing.assert_allclose(metrics.auroc(scores, labels), [area])
  np.testing.assert_allclose(
    metrics.average_precision(scores, labels), [precision]
  )


@pytest.mark.parametrize('levels', [None, 1, 3])
def test_scikit_learn_has_the_same(levels):
  scores, labels = case(levels=levels)
  assert levels is None or len(np.unique(scores)) < 40
  np.testing.assert_allclose(
    metrics.auroc(scores, labels),
    sklearn.metrics.roc_auc_score(labels, scores, average=None),
    rtol=1e-12,
  )
  np.testing.assert_allclose(
    metrics.average_precision(scores, labels),
    sklearn.metrics.average_precision_score(labels, scores, average=None),
    rtol=1e-12,
  )


def test_laws():
  scores, labels = case(levels=3)
  area = metrics.auroc(scores, labels)
  np.testing.assert_allclose(metrics.auroc(-scores, labels), 1 - area)
  np.testing.assert_allclose(metrics.auroc(scores, 1 - labels), 1 - area)
  order = np.array([2, 0, 1])
  for function in (metrics.auroc, metrics.average_precision):
    value = function(scores, labels)
    assert value.dtype == np.float64 and value.shape == (3,)
    # Only the order of scores counts, and not that of examples.
    np.testing.assert_array_equal(function(np.exp(scores), labels), value)
    np.testing.assert_allclose(function(scores[::-1], labels[::-1]), value)
    np.testing.assert_array_equal(
      function(scores[:, order], labels[:, order]), value[order]
    )


def test_differences_that_float32_does_not_know():
  scores = column(1, 1 + 1e-12)
  assert metrics.auroc(scores, column(0, 1)) == 1


def test_curves_have_those_areas():
  scores, labels = case(levels=2)
  for c in range(3):
    false, true, thresholds = metrics.roc_curve(scores[:, c], labels[:, c])
    area = np.trapezoid(true, false)
    np.testing.assert_allclose(area, metrics.auroc(scores, labels)[c])
    assert len(false) == len(thresholds)
    precision, recall, _ = metrics.precision_recall_curve(
      scores[:, c], labels[:, c]
    )
    area = -np.sum(np.diff(recall) * precision[:-1])
    wanted = metrics.average_precision(scores, labels)[c]
    np.testing.assert_allclose(area, wanted)


@pytest.mark.filterwarnings('error')
def test_curves_of_classes_without_both_kinds_are_empty():
  for value, few in ((0, True), (1, False)):
    labels = np.full(4, value)
    assert [len(x) for x in metrics.roc_curve(np.arange(4), labels)] == [0] * 3
    precision, _, _ = metrics.precision_recall_curve(np.arange(4), labels)
    assert (len(precision) == 0) == few


def test_mean_leaves_out_what_there_is_not():
  scores, labels = case()
  labels[:, 1] = 0
  values = metrics.auroc(scores, labels)
  mean, used = metrics.mean_over_classes(values)
  assert used == 2 and mean == pytest.approx((values[0] + values[2]) / 2)
  mean, used = metrics.mean_over_classes([np.nan])
  assert np.isnan(mean) and used == 0


def slow_bootstrap(scores, labels, groups, samples, seed):
  """AUROCs `[samples, C]` of data sets that are copied out, by scikit-learn."""
  names, rng = np.unique(groups), np.random.default_rng(seed)
  rows = []
  for _ in range(samples):
    drawn = names[rng.integers(len(names), size=len(names))]
    index = np.concatenate([np.flatnonzero(groups == name) for name in drawn])
    rows.append(
      sklearn.metrics.roc_auc_score(labels[index], scores[index], average=None)
    )
  return np.array(rows)


def test_bootstrap_draws_whole_groups():
  """The same as copying all images of each patient that is drawn."""
  scores, labels = case(levels=3)
  groups = np.array([f'patient {i}' for i in range(50)])[np.arange(200) % 50]
  found = metrics.bootstrap(
    scores, labels, groups, samples=40, seed=3, level=0.9
  )
  rows = slow_bootstrap(scores, labels, groups, 40, 3)
  np.testing.assert_allclose(
    found.classes, np.percentile(rows, (5, 95), axis=0).T, rtol=1e-10
  )
  np.testing.assert_allclose(
    found.mean, np.percentile(rows.mean(1), (5, 95)), rtol=1e-10
  )
  assert found.units == 50 and found.used.tolist() == [40] * 3


def width(intervals):
  return intervals.mean[1] - intervals.mean[0]


def test_bootstrap_is_deterministic_and_narrower_with_more_data():
  few, many = case(1, 100), case(1, 1600)
  made = [metrics.bootstrap(*few, None, samples=200) for _ in range(2)]
  np.testing.assert_array_equal(made[0].classes, made[1].classes)
  np.testing.assert_array_equal(made[0].mean, made[1].mean)
  other = metrics.bootstrap(*few, None, samples=200, seed=1)
  assert (other.mean != made[0].mean).all()
  ratio = width(made[0]) / width(metrics.bootstrap(*many, None, samples=200))
  assert 2.5 < ratio < 6  # sqrt(16)
  narrow = metrics.bootstrap(*few, None, samples=200, level=0.5)
  assert width(narrow) < width(made[0])
  (low, high), (mean, _) = (
    made[0].mean,
    metrics.mean_over_classes(metrics.auroc(*few)),
  )
  assert low < mean < high


def test_copies_of_a_patient_are_no_news():
  scores, labels = case(2, 100)
  copies = [np.tile(x, (16, 1)) for x in (scores, labels)]
  groups = np.tile(np.arange(100), 16)
  alone = metrics.bootstrap(scores, labels, None, samples=100)
  honest = metrics.bootstrap(*copies, groups, samples=100)
  np.testing.assert_allclose(honest.classes, alone.classes, rtol=1e-12)
  assert honest.units == alone.units == 100
  naive = metrics.bootstrap(*copies, None, samples=100)
  assert width(naive) < 0.5 * width(honest)


def test_bootstrap_of_rare_and_of_absent_classes():
  scores, labels = case(3, 60)
  labels[:, 0], labels[:, 1] = np.arange(60) % 2, 0
  labels[:, 2] = np.arange(60) == 7  # one positive, in two thirds of all draws
  found = metrics.bootstrap(scores, labels, None, samples=100)
  assert found.used[0] == 100 and found.used[1] == 0
  assert 40 < found.used[2] < 85
  assert np.isnan(found.classes[1]).all()
  assert np.isfinite(found.classes[[0, 2]]).all()
  assert np.isfinite(found.mean).all()
  none = metrics.bootstrap(scores, 0 * labels, None, samples=3)
  assert np.isnan(none.mean).all() and none.used.tolist() == [0] * 3


@pytest.mark.parametrize('function', [metrics.auroc, metrics.average_precision])
@pytest.mark.parametrize(
  'scores, labels, words',
  [
    (np.zeros(3), np.zeros(3), r'\[N, C\].*\(3,\)'),
    (np.zeros((3, 2)), np.zeros((3, 1)), r'\(3, 2\) and \(3, 1\)'),
    (np.zeros((0, 2)), np.zeros((0, 2)), 'N > 0'),
    (np.zeros((2, 1)), np.array([[2], [0]]), r'0 or 1, got \[0, 2\]'),
    (np.full((2, 1), np.nan), np.zeros((2, 1)), '2 of 2 scores are NaN'),
  ],
)
def test_errors(function, scores, labels, words):
  with pytest.raises(ValueError, match=words):
    function(scores, labels)


def test_errors_of_curves_and_bootstrap():
  scores, labels = case()
  for function in (metrics.roc_curve, metrics.precision_recall_curve):
    with pytest.raises(ValueError, match=r'shape \[N\]'):
      function(scores, labels)
  with pytest.raises(ValueError, match=r'\(200,\), got \(3,\)'):
    metrics.bootstrap(scores, labels, np.arange(3))
  for settings in (dict(samples=0), dict(level=0), dict(level=95)):
    with pytest.raises(ValueError, match='samples >= 1 and a level'):
      metrics.bootstrap(scores, labels, None, **settings)

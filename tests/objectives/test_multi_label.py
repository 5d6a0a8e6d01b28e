"""Weighted losses of logits and scores: by hand, slopes, weights, errors."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax.models import create_model
from at_jax.objectives import (
  OBJECTIVES,
  LabelCounts,
  Network,
  count_labels,
  make_objective,
  reads_label_counts,
)

# Of 10 examples; nobody has the last class.
COUNTS = LabelCounts((4, 1, 0), 10, True)
SINGLE = LabelCounts((6, 4, 0), 10, False)
LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]], np.int32)
CLASSES = np.array([0, 1, 1, 0], np.int32)
IMAGES = np.random.default_rng(3).normal(size=(4, 1, 1, 5)).astype(np.float32)


class Linear(nn.Module):
  """Logits and scores of two scales, each a matrix times the pixel."""

  num_classes: int = 3
  scales: tuple = ('score/group1', 'score/group2', 'score/fused')
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    pixels = images[:, 0, 0]

    def made(name):
      kernel = nn.initializers.normal()
      shape = pixels.shape[1], self.num_classes
      return pixels @ self.param(name, kernel, shape)

    ends = {name: made(name.replace('/', '_')) for name in self.scales}
    return made('logits'), ends | {'group1': images}


def linear(**kwargs):
  return Network(Linear(**kwargs), (0.0,), (1.0,), (1, 1, 5), 'Linear')


def objective(student=None, counts=COUNTS, **settings):
  return make_objective(
    dict(name='multi_label', **settings),
    student=student or linear(),
    teacher=None,
    steps_per_epoch=3,
    epochs=2,
    label_counts=counts,
  )


def kernels(seed=0, scale=1.0):
  names = 'logits', 'score_group1', 'score_group2', 'score_fused'
  values = np.random.default_rng(seed).normal(0, scale, (4, 5, 3))
  return dict(zip(names, values.astype(np.float32), strict=True))


def evaluated(made, params, labels=LABELS):
  """(loss, metrics, gradients)."""

  @jax.jit
  def run(params, batch):
    return jax.value_and_grad(made.loss, has_aux=True)(
      {'student': params, 'objective': {}}, {}, {}, batch, None, 0
    )

  batch = {'image': IMAGES, 'label': labels}
  (loss, (_, metrics)), gradients = run(params, batch)
  return loss, metrics, gradients['student']


def by_hand(x, labels, positive, negative):
  """Mean weighted sigmoid cross-entropy and its slope by the logits."""
  p = 1 / (1 + np.exp(-x.astype(np.float64)))
  present, absent = positive * labels, negative * (1 - labels)
  loss = -(present * np.log(p) + absent * np.log(1 - p)).mean()
  return loss, (absent * p - present * (1 - p)) / labels.size


WEIGHTS = {
  'class': ([0.6, 0.9, 1.0], [0.4, 0.1, 0.0]),
  'batch': ([4.0] * 3, [4 / 3] * 3),  # 3 of 12 labels are positive
  'fixed': ([2.0, 3.0, 0.0], [0.5, 0.0, 7.0]),
  'none': ([1.0] * 3, [1.0] * 3),
}


@pytest.mark.parametrize('weighting', WEIGHTS)
def test_loss_and_slopes_by_hand(weighting):
  positive, negative = map(np.array, WEIGHTS[weighting])
  given = {}
  if weighting == 'fixed':
    given = dict(
      positive_weights=positive.tolist(), negative_weights=negative.tolist()
    )
  made = objective(weighting=weighting, auxiliary=0.5, **given)
  params = kernels()
  loss, metrics, gradients = evaluated(made, params)
  total, pixels = 0.0, IMAGES[:, 0, 0]
  for name, part, weight in (
    ('logits', 'logits', 1.0),
    ('score_group1', 'group1', 0.5),
    ('score_group2', 'group2', 0.5),
  ):
    own, slope = by_hand(pixels @ params[name], LABELS, positive, negative)
    np.testing.assert_allclose(metrics[f'ce/{part}'], own, rtol=1e-5)
    np.testing.assert_allclose(
      gradients[name], weight * pixels.T @ slope, rtol=1e-4, atol=1e-6
    )
    total += weight * own
  np.testing.assert_allclose(loss, total, rtol=1e-5)
  np.testing.assert_allclose(metrics['loss'], total, rtol=1e-5)
  assert not gradients['score_fused'].any() and len(metrics) == 5


def test_batch_weights_give_both_kinds_of_labels_one_voice():
  """The mean over the positives plus the mean over the negatives."""
  params = kernels()
  loss, _, _ = evaluated(objective(weighting='batch', auxiliary=0), params)
  p = 1 / (1 + np.exp(-IMAGES[:, 0, 0] @ params['logits']))
  wanted = -np.log(p)[LABELS == 1].mean() - np.log(1 - p)[LABELS == 0].mean()
  np.testing.assert_allclose(loss, wanted, rtol=1e-5)


@pytest.mark.parametrize('weighting', ['class', 'batch', 'none'])
@pytest.mark.parametrize('value', [0, 1])
@pytest.mark.parametrize('scale', [0.0, 1e3])
def test_labels_all_alike_and_extreme_logits(weighting, value, scale):
  """Counts without a positive of a class, batches without any, or with all."""
  made = objective(weighting=weighting)
  with jax.debug_nans(True):
    loss, _, gradients = evaluated(
      made, kernels(scale=scale), np.full((4, 3), value, np.int32)
    )
  assert np.isfinite(loss)
  assert all(np.isfinite(slope).all() for slope in gradients.values())
  if scale == 0:
    parts = dict(none=1.0, batch=1.0).get(weighting)
    # Of 'class' the mean weight of the positives, or of the negatives.
    parts = parts or np.mean(WEIGHTS['class'][1 - value])
    np.testing.assert_allclose(loss, 3 * parts * np.log(2), rtol=1e-5)


def test_softmax_by_hand():
  """Classes of 10 examples: weights 10 / (3 * 6) and 10 / (3 * 4)."""
  made = objective(counts=SINGLE, loss='softmax', auxiliary=2.0)
  np.testing.assert_allclose(made.weights, [[10 / 18, 10 / 12, 0]], rtol=1e-6)
  params = kernels()
  loss, metrics, gradients = evaluated(made, params, CLASSES)
  pixels, total = IMAGES[:, 0, 0], 0.0
  weights = np.array([10 / 18, 10 / 12, 10 / 12, 10 / 18])[:, None]
  weights /= weights.sum()
  for name, factor in (('logits', 1), ('score_group1', 2), ('score_group2', 2)):
    x = np.exp((pixels @ params[name]).astype(np.float64))
    p, hot = x / x.sum(1, keepdims=True), np.eye(3)[CLASSES]
    total -= factor * (weights * hot * np.log(p)).sum()
    slope = factor * pixels.T @ (weights * (p - hot))
    np.testing.assert_allclose(gradients[name], slope, rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(loss, total, rtol=1e-5)
  predicted = np.argmax(pixels @ params['logits'], axis=1)
  error = 100 * np.mean(predicted != CLASSES)
  np.testing.assert_allclose(metrics['train_error'], error, rtol=1e-6)


def test_softmax_weights_of_zero_are_no_division_by_zero():
  fixed = dict(weighting='fixed', positive_weights=(0.0, 0.0, 1.0))
  made = objective(counts=SINGLE, loss='softmax', **fixed)
  loss, _, gradients = evaluated(made, kernels(), CLASSES)
  assert loss == 0
  assert all(not slope.any() for slope in gradients.values())


def test_train_error_is_the_share_of_wrong_decisions():
  """A logit of 0 says no."""
  params = kernels(scale=0.0)
  _, metrics, _ = evaluated(objective(), params)
  np.testing.assert_allclose(metrics['train_error'], 25)  # three of twelve
  params['logits'] += np.linalg.pinv(IMAGES[:, 0, 0]) @ (LABELS - 0.5)
  _, metrics, _ = evaluated(objective(), params)
  assert metrics['train_error'] == 0


def test_permuting_the_classes_permutes_the_slopes():
  order = np.array([2, 0, 1])
  counts = LabelCounts(tuple(np.array(COUNTS.positives)[order]), 10, True)
  params = kernels()
  loss, _, gradients = evaluated(objective(), params)
  moved = {name: kernel[:, order] for name, kernel in params.items()}
  other, _, slopes = evaluated(
    objective(counts=counts), moved, LABELS[:, order]
  )
  np.testing.assert_allclose(other, loss, rtol=1e-6)
  for name, slope in slopes.items():
    np.testing.assert_allclose(
      slope, gradients[name][:, order], rtol=1e-5, atol=1e-7
    )


def test_scores_are_chosen():
  made = objective(aux_from=('score/group2',))
  _, metrics, gradients = evaluated(made, kernels())
  assert {n for n in metrics if '/' in n} == {'ce/logits', 'ce/group2'}
  assert not gradients['score_group1'].any()
  made = objective(auxiliary=0, aux_from=('score/group2',))
  loss, metrics, _ = evaluated(made, kernels())
  assert metrics['ce/logits'] == loss and 'ce/group2' not in metrics
  assert made.init(None) == {}


def test_the_networks_it_is_for():
  """Scores of all scales are found by name, at the cost of a trace."""
  model = create_model(
    'a3net',
    taps=(1, 2),
    width=4,
    blocks=(1, 1),
    growth=4,
    stem=4,
    num_classes=3,
  )
  network = Network(model, (0.0,), (1.0,), (32, 32, 3), 'A3Net')
  made = objective(network)
  variables = network.variable_shapes
  batch = {
    'image': jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32),
    'label': jax.ShapeDtypeStruct((2, 3), jnp.int32),
  }
  params = {'student': variables['params'], 'objective': {}}
  loss, (_, metrics) = jax.eval_shape(
    made.loss, params, variables['batch_stats'], {}, batch, None, 0
  )
  parts = 'logits', 'group1', 'group2'
  assert {*metrics} == {'loss', 'train_error', *(f'ce/{p}' for p in parts)}
  assert loss.shape == () and loss.dtype == jnp.float32
  model = create_model('attention_cnn', width=4, k=4, num_classes=3)
  network = Network(model, (0.0,), (1.0,), (8, 8, 1), 'attention CNN')
  objective(network, SINGLE, loss='softmax', auxiliary=0)


def test_counts():
  assert count_labels(iter(LABELS), 3) == LabelCounts((2, 1, 0), 4, True)
  assert count_labels(CLASSES, 3) == LabelCounts((2, 2, 0), 4, False)
  # As many examples as classes do not make labels multi-hot.
  assert not count_labels([0, 1], 2).multi_label
  for labels in ([], LABELS, [LABELS]):
    with pytest.raises(ValueError, match='integer or a vector of 2 classes'):
      count_labels(labels, 2)


def test_only_who_reads_label_counts_gets_them():
  assert {name for name in OBJECTIVES if reads_label_counts(name)} == {
    'multi_label'
  }
  assert not reads_label_counts('nobody')
  plain = dict(student=linear(), teacher=None, steps_per_epoch=1, epochs=1)
  make_objective(dict(name='supervised'), label_counts=COUNTS, **plain)
  with pytest.raises(ValueError, match="'label_counts'.*There are: loss, "):
    make_objective(dict(name='multi_label', label_counts=COUNTS), **plain)


@pytest.mark.parametrize(
  'settings, words',
  [
    (dict(loss='softmx'), "Unknown loss.*mean 'softmax'"),
    (dict(weighting='clas'), "Unknown weighting.*mean 'class'"),
    (dict(loss='softmax'), r"3 labels with a softmax head.*loss='sigmoid'"),
    (dict(counts=SINGLE), r"one label: set .*loss='softmax'"),
    (dict(counts=LabelCounts((1, 2), 3, True)), '3 logits.* 2 classes'),
    (dict(counts=None), "'class' needs label_counts.*'none'"),
    (dict(positive_weights=(1.0,)), "weighting='fixed', or leave"),
    (
      dict(counts=SINGLE, loss='softmax', weighting='batch'),
      "multi-hot labels; with loss='softmax'",
    ),
    (dict(weighting='fixed'), r'3 finite positive_weights, >= 0, got 0: \(\)'),
    (
      dict(
        weighting='fixed',
        positive_weights=(1.0,) * 3,
        negative_weights=(1.0, -1.0, 1.0),
      ),
      '3 finite negative_weights.*-1.0',
    ),
    (
      dict(
        counts=SINGLE,
        loss='softmax',
        weighting='fixed',
        positive_weights=(1.0,) * 3,
        negative_weights=(1.0,) * 3,
      ),
      '0 finite negative_weights',
    ),
    (dict(auxiliary=-1.0), 'auxiliary must be >= 0'),
    (dict(student=linear(scales=())), 'no endpoints score/.*auxiliary=0'),
    (
      dict(student=linear(scales=('score/fused',))),
      'Linear has no endpoints score/',
    ),
    (dict(aux_from=('score/group3',)), "Unknown endpoint.*'score/group"),
    (dict(aux_from=('group1',)), r"'group1' of Linear is no set of logits"),
  ],
)
def test_what_does_not_fit_is_said_at_once(settings, words):
  with pytest.raises(ValueError, match=words):
    objective(**settings)


def test_labels_of_the_other_kind_without_counts():
  made = objective(counts=None, weighting='none')
  with pytest.raises(ValueError, match=r'\[B, C\]'):
    evaluated(made, kernels(), CLASSES)
  made = objective(counts=None, weighting='none', loss='softmax')
  with pytest.raises(ValueError, match='integer classes'):
    evaluated(made, kernels(), LABELS)

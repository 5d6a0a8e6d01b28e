"""Areas under curves for many labels, over a whole set at once, in float64.

Scores are `[N, C]`, the larger the surer (logits or probabilities: only their
order counts); labels are of the same shape, 0 or 1. Axes: N examples, C
classes. Nothing here is a mean over batches, which would be another number.
"""

import dataclasses

import numpy as np


def auroc(scores, labels):
  """The chance that a positive example has the larger score, for each class.

  The area under the ROC curve, as the Mann-Whitney statistic; of a positive and
  a negative example with equal scores, half a success.

  Args:
    scores: `[N, C]`.
    labels: `[N, C]`, 0 or 1.

  Returns:
    float64 `[C]`; NaN for a class without positives or without negatives.

  Raises:
    ValueError: two shapes, another rank, labels that are not 0 or 1, NaNs.

  Example:
    >>> auroc([[.1], [.4], [.4], [.8]], [[0], [0], [1], [1]]).tolist()
    [0.875]
  """
  ranked = _ranked(scores, labels)
  return _auroc(ranked, np.ones(len(labels), np.int64))


def average_precision(scores, labels):
  """The sum over thresholds of precision times gain in recall, for each class.

  As scikit-learn's: a step function, no trapezia, examples of equal scores are
  found together. A class' level of chance is the share of its positives.

  Args:
    scores: `[N, C]`.
    labels: `[N, C]`, 0 or 1.

  Returns:
    float64 `[C]`; NaN for a class without positives.

  Raises:
    ValueError: as `auroc`.

  Example:
    >>> average_precision([[.1], [.4], [.8]], [[1], [0], [1]]).round(4).tolist()
    [0.8333]
  """
  scores, labels = _checked(scores, labels)
  found = []
  for score, label in zip(scores.T, labels.T, strict=True):
    # An example is found with all those whose scores are at least its own.
    positives, everyone = np.sort(score[label]), np.sort(score)
    right, all_ = (
      len(x) - np.searchsorted(x, positives) for x in (positives, everyone)
    )
    found.append(np.mean(right / all_) if len(positives) else np.nan)
  return np.array(found)


def roc_curve(scores, labels):
  """Scikit-learn's ROC curve of one class.

  Args:
    scores: `[N]`.
    labels: `[N]`, 0 or 1.

  Returns:
    False positive rates, true positive rates, thresholds: `[M]` each, rates
    rising from 0 to 1; M = 0 without positives or without negatives.

  Raises:
    ValueError: as `auroc`.
  """
  from sklearn.metrics import roc_curve

  scores, labels = _checked(scores, labels, '[N]')
  if labels.all() or not labels.any():
    return (np.zeros(0),) * 3
  return roc_curve(labels, scores)


def precision_recall_curve(scores, labels):
  """Scikit-learn's precision-recall curve of one class.

  Args:
    scores: `[N]`.
    labels: `[N]`, 0 or 1.

  Returns:
    Precisions `[M]`, recalls `[M]`, falling from 1 to 0, thresholds `[M - 1]`;
    empty without positives. A precision holds back to the next larger recall.

  Raises:
    ValueError: as `auroc`.
  """
  from sklearn.metrics import precision_recall_curve

  scores, labels = _checked(scores, labels, '[N]')
  if not labels.any():
    return (np.zeros(0),) * 3
  return precision_recall_curve(labels, scores, drop_intermediate=True)


def mean_over_classes(values):
  """(mean of the values that are not NaN, how many these are).

  Example:
    >>> mean_over_classes([0.5, float('nan'), 1.0])
    (0.75, 2)
  """
  values = np.asarray(values, np.float64)
  values = values[~np.isnan(values)]
  return (float(values.mean()) if len(values) else np.nan), len(values)


@dataclasses.dataclass(frozen=True)
class Intervals:
  """Confidence intervals of AUROCs, see `bootstrap`.

  Attributes:
    mean: of the mean over classes, float64 `[2]`: low and high.
    classes: of each class, `[C, 2]`; NaN where no resample had both kinds.
    used: in how many resamples a class had both kinds, int `[C]`.
    units: how many groups were drawn from.
  """

  mean: np.ndarray
  classes: np.ndarray
  used: np.ndarray
  units: int


def bootstrap(scores, labels, groups, *, samples=1000, seed=0, level=0.95):
  """Percentile intervals of AUROCs over resampled groups, such as patients.

  A resample draws as many groups as there are, with replacement, each with all
  its examples: images of one patient are no independent witnesses. A class that
  lacks positives or negatives in a resample is left out of that one's mean, and
  the resample out of the class' percentiles.

  Args:
    scores: `[N, C]`.
    labels: `[N, C]`, 0 or 1.
    groups: `[N]`, such as patients' names; None: each example on its own.
    samples: how many resamples.
    seed: of the draws; the same seed, the same intervals.
    level: the part of the resamples in an interval, between 0 and 1.

  Returns:
    `Intervals`.

  Raises:
    ValueError: as `auroc`; groups of another length, settings out of range.
  """
  ranked = _ranked(scores, labels)
  member = np.arange(len(labels))
  if groups is not None:
    if np.shape(groups) != member.shape:
      raise ValueError(
        f'bootstrap wants a group for each example, [N] = {member.shape}, got '
        f'{np.shape(groups)}.'
      )
    member = np.unique(groups, return_inverse=True)[1]
  if samples < 1 or not 0 < level < 1:
    raise ValueError(
      'bootstrap wants samples >= 1 and a level between 0 and 1, got '
      f'samples={samples}, level={level}.'
    )
  units, rng = int(member.max()) + 1, np.random.default_rng(seed)
  drawn = []
  for _ in range(samples):
    times = np.bincount(rng.integers(units, size=units), minlength=units)
    drawn.append(_auroc(ranked, times[member]))

  def interval(values):
    values = values[~np.isnan(values)]
    ends = 50 * (1 - level), 50 * (1 + level)
    return np.percentile(values, ends) if len(values) else np.full(2, np.nan)

  drawn = np.array(drawn)
  return Intervals(
    interval(np.array([mean_over_classes(row)[0] for row in drawn])),
    np.array([interval(values) for values in drawn.T]),
    np.sum(~np.isnan(drawn), axis=0),
    units,
  )


def _ranked(scores, labels):
  """Where positives stand among negatives, for each class.

  Returns:
    A list of: the positives' indices `[P]`, the negatives' in the order of
    their scores, and for each positive how many negatives have smaller, and how
    many have smaller or equal scores.
  """
  found = []
  for score, label in zip(
    *(x.T for x in _checked(scores, labels)), strict=True
  ):
    positives, negatives = np.flatnonzero(label), np.flatnonzero(~label)
    negatives = negatives[np.argsort(score[negatives])]
    places = (
      np.searchsorted(score[negatives], score[positives], side)
      for side in ('left', 'right')
    )
    found.append((positives, negatives, *places))
  return found


def _auroc(ranked, weights):
  """AUROCs `[C]` of examples that count `weights` times, int64 `[N]`."""
  found = []
  for positives, negatives, below, up_to in ranked:
    before = np.concatenate([[0], np.cumsum(weights[negatives])])
    own = weights[positives]
    pairs = own.sum() * before[-1]
    twice = np.sum(own * (before[below] + before[up_to]))
    found.append(twice / (2 * pairs) if pairs else np.nan)
  return np.array(found)


def _checked(scores, labels, layout='[N, C]'):
  """Scores in float64 and labels as bools, or ValueError."""
  scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
  rank = layout.count(',') + 1
  if scores.ndim != rank or scores.shape != labels.shape or not len(scores):
    raise ValueError(
      f'Scores and labels of one shape {layout} are wanted, N > 0, got '
      f'{scores.shape} and {labels.shape}.'
    )
  if not np.isin(labels, (0, 1)).all():
    raise ValueError(
      f'Labels must be 0 or 1, got {np.unique(labels)[:5].tolist()}.'
    )
  if np.isnan(scores).any():
    raise ValueError(
      f'{int(np.isnan(scores).sum())} of {scores.size} scores are NaN, which '
      'has no rank: the network diverged, or its images did.'
    )
  return scores, labels.astype(bool)

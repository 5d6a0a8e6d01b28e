"""Evaluation where an image has several labels: of the whole set at once."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np

from at_jax.class_boxes import overlap_by_class, pointing_game_by_class
from at_jax.objectives.taps import parts_of
from at_jax.train.headline import AUROC
from at_jax.train.metrics import (
  auroc,
  average_precision,
  bootstrap,
  mean_over_classes,
)
from at_jax.train.seen import Seen

MEASURES = ('pointing', 'iou', 'iobb')


@dataclasses.dataclass(frozen=True, kw_only=True)
class MultiLabelEvaluation(Seen):
  """Scores of all examples, in the order of the data. Numbers are in percent.

  Areas under curves are those of the whole set, never means over batches. A
  class without positives (of AUROC: or without negatives) is NaN, None in a
  result, and left out of means.

  Attributes:
    logits: float32 `[N, C]`.
    labels: 0 or 1, `[N, C]`.
    groups: `[N]`, such as patients, for the interval; None: images alone.
    pairs: which images have a box of which class, bool `[N, C]`; None where
      there are no boxes, or no attention maps of classes.
    shares: what these boxes cover of the image, `[N, C]`.
    places: {place: {'pointing', 'iou', 'iobb': `[N, C]`}} of its maps.
  """

  headline = AUROC

  logits: np.ndarray
  labels: np.ndarray
  groups: np.ndarray | None = None
  pairs: np.ndarray | None = None
  shares: np.ndarray | None = None
  places: dict = dataclasses.field(default_factory=dict)

  @staticmethod
  def measure(logits, endpoints, batch, size):
    """These fields for one batch, inside jit."""
    found = {'logits': logits.astype(jnp.float32), 'labels': batch['label']}
    maps = {
      place: map_
      for place, map_ in parts_of('attention', endpoints).items()
      if map_.ndim == 4 and map_.shape[-1] == logits.shape[-1]
    }
    if 'boxes' not in batch or not maps:
      return found
    boxes = batch['boxes']
    # Of a map that is the same everywhere, IoBB is what the boxes cover.
    even = jnp.ones((len(boxes), 1, 1, logits.shape[-1]))
    _, found['shares'], found['pairs'] = overlap_by_class(even, boxes, size)
    return found | {
      'places': {p: _in_boxes(map_, boxes, size) for p, map_ in maps.items()}
    }

  @functools.cached_property
  def class_auroc(self):
    """`[C]` in percent; NaN for all of a network that diverged."""
    return self._percent(auroc)

  @functools.cached_property
  def class_ap(self):
    """Average precision `[C]` in percent, likewise."""
    return self._percent(average_precision)

  @property
  def loss(self):
    """Mean sigmoid cross-entropy over images and classes, unweighted."""
    logits = self.logits.astype(np.float64)
    with np.errstate(invalid='ignore'):  # of a network that diverged
      losses = np.logaddexp(0, logits) - self.labels * logits
    return float(np.mean(losses))

  @property
  def error(self):
    """Wrong decisions at a probability of 0.5, of all: low for rare classes."""
    return 100.0 * float(np.mean((self.logits > 0) != self.labels))

  def numbers(self):
    """{'auroc': mean over classes, 'ap': likewise, 'loss': …, 'error': …}."""
    return {
      'auroc': mean_over_classes(self.class_auroc)[0],
      'ap': mean_over_classes(self.class_ap)[0],
      'loss': self.loss,
      'error': self.error,
    }

  def result(self, prefix, class_names):
    """Classes, the interval, where the network looks, for result.json.

    Intervals of AUROCs (95 %, 1,000 resamples of groups, seed 0) are computed
    here: it takes longer than all the rest.
    """
    interval = bootstrap(self.logits, self.labels, self.groups)
    named = {
      'class_auroc': _or_none(self.class_auroc),
      'class_ap': _or_none(self.class_ap),
      'class_positives': self.labels.sum(axis=0, dtype=int).tolist(),
      'class_auroc_interval': [
        _or_none(100.0 * ends) for ends in interval.classes
      ],
    }
    return {
      **{
        prefix + name: dict(zip(class_names, values, strict=True))
        for name, values in named.items()
      },
      f'{prefix}auroc_classes': mean_over_classes(self.class_auroc)[1],
      f'{prefix}auroc_interval': _or_none(100.0 * interval.mean),
      f'{prefix}auroc_groups': interval.units,
      'localisation': self.localisation(),
      'class_localisation': self.class_localisation(class_names),
      **self.looks(),
    }

  def kept(self, class_names):
    """What curves are drawn of, in scores.npz; its names are in the result."""
    del class_names
    labels = self.labels.astype(np.uint8)
    return {'scores.npz': {'logits': self.logits, 'labels': labels}}

  def class_localisation(self, class_names):
    """Whether each class' map is in the boxes of that class; {} without boxes.

    The map is the attention A alone. It has a maximum for an absent class, too,
    for which A times sigmoid(S) would be drawn; here a class with a box is
    present, and how sure the network is of it is another question.

    Returns:
      {place: {'pairs': how many (image, class) have a box, 'area': mean share
      of the image that the boxes cover, which is what pointing gives by chance,
      'pointing', 'iou', 'iobb': means over pairs, 'by_class': {class: the
      same} of classes that have one}}.
    """
    if self.pairs is None or not self.pairs.any():
      return {}
    found = {}
    for place, values in self.places.items():
      values = {'area': self.shares, **values}
      found[place] = _means(values, self.pairs) | {
        'by_class': {
          name: _means({k: x[:, c] for k, x in values.items()}, own)
          for c, name in enumerate(class_names)
          if (own := self.pairs[:, c]).any()
        }
      }
    return found

  def _percent(self, metric):
    if np.isnan(self.logits).any():
      return np.full(self.logits.shape[1], np.nan)
    return 100.0 * metric(self.logits, self.labels)


def check_measurable(labels):
  """Raises ValueError where no class has an AUROC; `labels` are `[N, C]`."""
  if np.any(labels.any(axis=0) & ~labels.all(axis=0)):
    return
  count, classes = labels.shape
  raise ValueError(
    f'None of the {classes} classes of these {count} images has both images '
    'with it and images without, so no AUROC is defined: evaluate on more '
    'images (data.validation, the test set).'
  )


def _in_boxes(map_, boxes, size):
  """{measure: `[B, C]`} of a map of each class."""
  hits, _ = pointing_game_by_class(map_, boxes, size)
  iou, iobb, _ = overlap_by_class(map_, boxes, size)
  return dict(zip(MEASURES, (hits, iou, iobb), strict=True))


def _means(values, pairs):
  """{'pairs': how many, measure: mean over them in percent}."""
  return {'pairs': int(pairs.sum())} | {
    name: 100.0 * float(np.mean(x[pairs], dtype=np.float64))
    for name, x in values.items()
  }


def _or_none(values):
  """A list, None in place of NaN, which JSON has not."""
  return [None if np.isnan(x) else float(x) for x in values]

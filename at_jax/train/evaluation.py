"""Exact evaluation: padded to whole batches, the padding masked out."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from at_jax.data.augment import normalise
from at_jax.losses import cross_entropy
from at_jax.objectives.taps import parts_of
from at_jax.train.feed import batches_of
from at_jax.train.headline import ERROR
from at_jax.train.mesh import replicated, split
from at_jax.train.multi_label_evaluation import (
  MultiLabelEvaluation,
  check_measurable,
)
from at_jax.train.scores import probabilities
from at_jax.train.seen import Seen, see

FEW = 10  # classes: five guesses of so many say little


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(Seen):
  """Results per example, in the order of the data, of labels one an image.

  Attributes:
    losses: cross-entropy, float32 `[N]`.
    predictions: int `[N]`.
    probabilities: of the predictions, float32 `[N]`.
    labels: int `[N]`.
    ranks: how many classes stand before the right one by their logits, `[N]`.
    classes: how many classes there are.
    branches: {branch: predictions `[N]`} of a network with several heads.
  """

  headline = ERROR

  losses: np.ndarray
  predictions: np.ndarray
  probabilities: np.ndarray
  labels: np.ndarray
  ranks: np.ndarray
  classes: int
  branches: dict = dataclasses.field(default_factory=dict)

  @staticmethod
  def measure(logits, endpoints, batch, size):
    """These fields for one batch, inside jit."""
    del size
    losses = cross_entropy(logits, batch['label'])
    return {
      'losses': jnp.where(batch['mask'], losses, 0.0),
      'predictions': jnp.argmax(logits, axis=-1),
      'probabilities': jnp.max(probabilities(logits), axis=-1),
      'labels': batch['label'],
      'ranks': _ranks(logits, batch['label']),
      'branches': {
        branch: jnp.argmax(own, axis=-1)
        for branch, own in parts_of('logits', endpoints).items()
      },
    }

  @property
  def error(self):
    """Wrong predictions in percent."""
    return 100.0 * float(np.mean(self.predictions != self.labels))

  @property
  def loss(self):
    """Mean cross-entropy; no term of a transfer objective is in it."""
    return float(np.mean(self.losses, dtype=np.float64))

  @property
  def top5_error(self):
    """In percent: five guesses each; None where classes are few."""
    if self.classes <= FEW:
      return None
    return 100.0 * float(np.mean(self.ranks >= 5))

  def numbers(self):
    """{'error': …, 'loss': …}; 'top5_error' of many classes."""
    found = {'error': self.error, 'loss': self.loss}
    if self.top5_error is not None:
      found['top5_error'] = self.top5_error
    return found

  def as_dict(self, prefix):
    """{'test_error': …, 'test_loss': …}, and the errors of branches."""
    return super().as_dict(prefix) | {
      f'{prefix}_error/{branch}': error
      for branch, error in self.branch_errors().items()
    }

  def result(self, prefix, class_names):
    """Errors of each class and where the network looks, for result.json."""
    errors = dict(zip(class_names, self.class_errors(), strict=True))
    return {
      f'{prefix}class_errors': errors,
      'localisation': self.localisation(),
      **self.looks(),
    }

  def kept(self, class_names):
    """What was predicted for each image, in predictions.npz."""
    arrays = {
      'labels': self.labels,
      'predictions': self.predictions,
      'probabilities': self.probabilities,
      'class_names': np.array(class_names),
    }
    return {'predictions.npz': arrays}

  def mistakes(self, count):
    """Indices of the wrong predictions, the most confident first, `[count]`.

    Fewer where there are fewer. Of equally confident ones the first in the data
    comes first.
    """
    wrong = np.flatnonzero(self.predictions != self.labels)
    order = np.argsort(-self.probabilities[wrong], kind='stable')
    return wrong[order[:count]]

  def branch_errors(self):
    """{branch: percentage of wrong predictions}, of several heads."""
    return {
      branch: 100.0 * float(np.mean(predictions != self.labels))
      for branch, predictions in self.branches.items()
    }

  def class_errors(self):
    """Wrong predictions of each class in percent; None for one not seen."""
    wrong = self.predictions != self.labels
    seen = np.bincount(self.labels, minlength=self.classes)
    missed = np.bincount(self.labels[wrong], minlength=self.classes)
    return [
      100.0 * float(m) / float(n) if n else None
      for m, n in zip(missed, seen, strict=True)
    ]

  def looks(self):
    """Those of `Seen`, and 'branches': errors in percent, where there are."""
    errors = self.branch_errors()
    return super().looks() | ({'branches': errors} if errors else {})


class Evaluator:
  """Evaluates one network on one split."""

  def __init__(self, network, examples, *, batch_size, mesh, precision):
    """Args:
    network: a `Network`.
    examples: a `Split`, which stays on the devices, or a `Streamed`.
    batch_size: changes the speed only.
    mesh: devices.
    precision: of matrix products and convolutions.

    Raises:
      ValueError: multi-hot labels of which nothing can be measured.
    """
    self._batches = batches_of(examples, batch_size=batch_size, mesh=mesh)
    if examples.multi_label:
      check_measurable(examples.labels)
      kind, about = MultiLabelEvaluation, {'groups': examples.groups}
    else:
      kind, about = Evaluation, {'classes': network.model.num_classes}
    self._make = functools.partial(kind, **about)

    @functools.partial(jax.jit, out_shardings=replicated(mesh))
    def evaluate(variables, *data):
      batch = self._batches.take(*data)
      batch = jax.lax.with_sharding_constraint(batch, split(mesh))
      images = normalise(batch['image'], network.mean, network.std)
      with jax.default_matmul_precision(precision):
        logits, endpoints = network.apply(variables, images)
      size = images.shape[1:3]
      return {
        'mask': batch['mask'],
        **kind.measure(logits, endpoints, batch, size),
        **see(endpoints, batch, size),
      }

    self._evaluate = evaluate

  def __call__(self, variables):
    """An `Evaluation` of the network with these variables, or a
    `MultiLabelEvaluation`."""
    parts = []
    for data in self._batches:
      parts.append(self._evaluate(variables, *data))
      # One batch late: the device is never waited for, and holds few batches.
      parts[-2:-1] = map(jax.device_get, parts[-2:-1])
    found = jax.tree.map(
      lambda *part: np.concatenate([np.asarray(p) for p in part]), *parts
    )
    mask = found.pop('mask')
    found = jax.tree.map(lambda values: values[mask], found)
    return self._make(**found)


def _ranks(logits, labels):
  """How many classes stand before the right one, `[B]`.

  Of equal logits the first stands first, as for `argmax`; where one is NaN, all
  classes stand before it.
  """
  classes = logits.shape[-1]
  own = jnp.take_along_axis(logits, labels[:, None], axis=-1)
  first = jnp.arange(classes)[None] < labels[:, None]
  ranks = jnp.sum((logits > own) | ((logits == own) & first), axis=-1)
  broken = jnp.any(jnp.isnan(logits), axis=-1)
  return jnp.where(broken, classes, ranks)

"""Weighted cross-entropy of a network's logits and of its auxiliary scores.

Source: Wang et al., Triple attention learning for classification of 14 thoracic
diseases using chest radiography (A3Net), Medical Image Analysis 67, 2021,
https://doi.org/10.1016/j.media.2020.101846. Documented is that a weighted
cross-entropy of scores within the network is minimised; with which weights, and
how it is added to that of the logits, is our definition.
"""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np

from at_jax._arrays import check_range
from at_jax.objectives.alone import Alone
from at_jax.objectives.class_weights import class_weights, weights_of_batch
from at_jax.objectives.network import Network
from at_jax.objectives.taps import endpoint
from at_jax.weighted_losses import (
  weighted_cross_entropy,
  weighted_sigmoid_cross_entropy,
)

SCORE = 'score/'  # of each scale, before their fusion
FUSED = 'score/fused'  # the logits once more, see `TripleAttention`
_SETTING = 'config.objective.'


def multi_label(
  *,
  student,
  teacher,
  steps_per_epoch,
  epochs,
  label_counts=None,
  loss='sigmoid',
  weighting='class',
  positive_weights=(),
  negative_weights=(),
  auxiliary=1.0,
  aux_from=(),
):
  """Builds a `MultiLabel`: WCE(logits) + auxiliary * sum of WCE(score).

  With P_c of N training examples of class c, C classes, B examples a batch:

  | weighting | sigmoid: positives, negatives | softmax |
  |---|---|---|
  | `class` | 1 - P_c / N, P_c / N (CheXNet) | N / (C P_c) |
  | `batch` | B C / positive labels of the batch, B C / negative ones | - |
  | `fixed` | `positive_weights`, `negative_weights` | `positive_weights` |
  | `none` | 1, 1 | 1 |

  The sigmoid loss is the mean over examples and classes; Wang et al. (2017)
  have for `batch` (W-CEL) the sum, which is B C times as much. The softmax loss
  is sum(w[label] * ce) / sum(w[label]) over the batch. What the batch decides
  is that of the whole batch on all devices; with bn='per_device' each device
  decides for its share and the results are averaged, which 'batch' and softmax
  weights make another loss.

  Args:
    student: a `Network`.
    teacher: of no use here.
    steps_per_epoch: likewise.
    epochs: likewise.
    label_counts: `LabelCounts` of the training set, or None.
    loss: `sigmoid`, for multi-hot labels `[B, C]`, or `softmax`, for classes
      `[B]` that exclude each other.
    weighting: see the table.
    positive_weights: of each class.
    negative_weights: of each class.
    auxiliary: weight of the auxiliary losses; 0 for none. Set 0 where the only
      score is the logits themselves: `attention_cnn` with head='pool', `a3net`
      with one tap and fusion='maps'.
    aux_from: endpoints `[B, C]` they are taken of. None named: every
      `score/<scale>`, without `score/fused`, which is the logits.

  Raises:
    ValueError: settings that do not fit each other, the labels or the network.
  """
  del teacher, steps_per_epoch, epochs
  check_range(f'{_SETTING}auxiliary', auxiliary, 0, sys.float_info.max)
  classes = student.model.num_classes
  _check_labels(loss, label_counts, classes)
  weights = class_weights(
    loss,
    weighting,
    positive=tuple(positive_weights),
    negative=tuple(negative_weights),
    counts=label_counts,
    classes=classes,
  )
  objective = MultiLabel(student, loss, weights, auxiliary, tuple(aux_from))
  objective.check()
  return objective


@dataclasses.dataclass(frozen=True, eq=False)
class MultiLabel(Alone):
  """See `multi_label`, which builds it.

  Attributes:
    student: a `Network`.
    kind: of `LOSSES`.
    weights: float32 arrays `[C]`, for `sigmoid` of positives and negatives, for
      `softmax` one; empty: the batch decides.
    auxiliary: see `multi_label`.
    aux_from: likewise.
  """

  student: Network
  kind: str
  weights: tuple[np.ndarray, ...]
  auxiliary: float
  aux_from: tuple[str, ...]

  def terms(self, logits, ends, labels):
    """Loss, parts and wrong decisions: see `Alone`.

    Of multi-hot labels every class is a decision, found where its probability
    is above 0.5.
    """
    total, parts = self._sum(logits, ends, labels)
    if self.kind == 'sigmoid':
      return total, parts, (logits > 0) != (labels > 0)
    return total, parts, jnp.argmax(logits, axis=-1) != labels

  def check(self):
    """Traces the model on shapes alone: what does not fit is said at once."""
    logits, ends = self.student.output_shapes
    shape = logits.shape if self.kind == 'sigmoid' else logits.shape[:1]
    labels = jax.ShapeDtypeStruct(shape, jnp.int32)
    jax.eval_shape(self._sum, logits, ends, labels)

  def _sum(self, logits, ends, labels):
    """The loss and its parts."""
    total = self._wce(logits, labels)
    parts = {'ce/logits': total}
    if self.auxiliary:
      for name, score in self._scores(logits, ends).items():
        part = self._wce(score, labels)
        parts[f'ce/{name.removeprefix(SCORE)}'] = part
        total += self.auxiliary * part
    return total, parts

  def _wce(self, logits, labels):
    if self.kind == 'softmax':
      (weights,) = self.weights
      weighted = jnp.sum(weighted_cross_entropy(logits, labels, weights))
      size = jnp.sum(jnp.asarray(weights)[labels])
      return weighted / jnp.where(size > 0, size, 1.0)
    positive, negative = self.weights or weights_of_batch(labels)
    return jnp.mean(
      weighted_sigmoid_cross_entropy(logits, labels, positive, negative)
    )

  def _scores(self, logits, ends):
    """{endpoint: auxiliary logits}; ValueError where there are none."""
    label = self.student.label
    found = {
      name: endpoint(ends, name, "student's") for name in self.aux_from
    } or {
      name: end
      for name, end in ends.items()
      if name.startswith(SCORE) and name != FUSED
    }
    if not found:
      raise ValueError(
        f'{label} has no endpoints score/<scale> for auxiliary losses: set '
        f'{_SETTING}auxiliary=0, or name endpoints in {_SETTING}aux_from.'
      )
    for name, score in found.items():
      if score.shape != logits.shape:
        raise ValueError(
          f'The endpoint {name!r} of {label} is no set of logits: it has shape '
          f'{score.shape}, the logits {logits.shape}. Name others in '
          f'{_SETTING}aux_from.'
        )
    return found


def _check_labels(loss, counts, classes):
  """Raises ValueError where the training set's labels are of another kind."""
  if counts is None:
    return
  if counts.multi_label and loss == 'softmax':
    raise ValueError(
      f'{classes} labels with a softmax head: the labels are multi-hot, do not '
      'exclude each other, and softmax would let them compete. Set '
      f"{_SETTING}loss='sigmoid'."
    )
  if not counts.multi_label and loss == 'sigmoid':
    raise ValueError(
      'A sigmoid for each class wants multi-hot labels [B, C], and each image '
      f"of these data has one label: set {_SETTING}loss='softmax'."
    )
  if len(counts.positives) != classes:
    raise ValueError(
      f'The network has {classes} logits, label_counts '
      f'{len(counts.positives)} classes: count the labels of the same data.'
    )

"""Weights of classes of different frequency, for weighted cross-entropies."""

import jax.numpy as jnp
import numpy as np

from at_jax._arrays import unknown

LOSSES = ('sigmoid', 'softmax')
WEIGHTINGS = ('class', 'batch', 'fixed', 'none')


def class_weights(loss, weighting, *, positive, negative, counts, classes):
  """Weights that are known before training; see `multi_label` for the table.

  Args:
    loss: of `LOSSES`.
    weighting: of `WEIGHTINGS`.
    positive: those that are given for `fixed`, else none.
    negative: likewise.
    counts: `LabelCounts`, which `class` needs, or None.
    classes: C.

  Returns:
    float32 arrays `[C]`: of positives and of negatives for a sigmoid loss, one
    for softmax. None at all for `batch`, see `weights_of_batch`.

  Raises:
    ValueError: unknown names, weights missing, too many or below 0.
  """
  for what, choice, choices in (
    ('loss of multi_label', loss, LOSSES),
    ('weighting of multi_label', weighting, WEIGHTINGS),
  ):
    if choice not in choices:
      raise ValueError(unknown(what, choice, choices))
  if weighting != 'fixed' and (positive or negative):
    raise ValueError(
      f'Weights are given, and the weighting is {weighting!r}: set '
      "config.objective.weighting='fixed', or leave the weights out."
    )
  if weighting == 'batch' and loss == 'softmax':
    raise ValueError(
      "weighting='batch' counts positives among multi-hot labels; with "
      "loss='softmax' set config.objective.weighting='class', 'fixed' or "
      "'none'."
    )
  if weighting == 'batch':
    return ()
  if weighting == 'fixed':
    found = _fixed(loss, (positive, negative), classes)
  elif weighting == 'none':
    found = [np.ones(classes)] * (2 if loss == 'sigmoid' else 1)
  elif counts is None:
    raise ValueError(
      "weighting='class' needs label_counts=count_labels(labels, classes) of "
      "the training set; or set it to 'batch', 'fixed' or 'none'."
    )
  elif loss == 'sigmoid':
    share = np.array(counts.positives) / counts.total
    found = 1 - share, share
  else:
    positives = np.array(counts.positives)
    weights = counts.total / (classes * np.maximum(positives, 1))
    found = [np.where(positives > 0, weights, 0)]  # of 0, never a label
  return tuple(np.asarray(x, np.float32) for x in found)


def _fixed(loss, fixed, classes):
  """The weights that are given, checked."""
  sizes = classes, classes if loss == 'sigmoid' else 0
  names = 'positive_weights', 'negative_weights'
  for name, size, weights in zip(names, sizes, fixed, strict=True):
    if len(weights) != size or not all(0 <= x < np.inf for x in weights):
      raise ValueError(
        f"weighting='fixed' with loss={loss!r} wants {size} finite {name}, >= "
        f'0, got {len(weights)}: {weights}. Set config.objective.{name}.'
      )
  return fixed if loss == 'sigmoid' else fixed[:1]


def weights_of_batch(labels):
  """Weights `[C]` of positives and of negatives: 1 / their share of a batch."""
  share = jnp.sum(labels) / labels.size
  return [
    jnp.broadcast_to(
      jnp.where(x > 0, 1 / jnp.where(x > 0, x, 1.0), 0.0), labels.shape[1:]
    )
    for x in (share, 1 - share)
  ]

"""How often each class is right in a training set, to weigh losses with."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class LabelCounts:
  """What `count_labels` finds.

  Attributes:
    positives: for each class, how many examples have it.
    total: how many examples there are.
    multi_label: whether labels are multi-hot, so that an example has any
      number of classes.
  """

  positives: tuple[int, ...]
  total: int
  multi_label: bool


def count_labels(labels, classes):
  """Counts the labels of a training set.

  Args:
    labels: an iterable, such as `Split.each_label()`: all of them integer
      classes, or all of them multi-hot integers `[C]`.
    classes: how many classes there are, C.

  Returns:
    `LabelCounts`.

  Raises:
    ValueError: no labels, labels of another shape.

  Example:
    >>> count_labels([2, 0, 2], 3)
    LabelCounts(positives=(1, 0, 2), total=3, multi_label=False)
    >>> count_labels([[1, 0], [1, 1]], 2)
    LabelCounts(positives=(2, 1), total=2, multi_label=True)
  """
  labels = np.array(list(labels))
  if not len(labels) or labels.shape[1:] not in ((), (classes,)):
    raise ValueError(
      'count_labels wants at least one label, each of them an integer or a '
      f'vector of {classes} classes, got shape {labels.shape}.'
    )
  multi_label = labels.ndim == 2
  if multi_label:
    positives = labels.sum(0)
  else:
    positives = np.bincount(labels, minlength=classes)
  return LabelCounts(tuple(positives.tolist()), len(labels), multi_label)

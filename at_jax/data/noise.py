"""Wrong labels on purpose, to see what a network makes of them."""

import dataclasses

import numpy as np

from at_jax.data.dataset import Dataset


def with_noisy_labels(dataset: Dataset, level: float, seed: int):
  """Replaces training labels by other ones, once and for all runs.

  Each label stays with probability 1 - `level` and becomes each of the other
  classes with level / (classes - 1), as in equation 7 of Wang et al., Residual
  Attention Network for Image Classification, CVPR 2017. Validation and test
  labels stay clean. The draws come from `np.random.RandomState(seed)`, whose
  stream NumPy has frozen for good, and not from a run's seed.

  Args:
    dataset: in memory, already cut.
    level: the "noise level", from 0 to 1.
    seed: of the draws.

  Returns:
    The dataset with another `train`; its `source` says level, seed and count.

  Raises:
    ValueError: there is one class only, or labels are multi-hot.
  """
  train, classes = dataset.train, len(dataset.class_names)
  if classes < 2:
    raise ValueError(
      f'data.label_noise wants two classes or more, {dataset.name!r} has '
      f'{classes}.'
    )
  if dataset.multi_label:
    raise ValueError(
      f'data.label_noise must be 0 for {dataset.name!r}, whose images have '
      'several labels or none: it makes a class another one.'
    )
  draws = np.random.RandomState(seed)
  wrong = draws.random_sample(len(train)) < level
  steps = draws.randint(1, classes, len(train))  # never back to the label
  labels = np.where(wrong, (train.labels + steps) % classes, train.labels)
  source = (
    f'{dataset.source}; {wrong.sum():,} of {len(train):,} training labels '
    f'wrong on purpose (level {level:g}, seed {seed})'
  )
  noisy = dataclasses.replace(train, labels=labels.astype(np.int32))
  return dataclasses.replace(dataset, train=noisy, source=source)

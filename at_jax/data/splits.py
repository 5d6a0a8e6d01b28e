"""Cuts a training set into validation, labelled and unused images.

Both cuts come from `np.random.RandomState(0)`, whose stream NumPy has frozen
for good, and never from the run's seed: every seed, row and machine trains on
and is judged by the same images.
"""

import dataclasses

import numpy as np

from at_jax.data.dataset import Dataset


def cut(dataset: Dataset, validation: int = 0, train_examples: int = 0):
  """Holds out validation images, then keeps a balanced part of the rest.

  Args:
    dataset: with its whole training set, and no validation split yet.
    validation: how many training images are held out; 0 is none. Where images
      have groups (patients), whole groups until there are so many images.
    train_examples: how many of the others are kept, the same number of each
      class to within one, or, of multi-label data, any; 0 is all. Smaller sets
      are parts of larger ones.

  Returns:
    The dataset with `train` and `validation` replaced; order is kept.

  Raises:
    ValueError: more is asked for than there is.
  """
  if not validation and not train_examples:
    return dataset
  train = dataset.train
  total = len(train)
  if validation + max(train_examples, 1) > total:
    raise ValueError(
      f'data.validation={validation} and data.train_examples={train_examples} '
      f'ask for {validation + max(train_examples, 1)} images; the training '
      f'set of {dataset.name!r} has {total}.'
    )
  order = np.random.RandomState(0).permutation(total)
  held_out, rest = order[:validation], order[validation:]
  if train.groups is not None:
    held = _of_whole_groups(train.groups, validation)[order]
    held_out, rest = order[held], order[~held]
    if len(rest) < max(train_examples, 1):
      raise ValueError(
        f'data.validation={validation} holds out {len(held_out)} of the '
        f'{total} training images of {dataset.name!r}, since it takes whole '
        f'groups (patients); {len(rest)} are left, '
        f'data.train_examples={train_examples} wants {max(train_examples, 1)}.'
      )
  if train_examples:
    if not train.multi_label:  # of several labels there is no such order
      rest = rest[_balanced_order(train.labels[rest])]
    rest = rest[:train_examples]
  return dataclasses.replace(
    dataset,
    train=train.take(np.sort(rest)),
    validation=train.take(np.sort(held_out)) if validation else None,
  )


def _of_whole_groups(groups, wanted):
  """Which images belong to the first groups that have `wanted` in all."""
  names, counts = np.unique(groups, return_counts=True)
  order = np.random.RandomState(0).permutation(len(names))
  before = np.cumsum(counts[order]) - counts[order]
  return np.isin(groups, names[order[before < wanted]])


def _balanced_order(labels):
  """Positions in rounds: the first of each class, the second of each, …

  Every beginning of this order is balanced to within one example a class, as
  long as no class has run out, and is contained in every longer one.
  """
  by_class = np.argsort(labels, kind='stable')
  counts = np.bincount(labels)
  starts = np.cumsum(counts) - counts
  rounds = np.empty(len(labels), np.int64)
  rounds[by_class] = np.arange(len(labels)) - np.repeat(starts, counts)
  return np.argsort(rounds, kind='stable')

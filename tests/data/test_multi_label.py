"""Labels of several classes, boxes and groups of sets in memory."""

import dataclasses

import jax
import numpy as np
import pytest

from at_jax.data import splits
from at_jax.data.dataset import Dataset, Split
from at_jax.data.in_memory import take_batch
from at_jax.data.noise import with_noisy_labels
from at_jax.train.feed import batches_of
from at_jax.train.mesh import data_mesh
from at_jax.train.snapshot import one_per_class

CLASSES = 3


def make(count=10, **changes):
  """A split whose image i holds the number i, with one box each."""
  rng = np.random.default_rng(count)
  boxes = np.zeros((count, 2, 5), np.float32)
  boxes[:, 0] = np.stack([np.arange(count) % n for n in (2, 3, 5, 7, 3)], 1)
  boxes[:, 1, 4] = -1
  split = Split(
    np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1),
    rng.integers(0, 2, (count, CLASSES)).astype(np.int32),
    boxes,
    (np.arange(count) // 3).astype(np.int32),
  )
  return dataclasses.replace(split, **changes)


def dataset(**changes):
  fields = dict(name='x', source='the source', class_names=('a', 'b', 'c'))
  fields |= dict(train=make(), validation=None, test=make(4))
  return Dataset(**(fields | changes))


def plain(count=10):
  labels = (np.arange(count) % CLASSES).astype(np.int32)
  return make(count, labels=labels, boxes=None, groups=None)


def test_a_data_set_says_which_kind_its_labels_are():
  assert dataset().multi_label and make().has_boxes
  one_each = dataset(train=plain(), test=plain(4))
  assert not one_each.multi_label and not one_each.train.has_boxes
  assert one_each.train.groups is None
  assert set(one_each.train.examples([0])) == {'image', 'label'}


def test_take_and_examples_carry_all_parts():
  split = make()
  indices = np.array([7, 2])
  part = split.take(indices)
  batch = split.examples(indices)
  assert set(batch) == {'image', 'label', 'boxes'}  # groups stay behind
  for name, array in batch.items():
    kept = getattr(part, {'image': 'images', 'label': 'labels'}.get(name, name))
    np.testing.assert_array_equal(array, kept)
  np.testing.assert_array_equal(part.images.ravel(), indices)
  np.testing.assert_array_equal(part.labels, split.labels[[7, 2]])
  np.testing.assert_array_equal(part.boxes, split.boxes[[7, 2]])
  np.testing.assert_array_equal(part.groups, [2, 0])
  np.testing.assert_array_equal(list(split.each_label())[7], split.labels[7])


@pytest.mark.parametrize(
  'changes, message',
  [
    (
      {'labels': np.zeros((10, 4), np.int32)},
      r'a column for each of the 3 classes, \[N, 3\], got shape \(10, 4\)',
    ),
    (
      {'labels': np.eye(10, 3, dtype=np.int32) * 2},
      r'0 or 1, got 2 for class 0 of example 0 \(3 such entries\)',
    ),
    ({'labels': -np.eye(10, 3, dtype=np.int32)}, 'got -1 for class 0'),
    ({'labels': np.zeros((10, 3), bool)}, r'int32 \[N\], got bool'),
    ({'labels': np.zeros((10, 3, 1), np.int32)}, r'multi-hot .* \[N, 3\]'),
    ({'labels': np.zeros((9, 3), np.int32)}, '10 images but 9 labels'),
    (
      {'boxes': np.zeros((10, 5), np.float32)},
      r'boxes must be float32 \[10, n, 5\].*got float32 \(10, 5\)',
    ),
    ({'boxes': np.zeros((9, 1, 5), np.float32)}, r'\[10, n, 5\]'),
    ({'boxes': np.zeros((10, 1, 4), np.float32)}, r'\[10, n, 5\]'),
    ({'boxes': np.zeros((10, 1, 5))}, 'got float64'),
    (
      {'boxes': np.full((10, 1, 5), 3, np.float32)},
      'box 0 of example 0 must be .* one of the 3 classes',
    ),
    ({'boxes': np.full((10, 1, 5), np.nan, np.float32)}, 'must be finite'),
    ({'groups': np.zeros(9, np.int32)}, r'int32 \[10\], .* got int32 \(9,\)'),
    ({'groups': np.zeros(10, np.int64)}, 'groups must be .* got int64'),
  ],
)
def test_unsound_parts_are_refused(changes, message):
  with pytest.raises(ValueError, match="^the source: split 'train': ") as found:
    dataset(train=make(**changes))
  assert found.match(message)


def test_all_splits_have_labels_of_one_kind():
  with pytest.raises(ValueError, match="multi-hot: .*'test': False"):
    dataset(test=plain(4))


def test_boxes_without_rows_are_sound():
  dataset(train=make(boxes=np.zeros((10, 0, 5), np.float32)))


def test_fingerprints_see_labels_boxes_and_groups():
  prints = [dataset().fingerprint, dataset(train=plain(), test=plain(4))]
  prints[1] = prints[1].fingerprint
  for name in ('labels', 'boxes', 'groups'):
    split = make()
    array = getattr(split, name)
    array.flat[3] = 1 - array.flat[3]
    prints.append(dataset(train=split).fingerprint)
  for name in ('boxes', 'groups'):
    prints.append(dataset(train=make(**{name: None})).fingerprint)
  assert len(set(prints)) == len(prints)
  assert dataset().fingerprint == prints[0]


def test_fingerprints_of_one_label_each_have_not_changed():
  # As 0.3.0 has it: runs go on, and nothing is fed for what is not there.
  wanted = 'a1a833a6835d5e677665ed6c7d336c36'
  assert dataset(train=plain(), test=plain(4)).fingerprint == wanted


# Cuts


def test_groups_in_memory_are_held_out_whole():
  data = splits.cut(dataset(train=make(10)), validation=4)
  # Groups of 3, 3, 3 and 1 image; the order is that of RandomState(0).
  order = np.random.RandomState(0).permutation(4)
  counts = np.array([3, 3, 3, 1])
  enough = 1 + np.argmax(np.cumsum(counts[order]) >= 4)
  held = np.unique(data.validation.groups)
  np.testing.assert_array_equal(held, np.sort(order[:enough]))
  assert not set(held) & set(data.train.groups)
  assert len(data.train) + len(data.validation) == 10
  np.testing.assert_array_equal(
    data.train.boxes, make().boxes[data.train.images.ravel()]
  )


def test_without_groups_the_number_is_exact():
  data = splits.cut(dataset(train=make(groups=None)), 4, 3)
  order = np.random.RandomState(0).permutation(10)
  held, kept = (x.images.ravel() for x in (data.validation, data.train))
  np.testing.assert_array_equal(held, np.sort(order[:4]))
  np.testing.assert_array_equal(kept, np.sort(order[4:7]))


def test_few_examples_of_one_label_each_stay_balanced_with_groups():
  train = plain(60)
  groups = np.arange(60, dtype=np.int32) // 4
  grouped = dataclasses.replace(train, groups=groups)
  data = splits.cut(dataset(train=grouped, test=plain(4)), 8, 12)
  assert len(data.validation) == 8
  np.testing.assert_array_equal(np.bincount(data.train.labels), [4, 4, 4])


def test_one_group_cannot_be_cut():
  train = make(groups=np.zeros(10, np.int32))
  assert len(splits.cut(dataset(train=train), 0, 4).train) == 4
  with pytest.raises(ValueError, match='holds out 10 of the 10 .*0 are left'):
    splits.cut(dataset(train=train), 1)


def test_label_noise_is_refused():
  with pytest.raises(ValueError, match='several labels or none'):
    with_noisy_labels(dataset(), 0.5, 0)
  noisy = with_noisy_labels(dataset(train=plain(), test=plain(4)), 0.5, 0)
  assert noisy.train.labels.shape == (10,)


# Batches


def test_multi_hot_rows_go_into_a_training_batch():
  split = make()
  arrays = {'image': split.images, 'label': split.labels}
  order = np.array([5, 1, 8, 0, 2, 3])
  batch = take_batch(jax.device_put(arrays), jax.device_put(order), 1, 2)
  np.testing.assert_array_equal(batch['label'], split.labels[[8, 0]])


def test_evaluation_batches_have_labels_boxes_and_a_mask():
  split = make()
  mesh = data_mesh(jax.devices()[:1])
  batches = batches_of(split, batch_size=4, mesh=mesh)
  found = [jax.device_get(batches.take(*data)) for data in batches]
  assert [set(b) for b in found] == [{'image', 'label', 'boxes', 'mask'}] * 3
  assert found[0]['boxes'].shape == (4, 2, 5)
  joined = {k: np.concatenate([b[k] for b in found]) for k in found[0]}
  assert joined['mask'].tolist() == [True] * 10 + [False] * 2
  np.testing.assert_array_equal(joined['boxes'][:10], split.boxes)
  np.testing.assert_array_equal(joined['label'][:10], split.labels)


def test_evaluation_batches_without_boxes_have_none():
  mesh = data_mesh(jax.devices()[:1])
  batches = batches_of(plain(), batch_size=10, mesh=mesh)
  assert set(batches.take(*next(iter(batches)))) == {'image', 'label', 'mask'}


# One example a class


@pytest.mark.parametrize(
  'labels, count, want',
  [
    ([[0, 0, 0], [0, 1, 1], [0, 1, 0], [0, 0, 1]], 2, [1, 3]),
    ([[0, 0, 0], [0, 1, 1], [0, 1, 0], [0, 0, 1]], 1, [1]),
    ([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]], 3, [0, 1, 2]),
    ([[0, 1, 0], [0, 1, 0]], 3, [0]),
    ([[0, 0, 0], [0, 0, 0]], 2, [0]),
    ([2, 2, 0, 1], 2, [0, 2]),
  ],
)
def test_one_example_for_each_first_class(labels, count, want):
  found = one_per_class(iter(np.array(labels, np.int32)), count)
  np.testing.assert_array_equal(found, want)
  assert found.dtype.kind == 'i'

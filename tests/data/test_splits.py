import numpy as np
import pytest

from at_jax.data import splits
from at_jax.data.dataset import Dataset, Split


def make(labels):
  """A dataset whose training image i holds the number i."""
  labels = np.asarray(labels, np.int32)
  numbers = np.arange(len(labels))
  images = np.stack([numbers % 256, numbers // 256], -1).astype(np.uint8)
  whole = Split(images[:, None, None, :], labels)
  classes = tuple(str(i) for i in range(labels.max() + 1))
  return Dataset('x', 'x', classes, whole, None, whole.take([0]))


def indices(split):
  low, high = split.images[:, 0, 0, :].astype(int).T
  return low + 256 * high


LABELS = np.random.RandomState(7).randint(0, 10, 1000)


def test_without_cuts_nothing_changes():
  data = make(LABELS)
  assert splits.cut(data) is data


def test_validation_is_disjoint_complete_and_frozen():
  cut = splits.cut(make(LABELS), validation=150)
  train, held_out = indices(cut.train), indices(cut.validation)
  assert len(held_out) == 150
  np.testing.assert_array_equal(
    np.sort(np.concatenate([train, held_out])), np.arange(1000)
  )
  np.testing.assert_array_equal(
    held_out, np.sort(np.random.RandomState(0).permutation(1000)[:150])
  )
  np.testing.assert_array_equal(cut.train.labels, LABELS[train])
  np.testing.assert_array_equal(cut.validation.labels, LABELS[held_out])
  np.testing.assert_array_equal(train, np.sort(train))
  assert len(cut.test) == 1


def test_validation_does_not_read_numpys_global_state():
  np.random.seed(1)
  first = splits.cut(make(LABELS), 10, 50)
  np.random.seed(2)
  second = splits.cut(make(LABELS), 10, 50)
  assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize('count', [3, 10, 50, 99, 100, 333])
def test_few_labelled_images_are_balanced(count):
  cut = splits.cut(make(LABELS), 100, count)
  per_class = np.bincount(cut.train.labels, minlength=10)
  assert per_class.sum() == count
  assert per_class.max() - per_class.min() <= 1


def test_few_labelled_images_are_nested_and_apart_from_validation():
  data = make(LABELS)
  held_out = set(indices(splits.cut(data, 100).validation))
  smaller = set()
  for count in (1, 17, 50, 100, 101, 900):
    larger = set(indices(splits.cut(data, 100, count).train))
    assert len(larger) == count
    assert smaller <= larger
    assert not larger & held_out
    smaller = larger


def test_few_labelled_images_are_drawn_from_everywhere():
  chosen = indices(splits.cut(make(LABELS), 0, 100).train)
  assert chosen.min() < 100 and chosen.max() > 900


def test_a_class_that_runs_out_leaves_the_others_balanced():
  labels = [0] * 3 + [1] * 50 + [2] * 50
  per_class = np.bincount(splits.cut(make(labels), 0, 43).train.labels)
  np.testing.assert_array_equal(per_class, [3, 20, 20])


@pytest.mark.parametrize(
  'validation, train_examples', [(1000, 0), (900, 101), (0, 1001)]
)
def test_more_than_there_is_is_refused_with_the_numbers(
  validation, train_examples
):
  with pytest.raises(ValueError) as caught:
    splits.cut(make(LABELS), validation, train_examples)
  for text in (
    f'validation={validation}',
    f'train_examples={train_examples}',
    '1000',
  ):
    assert text in str(caught.value)


def test_the_last_image_can_be_used():
  cut = splits.cut(make(LABELS), 900, 100)
  assert (len(cut.train), len(cut.validation)) == (100, 900)

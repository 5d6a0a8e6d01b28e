"""Wrong labels: how many, which, and that they do not move."""

import numpy as np
import pytest

from at_jax.data import load_dataset
from at_jax.data.dataset import Dataset, Split
from at_jax.data.noise import with_noisy_labels

CLASSES, COUNT = 10, 20_000


def clean(classes=CLASSES):
  labels = (np.arange(COUNT) % classes).astype(np.int32)
  split = Split(np.zeros((COUNT, 1, 1, 1), np.uint8), labels)
  small = split.take(slice(5))
  names = tuple(map(str, range(classes)))
  return Dataset('x', 'somewhere', names, split, small, small)


@pytest.mark.parametrize('level', [0.1, 0.7])
def test_the_transition_matrix_is_equation_7(level):
  before = clean()
  after = with_noisy_labels(before, level, 0)
  old, new = before.train.labels, after.train.labels
  found = np.zeros((CLASSES, CLASSES))
  np.add.at(found, (old, new), CLASSES / COUNT)
  wanted = np.full_like(found, level / 9)
  np.fill_diagonal(wanted, 1 - level)
  # Five standard deviations of a share of 2,000 labels.
  spread = np.sqrt(wanted * (1 - wanted) * CLASSES / COUNT)
  assert np.all(np.abs(found - wanted) < 5 * spread)
  assert abs(np.mean(old != new) - level) < 0.02


def test_two_classes_swap_and_level_one_leaves_none():
  before = clean(2)
  after = with_noisy_labels(before, 1.0, 3)
  np.testing.assert_array_equal(after.train.labels, 1 - before.train.labels)


def test_only_training_labels_change_by_the_seed_alone():
  before = clean()
  once, again = (with_noisy_labels(before, 0.3, 1) for _ in range(2))
  other = with_noisy_labels(before, 0.3, 2)
  assert once.test is before.test and once.validation is before.validation
  assert once.train.images is before.train.images
  assert once.train.labels.dtype == np.int32
  assert once.fingerprint == again.fingerprint != before.fingerprint
  assert np.any(once.train.labels != other.train.labels)
  wrong = np.sum(once.train.labels != before.train.labels)
  assert f'{wrong:,} of 20,000 training labels wrong' in once.source
  assert 'level 0.3, seed 1' in once.source


def test_numpys_global_state_is_not_read():
  np.random.seed(5)
  one = with_noisy_labels(clean(), 0.5, 0)
  np.random.seed(6)
  assert one.fingerprint == with_noisy_labels(clean(), 0.5, 0).fingerprint


def test_by_the_settings():
  plain = load_dataset({'name': 'digits', 'validation': 200})
  noisy = load_dataset(
    {'name': 'digits', 'validation': 200, 'label_noise': 0.5}
  )
  share = np.mean(noisy.train.labels != plain.train.labels)
  assert 0.4 < share < 0.6
  for split in ('validation', 'test'):
    np.testing.assert_array_equal(
      noisy.splits[split].labels, plain.splits[split].labels
    )


@pytest.mark.parametrize('level', [-0.1, 1.5, '30'])
def test_a_level_that_is_no_probability(level):
  with pytest.raises(ValueError, match='data.label_noise is the probability'):
    load_dataset({'name': 'digits', 'label_noise': level})


def test_streams_and_single_classes_are_refused(tmp_path):
  with pytest.raises(ValueError, match='must be 0 .* which is streamed'):
    load_dataset({'name': f'folder:{tmp_path}', 'label_noise': 0.1})
  with pytest.raises(ValueError, match='two classes or more'):
    with_noisy_labels(clean(1), 0.1, 0)

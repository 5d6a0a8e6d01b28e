import dataclasses
import time

import numpy as np
import pytest

from at_jax.data.dataset import Dataset, Split


def split(count=4, shape=(2, 3, 1), seed=0):
  rng = np.random.RandomState(seed)
  return Split(
    rng.randint(0, 256, (count, *shape)).astype(np.uint8),
    (np.arange(count) % 2).astype(np.int32),
  )


def dataset(**changes):
  fields = dict(
    name='x',
    source='the source',
    class_names=('a', 'b'),
    train=split(),
    validation=None,
    test=split(3, seed=1),
  )
  return Dataset(**(fields | changes))


def bad(**changes):
  return dataclasses.replace(split(), **changes)


@pytest.mark.parametrize(
  'changes, message',
  [
    ({'class_names': ()}, 'set of classes is empty'),
    (
      {'train': bad(labels=np.array([0, 1, 2, 0], np.int32))},
      r"split 'train': label 2 of example 2 .* 2 classes 0\.\.1",
    ),
    (
      {'test': bad(labels=np.array([0, -1, 1, -1], np.int32))},
      r"split 'test': label -1 of example 1 .*\(2 such labels\)",
    ),
    (
      {'train': bad(labels=np.zeros(3, np.int32))},
      '4 images but 3 labels',
    ),
    (
      {'train': bad(labels=np.zeros(4, np.int64))},
      r'labels must be int32 \[N\], got int64',
    ),
    (
      {'validation': bad(images=np.zeros((4, 2, 3, 1), np.float32))},
      r"split 'validation': images must be uint8 .* got float32",
    ),
    (
      {'train': bad(images=np.zeros((4, 2, 3), np.uint8))},
      r'must be uint8 \[N, height, width, channels\], got uint8 \(4, 2, 3\)',
    ),
    ({'train': split(0)}, r'no images, shape \(0, 2, 3, 1\)'),
    ({'test': split(shape=(2, 3, 3))}, 'one shape in all splits'),
  ],
)
def test_unsound_arrays_are_refused_and_the_source_named(changes, message):
  with pytest.raises(ValueError, match='^the source: ') as caught:
    dataset(**changes)
  assert caught.match(message)


def test_fingerprint_sees_every_part_of_the_data():
  base = dataset()
  assert base.fingerprint == dataset(source='elsewhere').fingerprint
  pixels = split()
  pixels.images[3, 1, 2, 0] ^= 1
  labels = bad(labels=np.array([0, 1, 0, 0], np.int32))
  folded = Split(base.train.images.reshape(4, 3, 2, 1), base.train.labels)
  test = Split(base.test.images.reshape(3, 3, 2, 1), base.test.labels)
  prints = {
    base.fingerprint,
    dataset(train=pixels).fingerprint,
    dataset(train=labels).fingerprint,
    dataset(train=folded, test=test).fingerprint,
    dataset(validation=split()).fingerprint,
    dataset(train=base.test, test=base.train).fingerprint,
  }
  assert len(prints) == 6
  assert all(int(value, 16) >= 0 for value in prints)


def test_fingerprint_does_not_depend_on_memory_layout():
  images = split().images
  turned = np.asfortranarray(images)
  assert not turned.flags.c_contiguous
  other = dataset(train=bad(images=turned))
  assert other.fingerprint == dataset().fingerprint


def test_fingerprint_of_a_cifar_sized_set_is_cheap():
  large = Split(
    np.zeros((60_000, 32, 32, 3), np.uint8), np.zeros(60_000, np.int32)
  )
  data = dataset(train=large, test=split(2, (32, 32, 3)))
  start = time.perf_counter()
  first = data.fingerprint
  assert time.perf_counter() - start < 2  # 0.15 s on an idle core
  assert data.fingerprint is first

import numpy as np
import pytest
import sklearn.datasets

from at_jax.data.digits import load_digits
from at_jax.data.settings import Settings


def load(**fields):
  return load_digits(Settings(name='digits', **fields))


def test_native_digits_are_the_scans_in_a_frozen_split():
  data = load()
  assert data.train.images.shape == (1000, 8, 8, 1)
  assert data.test.images.shape == (797, 8, 8, 1)
  assert data.class_names == tuple('0123456789')
  assert data.source == 'scikit-learn digits'
  raw = sklearn.datasets.load_digits()
  order = np.random.RandomState(0).permutation(1797)
  images = np.concatenate([data.train.images, data.test.images])[..., 0]
  np.testing.assert_allclose(images * (16 / 255), raw.images[order], atol=0.04)
  assert (images.min(), images.max()) == (0, 255)
  labels = np.concatenate([data.train.labels, data.test.labels])
  np.testing.assert_array_equal(labels, raw.target[order])


def test_native_digits_are_the_same_everywhere():
  assert load().fingerprint == 'a7c94f0301ccd5cf4dbc2e3f9fecbcb8', (
    'The digits or their split moved, and with them every published number.'
  )


def test_size_enlarges_bilinearly_and_keeps_the_split():
  small, large = load(), load(size=16)
  assert large.train.images.shape == (1000, 16, 16, 1)
  np.testing.assert_array_equal(large.test.labels, small.test.labels)
  # Half-pixel centres: inner output pixels mix neighbours 3:1 on each axis.
  a = small.train.images[:, :, :, 0].astype(float)
  want = (9 * a[:, 3, 4] + 3 * a[:, 2, 4] + 3 * a[:, 3, 3] + a[:, 2, 3]) / 16
  np.testing.assert_allclose(large.train.images[:, 6, 8, 0], want, atol=1.01)


def test_channels_repeat_the_grey_one():
  data = load(size=12, channels=3)
  assert data.test.images.shape == (797, 12, 12, 3)
  np.testing.assert_array_equal(
    data.test.images, np.repeat(load(size=12).test.images, 3, -1)
  )


def test_two_channels_are_refused():
  with pytest.raises(ValueError, match='must be 1 or 3.* got 2'):
    load(channels=2)

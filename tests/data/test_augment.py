"""Augmentation against NumPy's windows and counts of what is drawn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax.data.augment import (
  augment,
  normalise,
  random_crop,
  random_flip,
)
from at_jax.train.mesh import data_mesh, split

DRAWS = 2000
# Every pixel has a value of its own, so a window tells where it was cut.
IMAGE = np.arange(2 * 8 * 7, dtype=np.uint8).reshape(8, 7, 2)


def windows(pad, mode):
  """{bytes of a window: (top, left)} of the image padded by NumPy."""
  sides = ((pad, pad), (pad, pad), (0, 0))
  padded = np.pad(IMAGE, sides, mode=mode)
  return {
    padded[top : top + 8, left : left + 7].tobytes(): (top, left)
    for top in range(2 * pad + 1)
    for left in range(2 * pad + 1)
  }


def repeated(count=DRAWS):
  return jnp.asarray(np.broadcast_to(IMAGE, (count, *IMAGE.shape)))


@pytest.mark.parametrize(
  ('mode', 'numpy_mode'),
  [('reflect', 'reflect'), ('symmetric', 'symmetric'), ('zero', 'constant')],
)
def test_crops_are_all_windows_of_the_padded_image(mode, numpy_mode):
  crop = jax.jit(functools.partial(random_crop, pad=4, mode=mode))
  crops = np.asarray(crop(jax.random.key(0), repeated()))
  assert crops.dtype == np.uint8
  places = windows(4, numpy_mode)
  assert len(places) == 81
  offsets = [places[crop.tobytes()] for crop in crops]  # KeyError: no window
  found, counts = np.unique(offsets, axis=0, return_counts=True)
  assert len(found) == 81  # offsets 0 to 8 inclusive, in both directions
  assert found.min() == 0 and found.max() == 8
  assert 5 < counts.min() and counts.max() < 60  # 24.7 expected


def test_neighbours_in_a_batch_are_drawn_apart():
  crops = np.asarray(random_crop(jax.random.key(1), repeated(40), pad=2))
  assert len({crop.tobytes() for crop in crops}) > 12  # of 25


def test_flips_about_half_of_the_images_each_for_itself():
  flipped = np.asarray(random_flip(jax.random.key(0), repeated()))
  assert flipped.dtype == np.uint8
  mirror = np.array([np.array_equal(x, IMAGE[:, ::-1]) for x in flipped])
  same = np.array([np.array_equal(x, IMAGE) for x in flipped])
  assert np.all(mirror ^ same)
  assert 0.45 < mirror.mean() < 0.55
  assert 0.4 < np.mean(mirror[1:] == mirror[:-1]) < 0.6


def test_crop_and_flip_are_drawn_independently():
  run = jax.jit(
    functools.partial(augment, pad=1, pad_mode='reflect', flip=True)
  )
  places = windows(1, 'reflect')
  counts = {}
  for image in np.asarray(run(jax.random.key(2), repeated())):
    plain, mirrored = image.tobytes(), image[:, ::-1].tobytes()
    flip = plain not in places
    place = places[mirrored if flip else plain]
    counts[place, flip] = counts.get((place, flip), 0) + 1
  assert len(counts) == 18
  assert 60 < min(counts.values()) and max(counts.values()) < 170  # 111


def test_nothing_asked_is_nothing_done():
  images = repeated(8)
  same = augment(
    jax.random.key(0), images, pad=0, pad_mode='reflect', flip=False
  )
  assert same.dtype == jnp.uint8
  np.testing.assert_array_equal(same, images)


def test_crop_alone_mirrors_nothing():
  run = jax.jit(functools.partial(augment, pad=1, pad_mode='zero', flip=False))
  places = windows(1, 'constant')
  for image in np.asarray(run(jax.random.key(2), repeated(200))):
    assert image.tobytes() in places


def test_key_decides():
  run = jax.jit(functools.partial(augment, pad=4, pad_mode='zero', flip=True))
  one, again, other = (run(jax.random.key(k), repeated(8)) for k in (0, 0, 1))
  np.testing.assert_array_equal(one, again)
  assert np.any(one != other)


def test_eight_devices_draw_what_one_draws():
  run = jax.jit(functools.partial(augment, pad=4, pad_mode='zero', flip=True))
  whole = run(jax.random.key(0), repeated(16))
  shared = jax.device_put(repeated(16), split(data_mesh()))
  shared = run(jax.random.key(0), shared)
  assert len(shared.devices()) == 8
  np.testing.assert_array_equal(shared, whole)


@pytest.mark.parametrize(
  ('mean', 'std'),
  [((125.3, 123.0, 113.9), (63.0, 62.1, 66.7)), ((77.7,), (88.0,))],
)
def test_normalise(mean, std):
  images = np.random.RandomState(0).randint(0, 256, (4, 6, 5, 3), np.uint8)
  got = normalise(jnp.asarray(images), mean, std)
  assert got.dtype == jnp.float32
  want = (images.astype(np.float64) - np.array(mean)) / np.array(std)
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_unknown_padding_names_the_nearest_and_all():
  with pytest.raises(ValueError) as error:
    random_crop(jax.random.key(0), repeated(2), pad=1, mode='reflct')
  for word in ("'reflct'", "mean 'reflect'", 'symmetric', 'zero'):
    assert word in str(error.value)


def test_padding_too_wide_to_reflect():
  with pytest.raises(ValueError) as error:
    random_crop(jax.random.key(0), repeated(2), pad=7)
  for word in ('data.pad=7', '8x7', 'data.pad_mode=symmetric'):
    assert word in str(error.value)
  random_crop(jax.random.key(0), repeated(2), pad=6)


def test_a_mean_for_each_pixel():
  images = repeated(2)
  mean = np.arange(IMAGE.size, dtype=np.float32).reshape(IMAGE.shape)
  got = normalise(images, mean, (2.0, 4.0))
  want = (np.asarray(images, np.float32) - mean) / np.array([2.0, 4.0])
  np.testing.assert_allclose(got, want)

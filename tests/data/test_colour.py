"""Random colours: their distribution, and factors by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax.data.augment import augment, random_rotation
from at_jax.data.colour import (
  COLOUR_AXES,
  COLOUR_EIGENVALUES,
  random_colour,
  random_jitter,
)


def test_colours_are_those_of_the_covariance():
  """Shifts of a whole image, with the covariance that AlexNet's give."""
  images = jnp.full((20_000, 1, 2, 3), 100, jnp.uint8)
  shifted = random_colour(jax.random.key(0), images, deviation=0.1)
  assert shifted.dtype == jnp.float32
  shifts = np.asarray(shifted, np.float64) - 100
  np.testing.assert_array_equal(shifts[:, 0, 0], shifts[:, 0, 1])
  axes = np.array(COLOUR_AXES)
  sizes = 0.1 * 255 * np.array(COLOUR_EIGENVALUES)
  wanted = axes.T @ np.diag(sizes**2) @ axes
  found = np.cov(shifts[:, 0, 0].T)
  np.testing.assert_allclose(found, wanted, rtol=0.05, atol=0.1)
  np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-3)
  assert abs(shifts.mean()) < 0.1


def test_colour_is_drawn_apart_from_crops_and_flips():
  settings = dict(pad=0, pad_mode='zero', flip=True)
  images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (8, 4, 4, 3)))
  key = jax.random.key(3)
  plain = augment(key, images, **settings)
  coloured = augment(key, images, colour=0.1, **settings)
  difference = np.asarray(coloured - plain)
  np.testing.assert_allclose(np.ptp(difference, axis=(1, 2)), 0, atol=1e-4)
  assert np.std(difference[:, 0, 0, 0]) > 1


def test_colour_wants_three_channels():
  with pytest.raises(ValueError, match='data.colour=0.1 is for images of 3'):
    random_colour(jax.random.key(0), jnp.zeros((2, 3, 3, 2)), deviation=0.1)


GREY = np.array([0.299, 0.587, 0.114])


def test_jitter_is_three_factors_in_order():
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (6, 4, 5, 3)).astype(np.uint8)
  key = jax.random.key(1)
  got = np.asarray(random_jitter(key, jnp.asarray(images), strength=0.4))
  factors = jax.random.uniform(key, (3, 6, 1, 1, 1), minval=0.6, maxval=1.4)
  brightness, contrast, saturation = np.asarray(factors, np.float64)
  want = brightness * images
  mean = (want @ GREY).mean(axis=(1, 2))[:, None, None, None]
  want = mean + contrast * (want - mean)
  grey = (want @ GREY)[..., None]
  want = grey + saturation * (want - grey)
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-3)
  assert np.ptp(brightness) > 0.1  # drawn for each image


def test_no_jitter_leaves_images():
  images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3)))
  jittered = random_jitter(jax.random.key(0), images, strength=0.0)
  np.testing.assert_allclose(jittered, images, atol=1e-3)


def test_rotation_by_right_angles_and_none(monkeypatch):
  image = np.arange(2 * 5 * 5, dtype=np.float32).reshape(5, 5, 2)
  for turn in (0.0, 1.0, -1.0):
    monkeypatch.setattr(jax.random, 'uniform', lambda *_, **__: turn)  # noqa: B023
    got = random_rotation(jax.random.key(0), image[None], degrees=90.0)[0]
    want = np.rot90(image, k=-int(turn))
    # A corner may fall outside by rounding.
    np.testing.assert_allclose(got[1:4, 1:4], want[1:4, 1:4], atol=1e-3)


def test_rotations_differ_and_are_bounded():
  """A bright spot beside the centre tells the angle."""
  image = np.zeros((1, 41, 41, 1), np.float32)
  image[0, 20, 36:40] = 1
  images = jnp.asarray(np.repeat(image, 60, axis=0))
  got = np.asarray(random_rotation(jax.random.key(0), images, degrees=30.0))
  y, x = np.meshgrid(*[np.arange(41) - 20] * 2, indexing='ij')
  mass = got[..., 0].sum(axis=(1, 2))
  angles = np.arctan2(
    (got[..., 0] * y).sum(axis=(1, 2)) / mass,
    (got[..., 0] * x).sum(axis=(1, 2)) / mass,
  )
  angles = np.degrees(angles)
  assert np.abs(angles).max() <= 31 and angles.min() < -20 and angles.max() > 20


def test_jitter_wants_three_channels():
  images = jnp.zeros((2, 3, 3, 1))
  with pytest.raises(ValueError, match='data.jitter=0.4 is for images of 3'):
    random_jitter(jax.random.key(0), images, strength=0.4)

"""How alike maps are, against NumPy."""

import numpy as np

from at_jax.pictures.similarity import _resize, cosine, mean_cosine, unit_norm


def _map(seed):
  return np.random.default_rng(seed).random((5, 8, 8), np.float32)


def test_cosine_is_that_of_numpy():
  a, b = _map(0), _map(1)
  want = [
    np.vdot(x, y) / np.linalg.norm(x) / np.linalg.norm(y)
    for x, y in zip(a, b, strict=True)
  ]
  np.testing.assert_allclose(cosine(a, b), want, rtol=1e-6)
  np.testing.assert_allclose(cosine(a, 1e30 * a), 1, rtol=1e-6)


def test_cosine_of_a_dead_map_does_not_exist():
  a = _map(0)
  assert np.isnan(cosine(a, np.zeros_like(a))).all()


def test_cosine_brings_the_larger_map_to_the_smaller_size():
  small = np.asarray([[[1.0, 2.0], [3.0, 5.0]]])
  large = small.repeat(2, axis=1).repeat(2, axis=2)
  np.testing.assert_allclose(cosine(large, small), 1)
  np.testing.assert_allclose(cosine(small, large), 1)
  ramp = np.arange(4.0)[None, None].repeat(4, axis=1)
  np.testing.assert_allclose(_resize(ramp, (4, 2))[0, 0], [0.5, 2.5])


def test_unit_norm_is_per_image_and_keeps_zero_maps():
  maps = np.stack([np.full((2, 2), 1e200), np.zeros((2, 2))])
  np.testing.assert_allclose(unit_norm(maps), [[[0.5, 0.5]] * 2, [[0, 0]] * 2])


def test_gradients_are_compared_over_pixels_and_colours():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(2, 5, 4, 3, 3))
  want = [
    np.vdot(x, y) / np.linalg.norm(x) / np.linalg.norm(y)
    for x, y in zip(a, b, strict=True)
  ]
  np.testing.assert_allclose(cosine(a, b), want)
  np.testing.assert_allclose(cosine(a, -a), -1)
  norms = np.linalg.norm(unit_norm(a).reshape(5, -1), axis=1)
  np.testing.assert_allclose(norms, 1)


def test_mean_is_over_the_maps_that_are_alive():
  a, b = _map(0), _map(1)
  b[1:3] = 0
  want = cosine(a, b)[[0, 3, 4]].mean()
  np.testing.assert_allclose(mean_cosine(a, b), want)
  assert np.isnan(mean_cosine(a, 0 * b))


def test_gradients_of_two_sizes():
  rng = np.random.default_rng(0)
  large = rng.normal(size=(2, 8, 4, 3))
  halved = large.reshape(2, 4, 2, 2, 2, 3).mean((2, 4))
  np.testing.assert_allclose(cosine(large, 3 * halved), 1)

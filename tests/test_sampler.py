"""attention_sample: what it reads, laws, degenerate maps, dtypes, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.ndimage import map_coordinates
from jax.test_util import check_grads

import at_jax
from at_jax import sampler

SIZE = (7, 5)  # of the results


def normal(seed, shape=(2, 8, 9, 3), dtype=np.float32):
  return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def random_maps(seed, shape=(2, 4, 3), dtype=np.float32):
  return np.random.default_rng(seed).gamma(0.7, size=shape).astype(dtype)


def test_samples_are_read_at_the_positions():
  """Images that hold their own coordinates: rows first, columns second."""
  rows, columns = (np.arange(n, dtype=np.float32) for n in (8, 9))
  image = np.stack(np.meshgrid(rows, columns, indexing='ij'), axis=-1)
  maps = random_maps(8)
  got = at_jax.attention_sample(np.stack([image, image]), maps, SIZE)
  rows, columns = at_jax.sample_positions(maps, (8, 9), SIZE)
  wanted = np.broadcast_to(rows[:, :, None], (2, *SIZE))
  np.testing.assert_allclose(got[..., 0], wanted, rtol=1e-6)
  wanted = np.broadcast_to(columns[:, None], (2, *SIZE))
  np.testing.assert_allclose(got[..., 1], wanted, rtol=1e-6)


@pytest.mark.parametrize(
  'settings',
  [
    dict(dense=1.2),
    dict(iters=1),
    dict(joint=False),
    dict(rule='pt'),
    dict(marginal='sum'),
    dict(floor=2.0),
  ],
  ids=str,
)
def test_settings_are_those_of_the_positions(settings, monkeypatch):
  seen = []

  def positions(*args, **kwargs):
    seen.append((args, kwargs))
    return np.zeros((2, 7), np.float32), np.zeros((2, 5), np.float32)

  monkeypatch.setattr(sampler, 'sample_positions', positions)
  maps = random_maps(9)
  at_jax.attention_sample(normal(9), maps, SIZE, **settings)
  defaults = dict(
    dense=4.0, iters=5, joint=True, rule='centre', marginal='max', floor=1e-6
  )
  ((args, kwargs),) = seen
  assert args[0] is maps and args[1:] == ((8, 9), SIZE)
  assert kwargs == defaults | settings


@pytest.mark.parametrize('size', [(3, 4), (8, 9), (21, 13)])
def test_an_even_map_is_a_plain_resize(size):
  images, maps = normal(10), np.full((2, 5, 2), 0.3, np.float32)
  wanted = jax.image.resize(
    images, (2, *size, 3), 'bilinear', antialias=False, precision='highest'
  )
  got = at_jax.attention_sample(images, maps, size)
  np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_mirrored_images_and_maps_give_mirrored_samples():
  images, maps = normal(11), random_maps(11)
  sampled = np.asarray(at_jax.attention_sample(images, maps, SIZE))
  for axis in (1, 2):
    got = at_jax.attention_sample(
      np.flip(images, axis), np.flip(maps, axis), SIZE
    )
    np.testing.assert_allclose(np.flip(got, axis), sampled, atol=1e-4)


def test_samples_lie_between_the_pixels():
  images = normal(12)
  sampled = np.asarray(at_jax.attention_sample(images, random_maps(12), SIZE))
  assert (sampled <= images.max((1, 2), keepdims=True)).all()
  assert (sampled >= images.min((1, 2), keepdims=True)).all()
  images[:] = 1 / 3
  sampled = at_jax.attention_sample(images, random_maps(12), SIZE)
  np.testing.assert_array_equal(sampled, images[0, 0, 0, 0])


def test_equals_map_coordinates():
  images, maps = normal(13), random_maps(13)
  got = at_jax.attention_sample(images, maps, SIZE)
  rows, columns = at_jax.sample_positions(maps, (8, 9), SIZE)
  for example in range(2):
    grid = jnp.meshgrid(rows[example], columns[example], indexing='ij')
    for channel in range(3):
      wanted = map_coordinates(images[example, :, :, channel], grid, order=1)
      np.testing.assert_allclose(
        got[example, :, :, channel], wanted, rtol=1e-5, atol=1e-6
      )


def test_equals_torch():
  torch = pytest.importorskip('torch')
  images, maps = normal(14), random_maps(14)
  rows, columns = map(
    np.array, at_jax.sample_positions(maps, (8, 9), SIZE, rule='pt')
  )
  y, x = (2 * u / (n - 1) - 1 for u, n in ((rows, 8), (columns, 9)))
  grid = [np.broadcast_to(u, (2, *SIZE)) for u in (x[:, None], y[:, :, None])]
  theirs = torch.nn.functional.grid_sample(
    torch.tensor(images).permute(0, 3, 1, 2),
    torch.tensor(np.stack(grid, axis=-1)),
    align_corners=True,
  )
  got = at_jax.attention_sample(images, maps, SIZE, rule='pt')
  np.testing.assert_allclose(
    got, theirs.permute(0, 2, 3, 1).numpy(), rtol=1e-4, atol=1e-5
  )


def test_dtypes():
  """Computed wide, rounded once at the end."""
  maps = random_maps(15)
  images = (100 * normal(15)).astype(jnp.bfloat16)
  got = at_jax.attention_sample(images, maps, SIZE)
  assert got.dtype == jnp.bfloat16
  wide = at_jax.attention_sample(images.astype(np.float32), maps, SIZE)
  np.testing.assert_array_equal(got, wide.astype(jnp.bfloat16))
  whole = np.arange(432, dtype=np.uint8).reshape(2, 8, 9, 3)
  got = at_jax.attention_sample(whole, maps.astype(jnp.bfloat16), SIZE)
  assert got.dtype == jnp.float32
  wide = at_jax.attention_sample(
    whole.astype(np.float32), maps.astype(jnp.bfloat16), SIZE
  )
  np.testing.assert_allclose(got, wide, rtol=1e-6)


def test_a_broken_map_is_not_hidden():
  maps = random_maps(16)
  maps[1] = np.nan
  got = np.asarray(at_jax.attention_sample(normal(16), maps, SIZE))
  assert np.isfinite(got[0]).all() and np.isnan(got[1]).all()


def test_dead_even_and_lonely_maps_have_finite_derivatives():
  images, maps = normal(17, (4, 8, 9, 3)), np.zeros((4, 4, 3), np.float32)
  maps[1], maps[2, 3, 0], maps[3] = 1, 1, random_maps(17)[0]

  def total(images, maps):
    return jnp.sum(at_jax.attention_sample(images, maps, SIZE) ** 2)

  with jax.debug_nans(True):
    of_images, of_maps = jax.jit(jax.grad(total, argnums=(0, 1)))(images, maps)
  assert np.isfinite(of_images).all() and np.isfinite(of_maps).all()
  assert (of_maps[0] == 0).all() and (of_maps[3] != 0).any()
  assert (abs(np.asarray(of_images)).max((1, 2, 3)) > 0.1).all()


def test_derivatives_against_finite_differences():
  with jax.enable_x64(True):
    images = normal(18, dtype=np.float64)
    maps = random_maps(18, dtype=np.float64) + 0.1
    sample = functools.partial(at_jax.attention_sample, out_size=SIZE)
    assert sample(images, maps).dtype == np.float64
    check_grads(
      jax.jit(sample), (images, maps), order=1, modes=['rev'], eps=1e-6
    )


def test_jit_and_vmap():
  images, maps = normal(19), random_maps(19)
  wanted = at_jax.attention_sample(images, maps, SIZE)
  sample = jax.jit(at_jax.attention_sample, static_argnums=2)
  np.testing.assert_allclose(sample(images, maps, SIZE), wanted, atol=1e-5)
  mapped = jax.vmap(lambda *x: sample(*x, SIZE))(images[:, None], maps[:, None])
  np.testing.assert_allclose(mapped[:, 0], wanted, atol=1e-5)


@pytest.mark.parametrize(
  'shapes, size, settings, message',
  [
    (((8, 9, 3), (1, 4, 3)), SIZE, {}, r'\[B, H, W, C\], got \(8, 9, 3\)'),
    (
      ((2, 8, 9, 3), (2, 4, 3, 1)),
      SIZE,
      {},
      r'\[B, h, w\], got \(2, 4, 3, 1\)',
    ),
    (((2, 8, 9, 3), (1, 4, 3)), SIZE, {}, r'one map for each.*\(1, 4, 3\)'),
    (((2, 0, 9, 3), (2, 4, 3)), SIZE, {}, r'image_size.*\(0, 9\)'),
    (((2, 8, 9, 3), (2, 4, 3)), 7, {}, 'out_size of two integers.*got 7'),
    (((2, 8, 9, 3), (2, 4, 3)), SIZE, {'rule': 'pytorch'}, 'rule .*centre, pt'),
    (((2, 8, 9, 3), (2, 4, 3)), SIZE, {'marginal': 'mx'}, "mean 'max'"),
  ],
)
def test_errors_name_what_was_wanted(shapes, size, settings, message):
  arrays = [np.ones(shape, np.float32) for shape in shapes]
  sample = functools.partial(at_jax.attention_sample, **settings)
  for function in (sample, jax.jit(sample, static_argnums=2)):
    with pytest.raises(ValueError, match=message):
      function(*arrays, size)

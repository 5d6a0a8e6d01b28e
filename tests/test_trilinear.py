"""trilinear_attention: values by hand, NumPy in float64, laws, extremes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import at_jax

VARIANTS = ('features', 'basic', 'spatial', 'relation', 'both')
CONVEX = ('relation', 'both')
all_variants = pytest.mark.parametrize('variant', VARIANTS)
GOLDEN = {  # of the channels (1, 0, 2) and (0, 3, 0), row by row
  ('features', 7): [1, 0, 2, 0, 3, 0],
  ('basic', 7): [5, 0, 10, 0, 27, 0],
  ('spatial', 1): [1.575210, 0.810275, 3.150421, 0.135836, 8.184987, 0.271671],
  ('relation', 7): [0.993307, 0.020079, 1.986614, 0.000123, 2.999630, 0.000247],
  ('both', 1): [0.786695, 0.639914, 1.573390, 0.069623, 2.791131, 0.139246],
  ('both', 2): [0.858551, 0.424346, 1.717102, 0.048439, 2.854683, 0.096878],
  ('both', 7): [0.880701, 0.357897, 1.761402, 0.047426, 2.857722, 0.094852],
}


def features(seed, shape=(2, 3, 4, 5), dtype=np.float32):
  """As after a ReLU: half of them 0."""
  x = np.random.default_rng(seed).standard_normal(shape)
  return np.maximum(x, 0).astype(dtype)


def softmax(x):
  x = np.exp(x - x.max())
  return x / x.sum()


def reference(x, variant, scale=7.0):
  """One example, one channel and one relation at a time."""
  maps = []
  for example in np.asarray(x, np.float64):
    rows = example.reshape(-1, example.shape[-1]).T
    new = []
    for row in rows:
      spatial = variant in ('spatial', 'both')
      where = softmax(scale * row) if spatial else row
      relation = np.array([where @ other for other in rows])
      if variant in CONVEX:
        relation = softmax(relation)
      new.append(relation @ rows)
    maps.append(np.reshape(new, (-1, *example.shape[:2])).transpose(1, 2, 0))
  return np.array(x, np.float64) if variant == 'features' else np.array(maps)


@pytest.mark.parametrize('variant, scale', GOLDEN)
@pytest.mark.parametrize('shape', [(1, 3), (3, 1)])
def test_by_hand(variant, scale, shape):
  x = np.array([[1, 0], [0, 3], [2, 0]], np.float32).reshape(1, *shape, 2)
  maps = at_jax.trilinear_attention(x, spatial_scale=scale, variant=variant)
  assert maps.shape == x.shape
  np.testing.assert_allclose(
    np.reshape(maps, (3, 2)).T.ravel(), GOLDEN[variant, scale], atol=1.5e-6
  )


def test_channels_of_zeros_have_equal_maps():
  x = np.zeros((1, 1, 3, 4), np.float32)
  x[0, 0, :, :2] = [[1, 0], [0, 3], [2, 0]]
  maps = np.asarray(at_jax.trilinear_attention(x))
  wanted = 0.365529 * np.array([1, 3, 2])  # softmax(1, 1, 0, 0), two of them
  for channel in (2, 3):
    np.testing.assert_allclose(maps[0, 0, :, channel], wanted, rtol=1e-5)


def test_defaults_are_those_of_the_authors():
  x = features(0)
  np.testing.assert_array_equal(
    at_jax.trilinear_attention(x),
    at_jax.trilinear_attention(x, spatial_scale=7.0, variant='both'),
  )


@all_variants
def test_equals_numpy_and_itself_compiled(variant):
  x = features(1)
  attention = functools.partial(
    at_jax.trilinear_attention, variant=variant, spatial_scale=1.5
  )
  maps = attention(x)
  assert maps.shape == x.shape and maps.dtype == jnp.float32
  wanted = reference(x, variant, 1.5)
  np.testing.assert_allclose(maps, wanted, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(jax.jit(attention)(x), maps, rtol=1e-5, atol=1e-6)
  mapped = jax.vmap(attention)(x[:, None])
  np.testing.assert_allclose(mapped[:, 0], maps, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('variant', CONVEX)
def test_maps_are_convex_combinations_of_the_channels(variant):
  x = np.random.default_rng(2).standard_normal((2, 3, 4, 5)).astype(np.float32)
  attention = jax.jit(
    functools.partial(at_jax.trilinear_attention, variant=variant)
  )
  for scale in (1, 1e3):  # products of 1e3 overflow every exponential
    maps = attention(scale * x)
    low, high = (f(scale * x, axis=-1, keepdims=True) for f in (np.min, np.max))
    slack = 1e-6 * scale
    assert (maps >= low - slack).all() and (maps <= high + slack).all()
    assert (np.asarray(maps).std(-1) > 0).all()


def test_a_constant_moves_the_maps():
  x = features(3)
  maps = at_jax.trilinear_attention(x)
  moved = at_jax.trilinear_attention(x + 2)
  np.testing.assert_allclose(moved, maps + 2, rtol=1e-5)


@all_variants
def test_permutations(variant):
  x, rng = features(4), np.random.default_rng(5)
  attention = jax.jit(
    functools.partial(at_jax.trilinear_attention, variant=variant)
  )
  maps = np.asarray(attention(x))
  channels, places = rng.permutation(5), rng.permutation(12)
  np.testing.assert_allclose(
    attention(x[..., channels]), maps[..., channels], rtol=1e-5, atol=1e-6
  )

  def move(array):
    return array.reshape(2, 12, 5)[:, places].reshape(2, 3, 4, 5)

  np.testing.assert_allclose(
    attention(move(x)), move(maps), rtol=1e-5, atol=1e-6
  )


def test_examples_do_not_see_each_other():
  x = features(6, (3, 3, 4, 5))
  whole = at_jax.trilinear_attention(x)
  x[1] = 99
  again = at_jax.trilinear_attention(x)
  np.testing.assert_array_equal(whole[::2], again[::2])


@all_variants
@pytest.mark.parametrize('value', [0.0, 2.0])
def test_equal_features(value, variant):
  x = np.full((1, 3, 4, 5), value, np.float32)
  maps, pull = jax.vjp(
    functools.partial(at_jax.trilinear_attention, variant=variant), x
  )
  factor = {'basic': 12 * 5 * value**2, 'spatial': 5 * value}.get(variant, 1)
  np.testing.assert_allclose(maps, factor * x, rtol=1e-5)
  with jax.debug_nans(True):
    (gradient,) = pull(features(7, x.shape))
  assert np.isfinite(gradient).all()


def test_one_position_and_one_channel():
  x = features(8, (2, 1, 1, 5)) + 1
  np.testing.assert_allclose(
    at_jax.trilinear_attention(x), reference(x, 'both'), rtol=1e-5
  )
  x = features(9, (2, 3, 4, 1))
  np.testing.assert_array_equal(at_jax.trilinear_attention(x), x)


@all_variants
def test_derivatives_against_finite_differences(variant):
  with jax.enable_x64(True):
    x = features(10, (1, 2, 3, 3), np.float64)
    attention = functools.partial(
      at_jax.trilinear_attention, variant=variant, spatial_scale=np.float32(1)
    )
    maps = attention(x)
    assert maps.dtype == np.float64
    np.testing.assert_allclose(maps, reference(x, variant, 1), rtol=1e-12)
    check_grads(jax.jit(attention), (x,), order=1, modes=['rev'], rtol=1e-6)


@all_variants
def test_half_precision_and_integers_in_float32_out(variant):
  x = (4 * features(11)).astype(jnp.bfloat16)
  attention = jax.jit(
    functools.partial(at_jax.trilinear_attention, variant=variant)
  )
  maps = attention(x)
  assert maps.dtype == jnp.float32
  np.testing.assert_array_equal(maps, attention(x.astype(np.float32)))
  maps = attention(np.arange(120, dtype=np.uint8).reshape(2, 3, 4, 5))
  assert maps.dtype == jnp.float32 and np.isfinite(maps).all()


def test_a_numpy_scale_does_not_widen():
  with jax.enable_x64(True):
    maps = at_jax.trilinear_attention(features(0), spatial_scale=np.float64(7))
    assert maps.dtype == jnp.float32


def test_the_scale_may_be_traced():
  maps = jax.jit(at_jax.trilinear_attention)(features(0), spatial_scale=2.0)
  wanted = at_jax.trilinear_attention(features(0), spatial_scale=2.0)
  np.testing.assert_allclose(maps, wanted, rtol=1e-5)


def test_products_ask_for_full_precision():
  text = str(jax.make_jaxpr(at_jax.trilinear_attention)(features(0)))
  assert text.count('dot_general') == 2
  assert text.count('Precision.HIGHEST, Precision.HIGHEST') == 2


@pytest.mark.parametrize(
  'shape, kwargs, message',
  [
    ((3, 4, 5), {}, r'trilinear_attention.*\[B, H, W, C\].*\(3, 4, 5\)'),
    ((1, 2, 3, 4, 5), {}, r'\[B, H, W, C\]'),
    ((1, 2, 3, 4), {'variant': 'spacial'}, "'spatial'.*features, basic, spat"),
    ((1, 2, 3, 4), {'variant': ''}, 'variant of trilinear attention'),
    ((1, 2, 3, 4), {'spatial_scale': -1}, 'spatial_scale .* >= 0, got -1'),
  ],
)
def test_errors_name_what_was_wanted(shape, kwargs, message):
  attention = functools.partial(at_jax.trilinear_attention, **kwargs)
  for function in (attention, jax.jit(attention)):
    with pytest.raises(ValueError, match=message):
      function(np.ones(shape))

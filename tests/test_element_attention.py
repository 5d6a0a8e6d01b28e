"""element_attention: golden values, NumPy in float64, laws, zeros, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import at_jax

both_readings = pytest.mark.parametrize('reading', ['space', 'class'])
GOLDEN_Z = np.arange(8.0, dtype=np.float32).reshape(1, 2, 2, 2)
GOLDEN_S = np.array([[[[1, -1], [0, 2]], [[3, 1], [-2, 0.5]]]], np.float32)


def normal(seed, shape=(3, 4, 5, 6), dtype=np.float32):
  return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def reference(z, s, reading):
  """One map, or one position, at a time."""
  z, s = np.asarray(z, np.float64), np.asarray(s, np.float64)
  attention = np.zeros_like(z)
  batch, height, width, classes = z.shape
  if reading == 'space':
    for b, c in np.ndindex(batch, classes):
      weights = np.exp(z[b, :, :, c] - z[b, :, :, c].max())
      attention[b, :, :, c] = weights / weights.sum()
  else:
    for place in np.ndindex(batch, height, width):
      weights = np.exp(z[place] - z[place].max())
      attention[place] = weights / weights.sum()
  weighted = attention * s
  pooled = np.zeros((batch, classes))
  for b, i, j, c in np.ndindex(z.shape):
    pooled[b, c] += weighted[b, i, j, c]
  return (
    attention,
    weighted,
    pooled / (1 if reading == 'space' else height * width),
  )


def close(got, wanted, **tolerance):
  for array, other in zip(got, wanted, strict=True):
    np.testing.assert_allclose(array, other, **tolerance)


def test_golden_space():
  attention, weighted, pooled = at_jax.element_attention(GOLDEN_Z, GOLDEN_S)
  maps = np.reshape(attention, (4, 2))
  wanted = [0.002144, 0.015842, 0.117059, 0.864955]
  np.testing.assert_allclose(maps, np.transpose([wanted, wanted]), atol=1e-6)
  np.testing.assert_allclose(pooled, [[-1.376589, 0.579077]], atol=1e-6)
  mean = np.mean(weighted, axis=(1, 2))
  np.testing.assert_allclose(mean, [[-0.344147, 0.144769]], atol=1e-6)


def test_golden_class():
  attention, weighted, pooled = at_jax.element_attention(
    GOLDEN_Z, GOLDEN_S, reading='class'
  )
  maps = np.reshape(attention, (4, 2))
  wanted = np.broadcast_to([0.268941, 0.731059], (4, 2))
  np.testing.assert_allclose(maps, wanted, atol=1e-6)
  np.testing.assert_allclose(pooled, [[0.134471, 0.456912]], atol=1e-6)
  total = np.sum(weighted, axis=(1, 2))
  np.testing.assert_allclose(total, [[0.537883, 1.827646]], atol=1e-6)


@both_readings
@pytest.mark.parametrize('shape', [(3, 4, 5, 6), (2, 1, 7, 1), (1, 1, 1, 3)])
def test_equals_numpy_and_itself_compiled(reading, shape):
  z, s = 3 * normal(0, shape), normal(1, shape)
  function = functools.partial(at_jax.element_attention, reading=reading)
  got = function(z, s)
  assert [x.shape for x in got] == [shape, shape, (shape[0], shape[3])]
  assert all(x.dtype == jnp.float32 for x in got)
  close(got, reference(z, s, reading), rtol=1e-5, atol=1e-6)
  close(jax.jit(function)(z, s), got, rtol=1e-5, atol=1e-7)


def test_default_is_space():
  z, s = normal(0), normal(1)
  wanted = at_jax.element_attention(z, s, reading='space')
  close(at_jax.element_attention(z, s), wanted, rtol=0)


@pytest.mark.parametrize('reading, axes', [('space', (1, 2)), ('class', 3)])
def test_what_sums_to_1(reading, axes):
  attention, _, _ = at_jax.element_attention(
    9 * normal(0), normal(1), reading=reading
  )
  np.testing.assert_allclose(np.sum(attention, axis=axes), 1, rtol=1e-5)
  assert (np.asarray(attention) >= 0).all()


@both_readings
def test_pooling_features_first_is_the_same_in_space_alone(reading):
  """Both sentences of the paper's section 4.3 describe one computation."""
  x, w, b = normal(2, (3, 4, 5, 8)), normal(3, (8, 6)), normal(4, (6,))
  scores = x @ w + b[None, None, None]
  attention, _, pooled = at_jax.element_attention(
    normal(0), scores, reading=reading
  )
  features = np.einsum('bijc,bijd->bcd', attention, x)
  if reading == 'class':
    features /= 4 * 5
  of_features = np.einsum('bcd,dc->bc', features, w) + b[None]
  difference = np.abs(of_features - pooled).max()
  assert difference < 1e-5 if reading == 'space' else difference > 0.1


@both_readings
def test_classes_in_another_order(reading):
  z, s, order = normal(0), normal(1), np.array([3, 0, 5, 1, 2, 4])
  function = functools.partial(at_jax.element_attention, reading=reading)
  wanted = [x[..., order] for x in function(z, s)]
  close(function(z[..., order], s[..., order]), wanted, rtol=1e-5, atol=1e-6)


@both_readings
def test_positions_in_another_order(reading):
  z, s = normal(0), normal(1)
  function = functools.partial(at_jax.element_attention, reading=reading)
  attention, _, pooled = function(z, s)
  turned = function(z[:, ::-1, ::-1], s[:, ::-1, ::-1])
  np.testing.assert_allclose(
    turned[0], attention[:, ::-1, ::-1], rtol=1e-5, atol=1e-6
  )
  np.testing.assert_allclose(turned[2], pooled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
  'reading, free, bound',
  [
    ('space', (3, 1, 1, 6), (3, 4, 5, 1)),
    ('class', (3, 4, 5, 1), (3, 1, 1, 6)),
  ],
)
def test_shifts_of_attention_logits(reading, free, bound):
  """What is added to all that compete changes nothing."""
  z, s = normal(0), normal(1)
  function = functools.partial(at_jax.element_attention, reading=reading)
  wanted = function(z, s)[0]
  same = function(z + normal(2, free), s)[0]
  np.testing.assert_allclose(same, wanted, rtol=1e-4, atol=1e-6)
  other = function(z + normal(2, bound), s)[0]
  assert np.abs(other - wanted).max() > 0.05


@pytest.mark.parametrize('reading', ['space', 'class'])
def test_whom_a_score_hears(reading):
  """In `space` labels do not compete: a class hears its own maps alone."""

  @jax.jit
  @functools.partial(jax.grad, argnums=(0, 1))
  def slopes(z, s):
    return at_jax.element_attention(z, s, reading=reading)[2][1, 2]

  for slope in map(np.asarray, slopes(normal(0), normal(1))):
    assert (slope[1, :, :, 2] != 0).all() and (slope[::2] == 0).all()
  of_z, of_s = slopes(normal(0), normal(1))
  rest = np.delete(np.asarray(of_z), 2, axis=3)[1]
  assert (rest != 0).all() if reading == 'class' else (rest == 0).all()
  assert (np.delete(np.asarray(of_s), 2, axis=3) == 0).all()


@both_readings
def test_slope_of_scores_is_attention(reading):
  z, s = normal(0), normal(1)
  function = functools.partial(at_jax.element_attention, reading=reading)
  slope = jax.grad(lambda s: function(z, s)[2].sum())(s)
  share = 1 if reading == 'space' else 1 / 20
  np.testing.assert_allclose(slope, share * function(z, s)[0], rtol=1e-5)


@both_readings
def test_zero_and_constant_maps(reading):
  zero = np.zeros((2, 4, 5, 6), np.float32)
  function = functools.partial(at_jax.element_attention, reading=reading)
  even = 1 / 20 if reading == 'space' else 1 / 6
  attention, weighted, pooled = function(zero, zero)
  np.testing.assert_allclose(attention, even, rtol=1e-6)
  assert (weighted == 0).all() and (pooled == 0).all()
  attention, weighted, pooled = function(zero + 7, zero + 3)
  np.testing.assert_allclose(weighted, 3 * even, rtol=1e-6)
  mean = 3 if reading == 'space' else 3 / 6
  np.testing.assert_allclose(pooled, mean, rtol=1e-6)
  with jax.debug_nans(True):
    slopes = jax.jit(
      jax.grad(lambda z, s: (function(z, s)[2] ** 2).sum(), (0, 1))
    )(zero, zero)
  for slope in slopes:
    np.testing.assert_array_equal(slope, 0)


@both_readings
def test_extreme_logits_choose_one(reading):
  z = np.zeros((1, 2, 2, 2), np.float32)
  z[0, 0, 1], z[0, 1, 0] = (1e30, -1e30), (-1e30, 1e30)
  s = normal(1, z.shape)
  attention, _, pooled = at_jax.element_attention(z, s, reading=reading)
  close([attention], [reference(z, s, reading)[0]], rtol=1e-6)
  assert np.isfinite(pooled).all()
  if reading == 'space':
    np.testing.assert_array_equal(pooled[0], [s[0, 0, 1, 0], s[0, 1, 0, 1]])


def test_examples_do_not_see_each_other():
  z, s = normal(0), normal(1)
  whole = at_jax.element_attention(z, s)
  z[1], s[1] = 99, -99
  again = at_jax.element_attention(z, s)
  for array, other in zip(whole, again, strict=True):
    np.testing.assert_array_equal(array[::2], other[::2])


@both_readings
def test_order_2_against_finite_differences(reading):
  with jax.enable_x64(True):
    z, s = (normal(i, (2, 2, 3, 2), np.float64) for i in (0, 1))
    function = functools.partial(at_jax.element_attention, reading=reading)
    got = function(z, s)
    assert all(x.dtype == np.float64 for x in got)
    close(got, reference(z, s, reading), rtol=1e-12)
    check_grads(
      jax.jit(function), (z, s), order=2, modes=['rev'], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16', 'int8'])
def test_narrow_types_in_float32_out(dtype):
  z, s = ((4 * normal(i)).astype(jnp.dtype(dtype)) for i in (0, 1))
  got = at_jax.element_attention(z, s)
  assert all(x.dtype == jnp.float32 for x in got)
  close(got, reference(z, s, 'space'), rtol=1e-5, atol=1e-6)


def test_vmap():
  z, s = normal(0, (2, 3, 4, 5, 6)), normal(1, (2, 3, 4, 5, 6))
  mapped = jax.jit(jax.vmap(at_jax.element_attention))(z, s)
  for i in range(2):
    one = at_jax.element_attention(z[i], s[i])
    close([x[i] for x in mapped], one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
  'shapes, kwargs, message',
  [
    (((4, 4, 3),) * 2, {}, r'element_attention.*\[B, H, W, C\].*\(4, 4, 3\)'),
    (((1, 4, 4, 3), (4, 4, 3)), {}, r'\[B, H, W, C\]'),
    (((1, 4, 4, 3), (1, 4, 4, 1)), {}, r'\(1, 4, 4, 1\).*one map for each'),
    (((1, 4, 4, 3), (1, 1, 1, 3)), {}, 'one shape'),
    (((1, 2, 2, 3),) * 2, dict(reading='spce'), "mean 'space'.*space, class"),
    (((1, 2, 2, 3),) * 2, dict(reading=''), 'reading of element.*space, class'),
  ],
)
def test_errors_name_what_was_wanted(shapes, kwargs, message):
  function = functools.partial(at_jax.element_attention, **kwargs)
  for call in (function, jax.jit(function)):
    with pytest.raises(ValueError, match=message):
      call(*map(np.ones, shapes))

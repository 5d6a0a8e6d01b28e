"""attention_gate: values by hand, NumPy in float64, laws, zeros, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import at_jax
from at_jax.gates import gate_statistics, strongest_channels

KINDS = ('mixed', 'channel', 'spatial')
all_kinds = pytest.mark.parametrize('kind', KINDS)


def normal(seed, shape=(3, 4, 5, 6), dtype=np.float32):
  return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def derivatives(function, z, u):
  """The gradient of <u, function(z)>, and its derivative along u."""

  @jax.jit
  def both(z):
    slope = jax.grad(lambda z: jnp.vdot(u, function(z)))
    return jax.jvp(slope, (z,), (u,))

  return map(np.asarray, both(z))


def reference(z, kind, eps=1e-5):
  """One vector of channels, or one map, at a time."""
  z = np.asarray(z, np.float64)
  if kind == 'mixed':
    return sigmoid(z)
  gate = np.zeros_like(z)
  if kind == 'channel':
    for place in np.ndindex(z.shape[:3]):
      norm = np.sqrt(np.sum(z[place] ** 2))
      gate[place] = z[place] / max(norm, eps)
    return gate
  for b, c in np.ndindex(z.shape[0], z.shape[3]):
    values = z[b, :, :, c]
    spread = np.sqrt(np.mean((values - values.mean()) ** 2) + eps)
    gate[b, :, :, c] = sigmoid((values - values.mean()) / spread)
  return gate


@pytest.mark.parametrize(
  'kind, wanted',
  [
    ('mixed', [[sigmoid(3), sigmoid(-4)], [sigmoid(1), 0.5]]),
    ('channel', [[0.6, -0.8], [1, 0]]),
    ('spatial', [[sigmoid(1), sigmoid(-1)], [sigmoid(-1), sigmoid(1)]]),
  ],
)
def test_by_hand(kind, wanted):
  """Two positions, two channels, whose deviations are 1 and 2."""
  z = np.array([[[[3, -4], [1, 0]]]], np.float32)
  gate = at_jax.attention_gate(z, kind=kind)
  np.testing.assert_allclose(gate[0, 0], wanted, rtol=1e-5)


def test_default_is_mixed():
  z = normal(0)
  np.testing.assert_array_equal(
    at_jax.attention_gate(z), at_jax.attention_gate(z, kind='mixed')
  )


@all_kinds
@pytest.mark.parametrize('shape', [(3, 4, 5, 6), (2, 1, 1, 3)])
def test_equals_numpy_and_itself_compiled(kind, shape):
  z = 3 * normal(1, shape) + 1
  gate = functools.partial(at_jax.attention_gate, kind=kind)
  assert gate(z).shape == shape and gate(z).dtype == jnp.float32
  np.testing.assert_allclose(gate(z), reference(z, kind), rtol=2e-5, atol=1e-6)
  np.testing.assert_allclose(jax.jit(gate)(z), gate(z), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('kind', ['channel', 'spatial'])
@pytest.mark.parametrize('eps', [1e-2, 2.0])
def test_eps(kind, eps):
  z = normal(2)
  np.testing.assert_allclose(
    at_jax.attention_gate(z, kind=kind, eps=eps),
    reference(z, kind, eps),
    rtol=1e-5,
    atol=1e-6,
  )


def test_channel_is_a_unit_vector_at_every_position():
  z = normal(3)
  gate = at_jax.attention_gate(z, kind='channel')
  np.testing.assert_allclose(np.linalg.norm(gate, axis=-1), 1, rtol=1e-6)
  assert (np.sign(gate) == np.sign(z)).all()
  again = at_jax.attention_gate(1e-3 * z, kind='channel')
  np.testing.assert_allclose(again, gate, rtol=1e-5)
  for scale in (1e30, 1e-30):  # 1e-30 lies below eps
    gate = at_jax.attention_gate(np.float32(scale) * z, kind='channel')
    assert np.isfinite(gate).all()
    assert (np.abs(gate) <= 1).all()


def test_spatial_has_mean_0_and_deviation_1_before_the_sigmoid():
  z = 5 * normal(4) + 2
  gate = np.asarray(at_jax.attention_gate(z, kind='spatial'), np.float64)
  before = np.log(gate / (1 - gate))
  np.testing.assert_allclose(before.mean((1, 2)), 0, atol=1e-5)
  np.testing.assert_allclose(before.std((1, 2)), 1, rtol=1e-4)
  moved = at_jax.attention_gate(3 * z - 7, kind='spatial')
  np.testing.assert_allclose(moved, gate, rtol=1e-4)


@all_kinds
def test_examples_do_not_see_each_other(kind):
  z = normal(5)
  whole = at_jax.attention_gate(z, kind=kind)
  z[1] = 99
  again = at_jax.attention_gate(z, kind=kind)
  np.testing.assert_array_equal(whole[::2], again[::2])


@pytest.mark.parametrize(
  'kind, axes', [('mixed', ()), ('channel', (2,)), ('spatial', (0, 1))]
)
def test_whom_a_gate_hears(kind, axes):
  """`mixed` itself, `channel` its position, `spatial` its channel's map."""

  @jax.jit
  @jax.grad
  def slopes(z):
    return at_jax.attention_gate(z, kind=kind)[0, 0, 0, 0]

  heard = np.zeros((2, 3, 4), bool)
  heard[tuple(slice(None) if i in axes else 0 for i in range(3))] = True
  got = np.asarray(slopes(normal(6, (1, 2, 3, 4))))
  np.testing.assert_array_equal(got[0] != 0, heard)


@all_kinds
@pytest.mark.parametrize('value', [0.0, 2.0])
def test_zero_and_constant_logits(kind, value):
  z = np.full((3, 4, 5, 6), value, np.float32)
  gate = functools.partial(at_jax.attention_gate, kind=kind)
  alike = {
    'mixed': sigmoid(value),
    'channel': (value > 0) / np.sqrt(6),
    'spatial': 0.5,
  }
  np.testing.assert_allclose(gate(z), alike[kind], rtol=1e-6)
  with jax.debug_nans(True):
    first, second = derivatives(gate, z, normal(7, z.shape))
  assert np.isfinite(first).all() and np.isfinite(second).all()
  if kind == 'channel' and value == 0:
    np.testing.assert_array_equal(first, 0)
    np.testing.assert_array_equal(second, 0)


def test_a_position_of_zeros_among_others():
  z = normal(8)
  z[0, 1, 2] = 0
  gate = functools.partial(at_jax.attention_gate, kind='channel')
  first, second = derivatives(gate, z, normal(7))
  for array in (gate(z), first, second):
    assert np.isfinite(array).all() and (array[0, 1, 2] == 0).all()
    assert (array[0, 1, 1] != 0).any()


def test_one_position_is_half_for_spatial():
  gate = at_jax.attention_gate(normal(9, (2, 1, 1, 3)), kind='spatial')
  np.testing.assert_array_equal(gate, 0.5)


@all_kinds
def test_order_2_against_finite_differences(kind):
  with jax.enable_x64(True):
    z = normal(10, (2, 2, 3, 3), np.float64)
    gate = functools.partial(at_jax.attention_gate, kind=kind)
    assert gate(z).dtype == np.float64
    np.testing.assert_allclose(gate(z), reference(z, kind), rtol=1e-12)
    check_grads(
      jax.jit(gate), (z,), order=2, modes=['rev'], rtol=1e-5, atol=1e-5
    )


@all_kinds
def test_bfloat16_is_rounded_once_at_the_end(kind):
  z = (4 * normal(11)).astype(jnp.bfloat16)
  gate = at_jax.attention_gate(z, kind=kind)
  wide = at_jax.attention_gate(z.astype(np.float32), kind=kind)
  assert gate.dtype == z.dtype
  np.testing.assert_array_equal(gate, wide.astype(jnp.bfloat16))


@all_kinds
def test_integers_and_nan(kind):
  z = np.arange(-60, 60, dtype=np.int8).reshape(1, 4, 5, 6)
  gate = at_jax.attention_gate(z, kind=kind)
  assert gate.dtype == jnp.float32
  np.testing.assert_allclose(gate, reference(z, kind), rtol=1e-5, atol=1e-6)
  bad = normal(12)
  bad[0, 0, 0, 0] = np.nan
  gate = at_jax.attention_gate(bad, kind=kind)
  assert np.isnan(gate[0, 0, 0, 0]) and np.isfinite(gate[1:]).all()


@pytest.mark.parametrize(
  'shape, kwargs, message',
  [
    ((4, 4, 3), {}, r'attention_gate.*\[B, H, W, C\].*\(4, 4, 3\)'),
    ((1, 2, 4, 4, 3), {}, r'\[B, H, W, C\]'),
    ((1, 2, 2, 3), {'kind': 'chanel'}, "mean 'channel'.*mixed, channel, spat"),
    ((1, 2, 2, 3), {'kind': ''}, 'mixed, channel, spatial'),
    ((1, 2, 2, 3), {'eps': 0.0}, 'eps of attention_gate must be.*got 0'),
    ((1, 2, 2, 3), {'eps': -1.0, 'kind': 'spatial'}, 'got -1'),
  ],
)
def test_errors_name_what_was_wanted(shape, kwargs, message):
  gate = functools.partial(at_jax.attention_gate, **kwargs)
  for function in (gate, jax.jit(gate)):
    with pytest.raises(ValueError, match=message):
      function(np.ones(shape))


def test_statistics_by_hand():
  gate = np.zeros((2, 1, 2, 2), np.float32)
  gate[0, 0] = [[1.0, 0.5], [0.0, 0.5]]
  gate[1] = -0.96
  found = gate_statistics(gate)
  wanted = {
    'mean': [0.5, -0.96],
    'low': [0.25, 0.0],
    'high': [0.25, 1.0],
    'spatial': [0.125, 0.0],  # 1/4 in the first channel, 0 in the second
    'channels': [0.0, 0.0],
  }
  assert found.keys() == wanted.keys()
  for name, values in wanted.items():
    np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)


def test_statistics_are_numpys_and_the_variance_is_their_sum():
  gate = sigmoid(normal(3, (4, 5, 3, 7)))
  found = jax.jit(gate_statistics)(gate)
  wide = gate.astype(np.float64)
  spatial = wide.var(axis=(1, 2)).mean(axis=1)
  channels = wide.mean(axis=(1, 2)).var(axis=1)
  np.testing.assert_allclose(found['mean'], wide.mean((1, 2, 3)), rtol=1e-5)
  np.testing.assert_allclose(found['spatial'], spatial, rtol=1e-4)
  np.testing.assert_allclose(found['channels'], channels, rtol=1e-4)
  total = found['spatial'] + found['channels']
  np.testing.assert_allclose(total, wide.var((1, 2, 3)), rtol=1e-4)


def test_statistics_of_bfloat16_are_float32():
  gate = jnp.full((1, 64, 64, 8), 0.3, jnp.bfloat16)
  found = gate_statistics(gate)
  assert all(value.dtype == jnp.float32 for value in found.values())
  np.testing.assert_allclose(found['mean'], float(gate[0, 0, 0, 0]), rtol=1e-5)


def test_strongest_channels():
  gate = np.zeros((2, 2, 2, 4), np.float32)
  gate[..., 1] = [[[0, 1], [0, 1]], [[0, 1], [0, 1]]]  # 0.5 in both
  gate[0, ..., 3] = [[0, 1.6], [0, 1.6]]  # 0.8 in one, 0.4 in the mean
  gate[..., 2] = 9  # large and the same everywhere
  assert strongest_channels(gate, 2).tolist() == [1, 3]
  assert len(strongest_channels(gate, 99)) == 4


@pytest.mark.parametrize('function', [gate_statistics, strongest_channels])
def test_statistics_of_a_wrong_rank(function):
  arguments = [1] if function is strongest_channels else []
  with pytest.raises(ValueError, match=r'wants shape \[B, H, W, C\]'):
    function(np.zeros((2, 3, 4)), *arguments)

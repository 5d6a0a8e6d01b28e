"""sample_positions: degenerate maps, derivatives, dtypes, errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import at_jax
from at_jax import _densities

SIZES = (12, 9), (5, 6)
TWO = [('centre', 'max'), ('pt', 'sum')]


def random_maps(seed, shape=(2, 4, 3), dtype=np.float32):
  return np.random.default_rng(seed).gamma(0.7, size=shape).astype(dtype)


def even(rule):
  """Rows and columns of `SIZES` where nothing attracts."""
  shift = 0.5 if rule == 'centre' else 0
  scales = (12 / 5, 9 / 6) if rule == 'centre' else (11 / 5, 8 / 6)
  return [
    (np.arange(count) + shift) * scale - shift
    for count, scale in zip(SIZES[1], scales, strict=True)
  ]


def with_gradient(maps, sizes=SIZES, **settings):
  """(rows, columns, the gradient of a weighted sum of them)."""

  def total(maps):
    rows, columns = at_jax.sample_positions(maps, *sizes, **settings)
    weights = [jnp.arange(1.0, x.shape[1] + 1)[None] for x in (rows, columns)]
    mass = jnp.sum(rows * weights[0] ** 2) + jnp.sum(columns * weights[1])
    return mass, (rows, columns)

  gradient, lines = jax.jit(jax.grad(total, has_aux=True))(maps)
  return *map(np.asarray, lines), np.asarray(gradient)


@pytest.mark.parametrize('rule, marginal', TWO)
def test_dead_even_and_lonely_maps(rule, marginal):
  maps = np.zeros((5, 4, 3), np.float32)
  maps[1] = 3.0
  maps[2, 3, 0] = 1e-30
  maps[3] = random_maps(1)[0]
  maps[4] = -1
  with jax.debug_nans(True):
    *lines, gradient = with_gradient(maps, rule=rule, marginal=marginal)
  for line, wanted in zip(lines, even(rule), strict=True):
    assert np.isfinite(line).all() and (np.diff(line) >= 0).all()
    for example in (0, 1, 4):
      np.testing.assert_allclose(line[example], wanted, atol=1e-5)
    assert abs(line[2] - wanted).max() > 0.5
  assert np.isfinite(gradient).all()
  assert (gradient[[0, 4]] == 0).all() and (gradient[3] != 0).any()


def test_a_dead_map_is_even_without_cap_and_floor():
  maps = np.zeros((2, 4, 3), np.float32)
  lines = at_jax.sample_positions(maps, *SIZES, iters=0, floor=0.0)
  for line, wanted in zip(lines, even('centre'), strict=True):
    np.testing.assert_allclose(line, [wanted, wanted], atol=1e-5)


@pytest.mark.parametrize(
  'old, rule, marginal',
  [((1, 1), *TWO[1]), ((1, 3), *TWO[0])],
)
def test_maps_of_one_cell_along_an_axis(old, rule, marginal):
  maps = random_maps(2, (2, *old)) + 0.1
  *lines, gradient = with_gradient(
    maps, rule=rule, marginal=marginal, joint=False
  )
  for line, wanted, cells in zip(lines, even(rule), old, strict=True):
    assert (abs(line - wanted).max() < 1e-4) == (cells == 1)
  assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
  'sizes, rule',
  [
    (((1, 9), (3, 1)), 'centre'),
    (((2, 1), (1, 4)), 'pt'),
  ],
)
def test_images_and_results_of_one_pixel(sizes, rule):
  with jax.debug_nans(True):  # nothing is read out of bounds
    *lines, gradient = with_gradient(random_maps(3), sizes, rule=rule)
  assert np.isfinite(gradient).all()
  for line, length, count in zip(lines, *sizes, strict=True):
    assert line.shape == (2, count)
    assert (line >= 0).all() and (line <= length - 1).all()
    if length == 1 or (rule, count) == ('pt', 1):
      assert (line == 0).all()
    if (length, count) == (9, 1):
      assert (0 < line).all() and (line < 8).all()


def test_positions_never_decrease_where_densities_vanish():
  """Beside a sum of 513 they are less than its rounding."""
  rng = np.random.default_rng(8)
  density = np.where(rng.random((8, 513)) < 0.5, 1e-7, 1) * rng.random((8, 513))
  density = jnp.array(density / density.mean(1, keepdims=True), jnp.float32)
  edges = jnp.cumsum(density, axis=1)
  assert (np.diff(edges) < 0).any()
  find = jax.jit(_densities.positions_of_equal_mass, static_argnums=(1, 2))
  steps = np.diff(find(density, 3001, 'centre'))
  assert np.isfinite(steps).all() and (steps >= 0).all()


def test_the_gradient_says_where_positions_go():
  """More mass above draws every row up; the other axis stays."""
  maps = np.ones((1, 8, 1), np.float32)

  def rows(top):
    heavy = jnp.asarray(maps).at[0, 0, 0].add(top)
    return at_jax.sample_positions(heavy, (8, 1), (4, 1), joint=False)[0]

  _, slope = jax.jvp(rows, (0.5,), (1.0,))
  assert (np.asarray(slope) < -0.1).all()


@pytest.mark.parametrize(
  'rule, marginal, joint',
  [('centre', 'max', True), ('pt', 'sum', False)],
)
def test_derivatives_against_finite_differences(rule, marginal, joint):
  with jax.enable_x64(True):
    maps = random_maps(4, dtype=np.float64) + 0.1
    sample = functools.partial(
      at_jax.sample_positions,
      image_size=(12, 9),
      out_size=(5, 6),
      rule=rule,
      marginal=marginal,
      joint=joint,
      dense=1.5,
    )
    lines = sample(maps)
    assert all(line.dtype == np.float64 for line in lines)
    check_grads(
      jax.jit(sample), (maps,), order=1, modes=['rev'], eps=1e-6, rtol=1e-6
    )


def test_half_precision_integers_and_numpy_scalars():
  maps = random_maps(5).astype(jnp.bfloat16)
  wanted = at_jax.sample_positions(maps.astype(np.float32), *SIZES)
  for got, line in zip(
    at_jax.sample_positions(maps, *SIZES), wanted, strict=True
  ):
    assert got.dtype == jnp.float32
    np.testing.assert_array_equal(got, line)
  whole = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
  for got, line in zip(
    at_jax.sample_positions(whole, np.array(SIZES[0]), SIZES[1]),
    at_jax.sample_positions(whole.astype(np.float32), *SIZES),
    strict=True,
  ):
    np.testing.assert_array_equal(got, line)
  with jax.enable_x64(True):
    maps = random_maps(5)
    rows, _ = at_jax.sample_positions(
      maps, *SIZES, dense=np.float64(4), floor=np.float64(0), iters=np.int64(2)
    )
    assert rows.dtype == jnp.float32


def test_vmap_and_traced_numbers():
  maps = random_maps(6)
  settings = dict(dense=1.5, floor=0.2)
  wanted = at_jax.sample_positions(maps, *SIZES, **settings)
  traced = jax.jit(at_jax.sample_positions, static_argnums=(1, 2))
  mapped = jax.vmap(lambda x: traced(x, *SIZES, **settings))(maps[:, None])
  for got, again, line in zip(
    traced(maps, *SIZES, **settings), mapped, wanted, strict=True
  ):
    np.testing.assert_allclose(got, line, atol=1e-5)
    np.testing.assert_allclose(again[:, 0], line, atol=1e-5)


def test_products_ask_for_full_precision():
  sample = functools.partial(at_jax.sample_positions, marginal='max')
  text = str(jax.make_jaxpr(lambda x: sample(x, *SIZES))(random_maps(7)))
  assert text.count('dot_general') == 4
  assert text.count('Precision.HIGHEST, Precision.HIGHEST') == 4


@pytest.mark.parametrize(
  'shape, sizes, settings, message',
  [
    ((4, 3), SIZES, {}, r'sample_positions wants shape \[B, h, w\].*\(4, 3\)'),
    ((2, 4, 3, 1), SIZES, {}, r'\[B, h, w\].*\(2, 4, 3, 1\)'),
    ((2, 0, 3), SIZES, {}, r'maps with entries, got \(2, 0, 3\)'),
    ((2, 4, 3), (12, (5, 6)), {}, 'an image_size of two integers.*got 12'),
    ((2, 4, 3), ((12, 9), (5,)), {}, r'an out_size of two.*got \(5,\)'),
    ((2, 4, 3), ((12, 0), (5, 6)), {}, r'image_size.*>= 1.*\(12, 0\)'),
    ((2, 4, 3), ((12, 9), (5, 6.0)), {}, r'out_size.*\(5, 6.0\)'),
    ((2, 4, 3), SIZES, {'rule': 'center'}, "mean 'centre'.*centre, pt"),
    ((2, 4, 3), SIZES, {'marginal': 'mean'}, 'marginal .*There are: max, sum'),
    ((2, 4, 3), SIZES, {'dense': 0.5}, 'dense of .* >= 1, got 0.5'),
    ((2, 4, 3), SIZES, {'floor': -1}, 'floor of .* >= 0, got -1'),
    ((2, 4, 3), SIZES, {'iters': -1}, 'iters of .* >= 0.*got -1'),
  ],
)
def test_errors_name_what_was_wanted(shape, sizes, settings, message):
  sample = functools.partial(at_jax.sample_positions, **settings)
  for function in (sample, jax.jit(sample, static_argnums=(1, 2))):
    with pytest.raises(ValueError, match=message):
      function(np.ones(shape, np.float32), *sizes)

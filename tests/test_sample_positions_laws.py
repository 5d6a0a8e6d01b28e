"""sample_positions: order, caps, floors, spots, mirrors, scale."""

import numpy as np
import pytest

import at_jax

EVEN_STEPS = (40 / 17, 30 / 12)
SHAPE = (3, 10, 15)


def random_maps(seed):
  maps = np.random.default_rng(seed).gamma(0.7, size=SHAPE)
  return maps.astype(np.float32)


def sample(maps, out=(17, 12), **settings):
  """All images are 40 x 30, most results 17 x 12: few programs to compile."""
  return at_jax.sample_positions(maps, (40, 30), out, **settings)


@pytest.mark.parametrize(
  'out, rule', [((17, 12), 'centre'), ((17, 12), 'pt'), ((90, 41), 'centre')]
)
def test_positions_never_decrease_and_stay_inside(out, rule):
  for sharp in (1, 8):
    maps = random_maps(3) ** sharp
    lines = sample(maps, out, rule=rule)
    for line, length in zip(lines, (40, 30), strict=True):
      assert (np.diff(line) >= 0).all()
      assert (line >= 0).all() and (line <= length - 1).all()


def spots():
  """A cell in every map, none on the diagonal."""
  maps = np.zeros(SHAPE, np.float32)
  for example, cell in enumerate([(1, 9), (7, 3), (4, 13)]):
    maps[example][cell] = 1 + example
  return maps


@pytest.mark.parametrize(
  'settings', [{}, dict(rule='pt', joint=False)], ids=['', 'pt']
)
def test_no_place_gets_more_than_its_density(settings):
  for dense in (1.0, 2.0, 4.0):
    lines = sample(spots(), dense=dense, **settings)
    for line, even in zip(lines, EVEN_STEPS, strict=True):
      assert (np.diff(line).min(1) > 0.999 * even / (dense + 1)).all()
      assert (np.diff(line).min(1) < 1.001 * even / dense).all()
  for line, even in zip(sample(spots(), iters=0), EVEN_STEPS, strict=True):
    assert (np.diff(line).min(1) < even / 6).all()


@pytest.mark.parametrize('floor', [0.1, 1.0])
def test_a_floor_bounds_the_steps(floor):
  maps = np.zeros(SHAPE, np.float32)
  maps[:, 0, 0] = maps[:, 9, 14] = 1  # between them, nothing
  lines = sample(maps, floor=floor, iters=0)
  for line, even in zip(lines, EVEN_STEPS, strict=True):
    bound = even * (1 + floor) / floor
    assert (np.diff(line).max(1) < 1.001 * bound).all()
    assert np.diff(line).max() > 0.5 * bound


def test_spots_off_the_diagonal_draw_rows_and_columns_to_them():
  rows, columns = sample(spots())
  for line, axis, cell in ((rows, 1, 4), (columns, 2, 2)):
    places = (spots().max(3 - axis).argmax(1) + 0.5) * cell - 0.5
    near = abs(line - places[:, None]) < cell
    even = line.shape[1] / SHAPE[axis]  # positions to a cell
    assert (near.sum(1) > 2.5 * even).all()


@pytest.mark.parametrize('marginal', ['max', 'sum'])
def test_mirrored_maps_have_mirrored_positions(marginal):
  maps = random_maps(5)
  rows, columns = sample(maps, marginal=marginal)
  again, mirrored = sample(maps[:, :, ::-1], marginal=marginal)
  np.testing.assert_allclose(again, rows, atol=1e-4)
  np.testing.assert_allclose(mirrored, 29 - columns[:, ::-1], atol=1e-3)
  mirrored, again = sample(maps[:, ::-1], marginal=marginal)
  np.testing.assert_allclose(mirrored, 39 - rows[:, ::-1], atol=1e-3)
  np.testing.assert_allclose(again, columns, atol=1e-4)


def test_scale_and_sign():
  maps = random_maps(6)
  wanted = sample(maps)
  for scale in (1e30, 1e-30, 3e38 / maps.max()):
    for got, line in zip(sample(scale * maps), wanted, strict=True):
      np.testing.assert_allclose(got, line, atol=1e-4)
  signed = np.where(maps < 0.3, -5, maps).astype(np.float32)
  pair = sample(signed), sample(np.maximum(signed, 0))
  for got, line in zip(*pair, strict=True):
    np.testing.assert_array_equal(got, line)


def test_examples_do_not_see_each_other():
  maps = random_maps(7)
  whole = sample(maps)
  maps[1] = np.nan
  for one, other in zip(whole, sample(maps), strict=True):
    np.testing.assert_array_equal(one[::2], other[::2])
    assert np.isnan(other[1]).all()  # nor is a broken map taken for an even one

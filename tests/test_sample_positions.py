"""sample_positions: golden vectors, NumPy in loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import at_jax
from at_jax import _densities

RULES = ('centre', 'pt')
all_rules = pytest.mark.parametrize('rule', RULES)
EVEN = np.ones((1, 8, 8), np.float32)
PEAK = EVEN.copy()  # both marginals 1, 1, 1, 9, 1, 1, 1, 1
PEAK[0, 3, 3] = 9
BAND = EVEN.copy()  # rows as above, columns even
BAND[0, 3] = 9
GOLDEN = [
  (EVEN, 'pt', [0, 1.75, 3.5, 5.25]),
  (EVEN, 'centre', [0.5, 2.5, 4.5, 6.5]),
  (PEAK, 'pt', [0, 2.180769, 2.638462, 3.694444]),
  (PEAK, 'centre', [1.277778, 2.823077, 3.315385, 5.722222]),
]


def random_maps(seed, shape, dtype=np.float32):
  return np.random.default_rng(seed).gamma(0.7, size=shape).astype(dtype)


def gaussian(sigma):
  """A map of 512 x 512, in the middle."""
  line = np.exp(-(((np.arange(512) - 256) / sigma) ** 2) / 2)
  return np.outer(line, line)[None].astype(np.float32)


def sample_density(density, count, rule):
  """One position at a time, as the rules are written."""
  n, positions = len(density), []
  for i in range(count):
    if rule == 'pt':
      c = [0.0]
      for k in range(1, n):
        c.append(c[-1] + density[k])
      target = i * c[-1] / count
      k = next(k for k in range(1, n) if c[k] >= target)
      positions.append(k + (target - c[k]) / (c[k] - c[k - 1]))
    else:
      target, k, edge = (i + 0.5) / count * sum(density), 0, 0.0
      while edge + density[k] < target:
        edge, k = edge + density[k], k + 1
      place = k + (target - edge) / density[k] - 0.5
      positions.append(min(max(place, 0), n - 1))
  return positions


def reference(
  map_, size, out, dense=4.0, iters=5, joint=True, rule='centre', kind='max'
):
  """Of one map of the image's size; densities as numbers of samples."""
  lines = [getattr(map_, kind)(axis) for axis in (1, 0)]
  lines = [o * x / x.sum() for x, o in zip(lines, out, strict=True)]
  even = [o / n for o, n in zip(out, size, strict=True)]
  for j in range(iters):
    tops = [x.max() / e for x, e in zip(lines, even, strict=True)]
    if joint:
      tops = [min(tops)] * 2
    if j == 0:
      tops = [min(top, dense) for top in tops]
    for axis in range(2):
      x = np.minimum(lines[axis], tops[axis] * even[axis])
      lines[axis] = x + (out[axis] - x.sum()) / len(x)
  return [sample_density(x, o, rule) for x, o in zip(lines, out, strict=True)]


def resized(maps, size):
  return jax.image.resize(
    maps, (len(maps), *size), 'bilinear', antialias=False, precision='highest'
  )


@pytest.mark.parametrize('maps, rule, wanted', GOLDEN)
def test_golden_vectors(maps, rule, wanted):
  for line in at_jax.sample_positions(maps, (8, 8), (4, 4), rule=rule):
    np.testing.assert_allclose(line, [wanted], atol=2e-6)


def test_golden_densities_after_the_cap():
  peak = jnp.array([[1.0, 1, 1, 9, 1, 1, 1, 1]]) / 2  # the mean is 1
  for density in _densities.cap(peak, peak, dense=4.0, iters=5, joint=True):
    wanted = np.full((1, 8), 0.28125)  # at 4 samples for 8 pixels
    wanted[0, 3] = 2.03125
    np.testing.assert_allclose(density / 2, wanted, rtol=1e-6)


@all_rules
def test_an_even_axis_holds_the_other_one_back(rule):
  wanted = {name: line for _, name, line in GOLDEN[:2]}[rule]
  for maps in (BAND, BAND.swapaxes(1, 2)):
    for line in at_jax.sample_positions(maps, (8, 8), (4, 4), rule=rule):
      np.testing.assert_allclose(line, [wanted], atol=1e-3)
  alone = at_jax.sample_positions(BAND, (8, 8), (4, 4), rule=rule, joint=False)
  peak = {name: line for _, name, line in GOLDEN[2:]}[rule]
  np.testing.assert_allclose(alone[0], [peak], atol=2e-6)
  np.testing.assert_allclose(alone[1], [wanted], atol=2e-6)


def test_even_from_512_to_224():
  ends = {'pt': (0, 508.71875), 'centre': (9 / 14, 511 - 9 / 14)}
  for rule, wanted in ends.items():
    rows, _ = at_jax.sample_positions(EVEN, (512, 512), (224, 224), rule=rule)
    np.testing.assert_allclose(rows[0, [0, -1]], wanted, atol=1e-4)


def test_a_mirrored_peak():
  """`centre` mirrors its positions; `pt` does not, as the code it repeats."""
  mirrored = PEAK[:, ::-1, ::-1]
  wanted = {
    'pt': [0, 3.042307, 3.5, 3.957692],
    'centre': 7 - np.array(GOLDEN[3][2])[::-1],
  }
  for rule, line in wanted.items():
    rows, _ = at_jax.sample_positions(mirrored, (8, 8), (4, 4), rule=rule)
    np.testing.assert_allclose(rows, [line], atol=2e-6)


def test_narrow_and_wide_gaussians():
  narrow = [jnp.array(x) for x in (gaussian(20).max(1), gaussian(20).max(2))]
  even = [_densities.density(x, 0.0) for x in narrow]
  capped, _ = _densities.cap(*even, dense=4.0, iters=5, joint=True)
  assert 4.35 < capped.max() < 4.5
  wide = _densities.density(jnp.array(gaussian(60).max(1)), 0.0)
  capped, _ = _densities.cap(wide, wide, dense=4.0, iters=5, joint=True)
  np.testing.assert_allclose(capped.min(), 0.00038, rtol=0.02)
  sizes = (512, 512), (224, 224)
  steps = [
    np.diff(
      at_jax.sample_positions(gaussian(60), *sizes, rule='pt', floor=floor)[0]
    ).max()
    for floor in (1e-6, 0.25)
  ]
  assert 90 < steps[0] < 100
  assert steps[1] < 5 * 512 / 224


CASES = [  # map, image, result, settings
  ((4, 6), (9, 14), (5, 8), {}),
  ((4, 6), (9, 14), (5, 8), dict(rule='pt', marginal='sum')),
  ((6, 4), (15, 11), (23, 31), dict(joint=False)),  # larger than the image
  ((7, 5), (7, 5), (6, 3), dict(dense=1.5, iters=2)),
  ((9, 12), (6, 5), (4, 4), dict(rule='pt', dense=2.0)),  # larger maps
  ((5, 5), (5, 12), (4, 7), dict(marginal='sum', iters=1)),
]


@pytest.mark.parametrize('old, size, out, settings', CASES)
def test_equals_loops(old, size, out, settings):
  maps = random_maps(1, (3, *old))
  lines = at_jax.sample_positions(maps, size, out, floor=0.0, **settings)
  settings = dict(settings, kind=settings.get('marginal', 'max'))
  settings.pop('marginal', None)
  large = np.asarray(resized(maps, size), np.float64)
  for example, map_ in enumerate(large):
    wanted = reference(map_, size, out, **settings)
    for line, row, length in zip(lines, wanted, out, strict=True):
      assert line.shape == (3, length) and line.dtype == jnp.float32
      np.testing.assert_allclose(line[example], row, atol=2e-4)


@pytest.mark.parametrize('old, size', [((4, 7), (31, 64)), ((1, 9), (7, 5))])
def test_marginals_are_those_of_the_resized_map(old, size):
  maps = random_maps(2, (2, *old))
  large = np.asarray(resized(maps, size))
  for kind in ('max', 'sum'):
    got = _densities.marginals(jnp.asarray(maps), size, kind)
    for line, axis in zip(got, (2, 1), strict=True):
      wanted = getattr(large, kind)(axis)
      wanted = wanted / wanted.mean(1, keepdims=True)
      line = line / line.mean(1, keepdims=True)
      np.testing.assert_allclose(line, wanted, rtol=2e-5)

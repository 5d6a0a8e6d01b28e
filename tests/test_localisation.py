"""Maps in boxes: values by hand, fine grids and loops in NumPy, laws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import at_jax

NO_BOX = (0, 0, 0, 0, -1)
FLIPS = ([0, 3, 2, 1, 4], [2, 1, 0, 3, 4])  # columns of mirrored rows
SIZES = [  # of an image, of a map
  ((8, 8), (4, 2)),
  ((9, 7), (9, 7)),
  ((7, 10), (3, 4)),
  ((5, 6), (7, 8)),
]
all_sizes = pytest.mark.parametrize('image_size, map_size', SIZES)


def rows(*boxes):
  return np.array([boxes], np.float32)


def random_boxes(seed, image_size, count, *, parts=1, batch=3):
  """Boxes with corners in whole `parts` of a pixel, some of them no boxes."""
  rng = np.random.default_rng(seed)
  sides = np.array(image_size)[:, None] * parts
  ends = rng.integers(-parts, sides + parts + 1, (batch, count, 2, 2))
  y, x = np.moveaxis(np.sort(ends.swapaxes(2, 3), axis=2) / parts, 3, 0)
  label = rng.integers(-1, 5, (batch, count))
  boxes = [y[..., 0], x[..., 0], y[..., 1], x[..., 1], label]
  return np.stack(boxes, axis=2).astype(np.float32)


def random_maps(seed, map_size, batch=3):
  maps = np.random.default_rng(seed).uniform(0, 1, (batch, *map_size))
  return maps.astype(np.float32)


def fine_grid(boxes, image_size, map_size, parts=1):
  """The true union: points within pixels, each one repeated for whole cells."""
  (height, width), (h, w) = image_size, map_size
  y = (np.arange(height * parts)[:, None] + 0.5) / parts
  x = (np.arange(width * parts)[None] + 0.5) / parts
  grids = []
  for image in boxes:
    grid = np.zeros((height * parts, width * parts))
    for y0, x0, y1, x1, label in image:
      if label >= 0:
        grid[(y0 < y) & (y < y1) & (x0 < x) & (x < x1)] = 1
    fine = grid.repeat(h, axis=0).repeat(w, axis=1)
    cells = fine.reshape(h, height * parts, w, width * parts)
    grids.append(cells.mean(axis=(1, 3)))
  return np.array(grids)


def largest_part(boxes, image_size):
  """The part of every pixel that the box with most of it covers, by loops."""
  parts = np.zeros((len(boxes), *image_size))
  for b, image in enumerate(boxes):
    for y0, x0, y1, x1, label in image:
      for i, j in np.ndindex(*image_size):
        row = max(min(y1, i + 1) - max(y0, i), 0)
        column = max(min(x1, j + 1) - max(x0, j), 0)
        if label >= 0:
          parts[b, i, j] = max(parts[b, i, j], row * column)
  return parts


def points_inside(maps, boxes, image_size, tolerance):
  (height, width), hits = image_size, []
  for one, image in zip(maps, boxes, strict=True):
    i, j = np.unravel_index(np.argmax(one), one.shape)
    y = (i + 0.5) * height / one.shape[0]
    x = (j + 0.5) * width / one.shape[1]
    hits.append(
      any(
        y0 - tolerance <= y <= y1 + tolerance
        and x0 - tolerance <= x <= x1 + tolerance
        for y0, x0, y1, x1, label in image
        if label >= 0 and y0 < y1 and x0 < x1
      )
    )
  return hits


@pytest.mark.parametrize(
  'boxes, expected',
  [
    (rows((0, 1, 2, 4, 0)), [[0.5, 1], [0, 0]]),
    (rows((0, 0, 4, 4, 3)), [[1, 1], [1, 1]]),
    (rows((0.5, 1, 2.25, 3.5, 0)), np.outer([0.75, 0.125], [0.5, 0.75])),
    (rows((1.25, 1.25, 1.5, 1.75, 0)), [[0.03125, 0], [0, 0]]),
    (rows((0, 0, 2, 2, 0), (1, 1, 3, 3, 1)), [[1, 0.25], [0.25, 0.25]]),
    (rows((0, 0, 1, 1.5, 0), (0, 1.25, 1, 2, 0)), [[0.4375, 0], [0, 0]]),
    (rows((0, 0, 2, 1, 0), (0, 0, 2, 1, 5), NO_BOX), [[0.5, 0], [0, 0]]),
    (rows((-3, -2, 1, 99, 0)), [[0.5, 0.5], [0, 0]]),
    (rows((9, 0, 12, 4, 0), (-9, -9, 0, 0, 0)), [[0, 0], [0, 0]]),
    (rows((3, 3, 1, 1, 0), (1, 3, 3, 1, 0)), [[0, 0], [0, 0]]),
    (rows((0, 0, 4, 4, -1)), [[0, 0], [0, 0]]),
    (rows(NO_BOX, NO_BOX), [[0, 0], [0, 0]]),
    (np.zeros((1, 0, 5)), [[0, 0], [0, 0]]),
  ],
)
def test_coverage_by_hand(boxes, expected):
  coverage = at_jax.box_coverage(boxes, (4, 4), (2, 2))
  assert coverage.shape == (1, 2, 2) and coverage.dtype == jnp.float32
  np.testing.assert_array_equal(coverage[0], expected)
  area = at_jax.area_in_boxes(boxes, (4, 4))
  np.testing.assert_allclose(area, [np.mean(expected)], rtol=1e-6)
  maps = np.array([[[1, 0], [0, 3]]])
  energy = at_jax.energy_in_boxes(maps, boxes, (4, 4))
  share = (expected[0][0] + 3 * expected[1][1]) / 4
  np.testing.assert_allclose(energy, [share], rtol=1e-6)


def test_cells_may_share_pixels_by_hand():
  boxes = np.concatenate([rows((0, 0, 3, 1, 0)), rows((1, 1, 2, 2, 0))])
  np.testing.assert_allclose(
    at_jax.box_coverage(boxes, (3, 3), (2, 2)),
    [[[2 / 3, 0], [2 / 3, 0]], [[1 / 9, 1 / 9], [1 / 9, 1 / 9]]],
    rtol=1e-6,
  )


@all_sizes
def test_the_union_of_whole_pixels_is_exact(image_size, map_size):
  boxes = random_boxes(1, image_size, 6, batch=20)
  expected = fine_grid(boxes, image_size, map_size)
  assert 0 < expected.mean() < 1
  coverage = at_jax.box_coverage(boxes, image_size, map_size)
  np.testing.assert_allclose(coverage, expected, rtol=1e-6)
  np.testing.assert_allclose(
    at_jax.area_in_boxes(boxes, image_size),
    expected.mean(axis=(1, 2)),
    rtol=1e-6,
  )
  maps = random_maps(2, map_size, batch=20)
  energy = jax.jit(at_jax.energy_in_boxes, static_argnums=2)
  np.testing.assert_allclose(
    energy(maps, boxes, image_size),
    (maps * expected).sum((1, 2)) / maps.sum((1, 2)),
    rtol=2e-6,
  )


@pytest.mark.parametrize('image_size, map_size', SIZES[:2])
def test_one_box_with_fractions_is_exact(image_size, map_size):
  boxes = random_boxes(2, image_size, 1, parts=4, batch=20)
  np.testing.assert_allclose(
    at_jax.box_coverage(boxes, image_size, map_size),
    fine_grid(boxes, image_size, map_size, parts=4),
    rtol=1e-6,
  )


def test_of_several_fractions_the_largest_counts():
  image_size = (7, 10)
  boxes = random_boxes(3, image_size, 5, parts=4)
  pixels = at_jax.box_coverage(boxes, image_size, image_size)
  expected = largest_part(boxes, image_size)
  np.testing.assert_array_equal(pixels, expected)
  union = fine_grid(boxes, image_size, image_size, parts=4)
  assert (pixels <= union).all() and (pixels < union).any()
  cells = at_jax.box_coverage(boxes, image_size, (3, 4))
  fine = expected.repeat(3, axis=1).repeat(4, axis=2)
  expected = fine.reshape(3, 3, 7, 4, 10).mean(axis=(2, 4))
  np.testing.assert_allclose(cells, expected, rtol=1e-6)


MAP = np.array([[[0, 1.0], [0, 0.5]]], np.float32)  # points to (1, 3) of 4x4


@pytest.mark.parametrize(
  'maps, boxes, tolerance, hit',
  [
    (MAP, rows((0, 2, 2, 4, 0)), 0, True),
    (MAP, rows((0, 0, 4, 2, 0)), 0, False),
    (MAP, rows((2, 0, 4, 4, 0)), 0, False),
    (MAP, rows((0, 0, 1, 3, 0)), 0, True),  # the edge belongs to the box
    (MAP, rows((1, 3, 4, 4, 0)), 0, True),
    (MAP, rows((2, 1, 4, 2, 0)), 0.99, False),
    (MAP, rows((2, 1, 4, 2, 0)), 1, True),  # a corner: not rounded
    (MAP, rows((2, 0, 4, 1.5, 0)), 1, False),
    (MAP, rows((3, 0, 4, 1, 0), (0, 2, 2, 4, 0)), 0, True),
    (MAP, rows((0, 0, 4, 1, 0), (3, 0, 4, 4, 0)), 0, False),
    (MAP, rows((0, 0, 4, 4, -1)), 0, False),
    (MAP, rows((1, 1, 1, 4, 0), (0, 3, 4, 3, 0)), 0, False),  # no area
    (MAP, rows(NO_BOX, NO_BOX), 99, False),
    (MAP, np.zeros((1, 0, 5)), 99, False),
    (0 * MAP + 3, rows((0, 0, 2, 2, 0)), 0, True),  # the first of equal ones
    (0 * MAP + 3, rows((0, 2, 4, 4, 0), (2, 0, 4, 4, 0)), 0, False),
    (MAP.round(), rows((0, 2, 2, 4, 0)), 0, True),
    (MAP[:, ::-1] > 0, rows((0, 2, 2, 4, 0)), 0, True),
    (0 * MAP, rows((0, 0, 4, 4, 0)), 99, False),
    (MAP * np.nan, rows((0, 0, 4, 4, 0)), 99, False),
  ],
)
def test_pointing_by_hand(maps, boxes, tolerance, hit):
  hits = at_jax.pointing_game(maps, boxes, (4, 4), tolerance=tolerance)
  assert hits.shape == (1,) and hits.dtype == bool
  assert hits[0] == hit


@pytest.mark.parametrize('tolerance', [0, 1.5])
@all_sizes
def test_pointing_equals_loops(image_size, map_size, tolerance):
  boxes = random_boxes(4, image_size, 2, parts=4, batch=40)
  maps = random_maps(5, map_size, batch=40)
  expected = points_inside(maps, boxes, image_size, tolerance)
  assert len(set(expected)) == 2
  pointing = jax.jit(at_jax.pointing_game, static_argnums=2)
  hits = pointing(maps, boxes, image_size, tolerance=tolerance)
  np.testing.assert_array_equal(hits, expected)


def test_default_tolerance_is_zero():
  boxes = rows((2, 2, 4, 4, 0))
  assert not at_jax.pointing_game(MAP, boxes, (4, 4))[0]
  assert at_jax.pointing_game(MAP, boxes, (4, 4), tolerance=15)[0]


@functools.partial(jax.jit, static_argnums=2)
def numbers(maps, boxes, image_size):
  """Everything that is one number an example, `[B, 3]`."""
  columns = [
    at_jax.energy_in_boxes(maps, boxes, image_size),
    at_jax.pointing_game(maps, boxes, image_size, tolerance=0.5),
    at_jax.area_in_boxes(boxes, image_size),
  ]
  return jnp.stack([x.astype(jnp.float32) for x in columns], axis=1)


def test_laws():
  image_size, map_size = (7, 10), (3, 4)
  boxes = random_boxes(6, image_size, 3, parts=4, batch=10)
  maps = random_maps(7, map_size, batch=10)
  value = np.asarray(numbers(maps, boxes, image_size))
  assert (value >= 0).all() and (value <= 1).all() and (value > 0).any(0).all()
  close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
  for scale in (1e-30, 0.3, 1e30):
    close(numbers(np.float32(scale) * maps, boxes, image_size), value)
  close(numbers(maps, boxes[:, [2, 0, 1]], image_size), value)
  close(numbers(maps, boxes[:, [2, 0, 1, 0, 2]], image_size), value)
  padding = np.full((10, 2, 5), NO_BOX, np.float32)
  close(numbers(maps, np.concatenate([padding, boxes], 1), image_size), value)
  for axis, columns, size in zip((2, 1), FLIPS, image_size[::-1], strict=True):
    flipped = boxes[..., columns]
    low, high = (0, 2) if axis == 1 else (1, 3)
    flipped[..., [low, high]] = size - flipped[..., [low, high]]
    close(numbers(np.flip(maps, axis), flipped, image_size), value)
  turned = boxes[..., [1, 0, 3, 2, 4]]
  close(numbers(maps.swapaxes(1, 2), turned, image_size[::-1]), value)
  whole = np.copy(boxes)
  whole[:, 1] = (0, 0, *image_size, 2)
  close(numbers(maps, whole, image_size), 1)
  same = at_jax.energy_in_boxes(np.ones_like(maps), boxes, image_size)
  close(same, value[:, 2])
  for number in range(10):
    one = slice(number, number + 1)
    close(numbers(maps[one], boxes[one], image_size), value[one])


def test_shares_of_boxes_without_overlap_add_up():
  maps = random_maps(8, (3, 4), batch=1)
  boxes = rows((0, 0, 3, 10, 0), (3, 0, 7, 4, 1), (3, 4, 7, 10, 2))
  share = functools.partial(at_jax.energy_in_boxes, maps, image_size=(7, 10))
  parts = [float(share(boxes=boxes[:, k : k + 1])[0]) for k in range(3)]
  assert min(parts) > 0.1
  np.testing.assert_allclose(sum(parts), 1, rtol=1e-6)
  np.testing.assert_allclose(share(boxes=boxes)[0], 1, rtol=1e-6)


@functools.partial(jax.jit, static_argnums=2)
def energy_sum(maps, boxes, image_size):
  return at_jax.energy_in_boxes(maps, boxes, image_size).sum()


@pytest.mark.parametrize('scale', [1e-37, 1e-25, 1.0, 1e25, 1e38])
def test_huge_and_tiny_maps(scale):
  maps = np.array([[[0.5, 1], [0, 2.5]]], np.float32) * np.float32(scale)
  boxes = rows((0, 0, 4, 2, 0))  # the left half
  energy = at_jax.energy_in_boxes(maps, boxes, (4, 4))
  np.testing.assert_allclose(energy, [1 / 8], rtol=1e-6)
  gradient = jax.grad(energy_sum)(maps, boxes, (4, 4))
  expected = np.array([[[7 / 32, -1 / 32], [7 / 32, -1 / 32]]]) / scale
  tiny = np.finfo(np.float32).tiny  # below it a CPU may say 0
  np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=tiny)


def test_a_dead_map_in_a_batch():
  maps, boxes = random_maps(9, (3, 4)), random_boxes(9, (7, 10), 3)
  boxes[..., 4] = 0
  maps[1] = 0
  energy = at_jax.energy_in_boxes(maps, boxes, (7, 10))
  assert energy[1] == 0 and (energy[::2] > 0).all()
  gradient = jax.grad(energy_sum)
  first, second = jax.jvp(
    lambda x: gradient(x, boxes, (7, 10)), (maps,), (np.ones_like(maps),)
  )
  for derivative in (np.asarray(first), np.asarray(second)):
    assert np.isfinite(derivative).all()
    assert (derivative[1] == 0).all() and (derivative[::2] != 0).any(
      (1, 2)
    ).all()
  euler = np.sum(maps * first, axis=(1, 2))  # scale does not matter
  np.testing.assert_allclose(euler, 0, atol=1e-6)


def test_nan_is_not_hidden_as_a_dead_map():
  maps, boxes = random_maps(9, (3, 4)), random_boxes(9, (7, 10), 3)
  maps[1, 2, 3] = np.nan
  energy = at_jax.energy_in_boxes(maps, boxes, (7, 10))
  np.testing.assert_array_equal(np.isnan(energy), [False, True, False])


def test_derivatives_against_finite_differences():
  with jax.enable_x64(True):
    maps = random_maps(10, (3, 4)).astype(np.float64) + 0.1
    boxes = random_boxes(10, (7, 10), 3, parts=4).astype(np.float64)

    @jax.jit
    def energy(maps):
      return at_jax.energy_in_boxes(maps, boxes, (7, 10))

    check_grads(energy, (maps,), order=2, modes=['rev'], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16', 'int32'])
def test_narrow_in_float32_out(dtype):
  boxes = random_boxes(11, (7, 10), 3).astype(jnp.dtype(dtype))
  maps = (255 * random_maps(12, (3, 4))).astype(jnp.dtype(dtype))
  wide_boxes, wide_maps = boxes.astype('float32'), maps.astype('float32')
  for function, narrow, wide in (
    (at_jax.box_coverage, (boxes,), (wide_boxes,)),
    (at_jax.energy_in_boxes, (maps, boxes), (wide_maps, wide_boxes)),
    (at_jax.energy_in_boxes, (maps, wide_boxes), (wide_maps, wide_boxes)),
  ):
    size = ((7, 10), (3, 4)) if len(wide) == 1 else ((7, 10),)
    result = function(*narrow, *size)
    assert result.dtype == jnp.float32
    np.testing.assert_array_equal(result, function(*wide, *size))
  np.testing.assert_array_equal(
    at_jax.pointing_game(maps, boxes, (7, 10)),
    points_inside(wide_maps, wide_boxes, (7, 10), 0),
  )


def test_float64_stays_float64():
  with jax.enable_x64(True):
    boxes = random_boxes(13, (7, 10), 3, parts=7).astype(np.float64)
    maps = random_maps(14, (7, 10)).astype(np.float64)
    part = largest_part(boxes, (7, 10))
    area = at_jax.area_in_boxes(boxes, (7, 10))
    energy = at_jax.energy_in_boxes(maps, boxes, (7, 10))
    assert area.dtype == energy.dtype == jnp.float64
    close = functools.partial(np.testing.assert_allclose, rtol=1e-13)
    close(area, part.mean((1, 2)))
    close(energy, (maps * part).sum((1, 2)) / maps.sum((1, 2)))
    mixed = at_jax.energy_in_boxes(maps, np.float32(boxes), (7, 10))
    assert mixed.dtype == jnp.float64


ALL = [
  lambda maps, boxes: at_jax.box_coverage(boxes, (7, 10), (3, 4)),
  lambda maps, boxes: at_jax.area_in_boxes(boxes, (7, 10)),
  lambda maps, boxes: at_jax.energy_in_boxes(maps, boxes, (7, 10)),
  lambda maps, boxes: at_jax.pointing_game(maps, boxes, (7, 10), tolerance=1),
]


@pytest.mark.parametrize('function', ALL)
def test_jit_and_vmap(function):
  maps = random_maps(15, (3, 4), batch=6).reshape(2, 3, 3, 4)
  boxes = random_boxes(16, (7, 10), 4, parts=4, batch=6).reshape(2, 3, 4, 5)
  eager = np.stack([function(*pair) for pair in zip(maps, boxes, strict=True)])
  close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7)
  close(jax.jit(function)(maps[0], boxes[0]), eager[0])
  close(jax.jit(jax.vmap(function))(maps, boxes), eager)


def test_sizes_may_be_static_arguments_and_the_tolerance_traced():
  pointing = jax.jit(at_jax.pointing_game, static_argnames='image_size')
  for tolerance, hit in ((0.5, False), (1.0, True)):
    boxes = rows((2, 2, 4, 4, 0))
    hits = pointing(MAP, boxes, image_size=(4, 4), tolerance=tolerance)
    assert hits[0] == hit
  sizes = [np.int64(4), np.int32(4)]  # as a list, of NumPy's integers
  assert at_jax.area_in_boxes(boxes, sizes)[0] == 0.25


def test_the_boxes_are_never_painted_one_by_one():
  boxes, painted = np.zeros((8, 50, 5), np.float32), 8 * 50 * 64 * 64
  coverage = jax.jit(at_jax.box_coverage, static_argnums=(1, 2))
  traced = coverage.trace(boxes, (64, 64), (8, 8))
  eager = traced.jaxpr.eqns  # what would run one by one, without this jit
  assert max(x.aval.size for eqn in eager for x in eqn.outvars) < painted
  memory = traced.lower().compile().memory_analysis()
  assert memory.temp_size_in_bytes < painted  # a byte each


def test_products_ask_for_the_highest_precision():
  coverage = jax.jit(at_jax.box_coverage, static_argnums=(1, 2))
  text = coverage.lower(rows(NO_BOX), (4, 4), (2, 2)).as_text()
  products = [line for line in text.splitlines() if 'dot_general' in line]
  assert len(products) == 2
  assert all('HIGHEST' in line for line in products)


WRONG = [
  ('box_coverage', [(2, 5)], [(4, 4), (2, 2)], r'\[B, n, 5\].*\(2, 5\)'),
  ('box_coverage', [(2, 3, 4)], [(4, 4), (2, 2)], r'\[B, n, 5\].*\(2, 3, 4\)'),
  (
    'box_coverage',
    [(2, 3, 5)],
    [(4, 4, 3), (2, 2)],
    r'image_size.*\(4, 4, 3\)',
  ),
  ('box_coverage', [(2, 3, 5)], [(4, 4), (2, 0)], r'map_size.*\(2, 0\)'),
  ('box_coverage', [(2, 3, 5)], [(4, 4), (2, 2.0)], r'map_size.*\(2, 2.0\)'),
  ('area_in_boxes', [(5,)], [(4, 4)], r'area_in_boxes.*\[B, n, 5\]'),
  ('area_in_boxes', [(2, 3, 5)], [(-4, 4)], r'area_in_boxes.*\(-4, 4\)'),
  ('energy_in_boxes', [(2, 4), (2, 3, 5)], [(4, 4)], r'\[B, h, w\].*\(2, 4\)'),
  ('energy_in_boxes', [(2, 4, 4), (3, 5)], [(4, 4)], r'\[B, n, 5\].*\(3, 5\)'),
  ('energy_in_boxes', [(2, 4, 4), (1, 3, 5)], [(4, 4)], r'\(1, 3, 5\)'),
  ('energy_in_boxes', [(2, 4, 4), (2, 3, 5)], [(4,)], r'image_size.*\(4,\)'),
  ('energy_in_boxes', [(2, 4, 4), (2, 3, 5)], [4], r'image_size.*\(4,\)'),
  ('pointing_game', [(2, 4, 4, 1), (2, 3, 5)], [(4, 4)], r'\[B, h, w\]'),
  ('pointing_game', [(2, 4, 4), (2, 3, 6)], [(4, 4)], r'\(2, 3, 6\)'),
  ('pointing_game', [(1, 4, 4), (2, 3, 5)], [(4, 4)], r'pointing_game.*\(1, 4'),
]


@pytest.mark.parametrize('name, shapes, sizes, message', WRONG)
def test_errors_name_what_was_wanted(name, shapes, sizes, message):
  def function(*arrays):
    return getattr(at_jax, name)(*arrays, *sizes)

  for transform in (lambda f: f, jax.jit):
    with pytest.raises(ValueError, match=message):
      transform(function)(*map(np.ones, shapes))


def test_more_errors():
  boxes = rows(NO_BOX)
  with pytest.raises(ValueError, match='tolerance must be >= 0, got -1'):
    at_jax.pointing_game(MAP, boxes, (4, 4), tolerance=-1)
  with pytest.raises(ValueError, match='static under jit'):
    jax.jit(at_jax.area_in_boxes)(boxes, (4, 4))

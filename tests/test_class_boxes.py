"""Maps of classes in boxes of classes: by hand, by loops, laws, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import at_jax

SIZE = (8, 8)
NO_BOX = (0, 0, 0, 0, -1)


def corner_maps():
  """Two images, 2x2 cells of 4x4 pixels, three classes."""
  maps = np.zeros((2, 2, 2, 3), np.float32)
  maps[0, :, :, 0] = [[4, 2], [1, 0]]
  maps[0, :, :, 1] = [[0, 0], [0, 5]]
  maps[1, :, :, 2] = [[1, 1], [1, 1]]
  return maps


BOXES = np.array(
  [
    [(0, 0, 4, 4, 0), (4, 0, 8, 8, 1), NO_BOX],
    # Overlapping, counted once; class 1 has no map, class 3 is none at all.
    [(0, 0, 4, 8, 2), (0, 0, 8, 4, 2), (0, 0, 8, 8, 3)],
  ],
  np.float32,
)
THERE = [[True, True, False], [False, False, True]]


@pytest.mark.parametrize(
  'threshold, iou, iobb',
  [
    # Class 0: T is the first cell; 1: the last cell, B the lower half.
    (0.75, (1, 1 / 2, 3 / 4), (1, 1, 3 / 4)),
    (0.5, (1 / 2, 1 / 2, 3 / 4), (1 / 2, 1, 3 / 4)),  # 2 is half of 4
    (0.25, (1 / 3, 1 / 2, 3 / 4), (1 / 3, 1, 3 / 4)),
    (1, (1, 1 / 2, 3 / 4), (1, 1, 3 / 4)),
  ],
)
def test_overlap_by_hand(threshold, iou, iobb):
  found = at_jax.overlap_by_class(
    corner_maps(), BOXES, SIZE, threshold=threshold
  )
  for got, want in zip(found, (iou, iobb), strict=False):
    assert got.shape == (2, 3) and got.dtype == jnp.float32
    np.testing.assert_allclose(
      got, [[*want[:2], 0], [0, 0, want[2]]], rtol=1e-6
    )
  np.testing.assert_array_equal(found[2], THERE)


def test_pointing_by_hand():
  maps = corner_maps()
  hits, there = at_jax.pointing_game_by_class(maps, BOXES, SIZE)
  np.testing.assert_array_equal(there, THERE)
  np.testing.assert_array_equal(hits, THERE)
  # The boxes of others do not help: class 0 where class 1 has its box.
  maps[0, :, :, 0] = [[0, 0], [0, 1]]
  hits, _ = at_jax.pointing_game_by_class(maps, BOXES, SIZE)
  np.testing.assert_array_equal(hits[0], [False, True, False])
  hits, _ = at_jax.pointing_game_by_class(maps, BOXES, SIZE, tolerance=2)
  np.testing.assert_array_equal(hits[0], [True, True, False])


def test_a_box_of_part_of_a_cell():
  boxes = np.array([[(0, 0, 2, 4, 0)]], np.float32)
  maps = np.array([[1.0, 0], [0, 0]]).reshape(1, 2, 2, 1)
  iou, iobb, _ = at_jax.overlap_by_class(maps, boxes, SIZE)
  assert (float(iou[0, 0]), float(iobb[0, 0])) == (0.5, 0.5)
  larger = np.array([[(-4, -4, 4, 12, 0)]], np.float32)  # beyond the image
  iou, iobb, _ = at_jax.overlap_by_class(maps, larger, SIZE)
  assert (float(iou[0, 0]), float(iobb[0, 0])) == (0.5, 1)


def random_case(seed=0, classes=4):
  rng = np.random.default_rng(seed)
  maps = rng.uniform(-0.2, 1, (3, 4, 2, classes)).astype(np.float32)
  ends = np.sort(rng.integers(0, 9, (3, 6, 2, 2)), axis=3)
  labels = rng.integers(-1, classes, (3, 6, 1))
  y, x = ends[:, :, 0], ends[:, :, 1]
  corners = np.stack([y[..., 0], x[..., 0], y[..., 1], x[..., 1]], axis=2)
  boxes = np.concatenate([corners, labels], axis=2)
  return maps, boxes.astype(np.float32)


def by_loops(maps, boxes, threshold):
  """IoU, IoBB and mask, painted pixel by pixel."""
  batch, h, w, classes = maps.shape
  found = np.zeros((3, batch, classes))
  for b, c in np.ndindex(batch, classes):
    painted, there = np.zeros(SIZE, bool), False
    for y0, x0, y1, x1, label in boxes[b].astype(int):
      if label == c and y1 > y0 and x1 > x0:
        painted[y0:y1, x0:x1] = there = True
    one = maps[b, :, :, c]
    fine = np.kron(one, np.ones((SIZE[0] // h, SIZE[1] // w)))
    cut = fine >= threshold * one.max()
    both = (painted & cut).sum()
    found[:, b, c] = both / (painted | cut).sum(), both / cut.sum(), there
  return found


def test_against_loops_and_compiled():
  maps, boxes = random_case()
  for threshold in (0.3, 0.9):
    wanted = by_loops(maps, boxes, threshold)
    found = at_jax.overlap_by_class(maps, boxes, SIZE, threshold=threshold)
    np.testing.assert_allclose(np.stack(found), wanted, rtol=1e-5, atol=1e-7)
  assert 0 < wanted[2].mean() < 1
  hits, there = jax.jit(at_jax.pointing_game_by_class, static_argnums=2)(
    maps, boxes, SIZE
  )
  np.testing.assert_array_equal(there, wanted[2] == 1)
  for c in range(maps.shape[3]):
    own = np.where(boxes[:, :, 4:] == c, boxes, NO_BOX).astype(np.float32)
    alone = at_jax.pointing_game(maps[..., c], own, SIZE)
    np.testing.assert_array_equal(hits[:, c], alone)


def test_permuting_the_classes_permutes_the_results():
  maps, boxes = random_case(1)
  order = np.array([2, 0, 3, 1])
  renamed = boxes.copy()
  renamed[:, :, 4] = np.append(np.argsort(order), -1)[
    boxes[:, :, 4].astype(int)
  ]
  for function in (at_jax.overlap_by_class, at_jax.pointing_game_by_class):
    found = function(maps, boxes, SIZE)
    moved = function(maps[..., order], renamed, SIZE)
    for one, other in zip(found, moved, strict=True):
      np.testing.assert_array_equal(one[:, order], other)


@pytest.mark.parametrize('value', [0.0, -1.0, np.nan])
def test_maps_that_detect_nothing(value):
  maps = np.full((2, 2, 2, 3), value, np.float32)
  with jax.debug_nans(not np.isnan(value)):
    iou, iobb, there = at_jax.overlap_by_class(maps, BOXES, SIZE)
  assert not iou.any() and not iobb.any()
  np.testing.assert_array_equal(there, THERE)
  hits, _ = at_jax.pointing_game_by_class(maps, BOXES, SIZE)
  assert not hits.any()


def test_no_boxes():
  for boxes in (np.zeros((2, 0, 5)), np.array([[NO_BOX]] * 2)):
    found = at_jax.overlap_by_class(corner_maps(), boxes, SIZE)
    assert not any(x.any() for x in found)
    found = at_jax.pointing_game_by_class(corner_maps(), boxes, SIZE)
    assert not any(x.any() for x in found)


def test_narrow_maps():
  maps = corner_maps()
  found = at_jax.overlap_by_class(maps.astype(jnp.bfloat16), BOXES, SIZE)
  assert found[0].dtype == jnp.float32
  np.testing.assert_array_equal(
    found[0], at_jax.overlap_by_class(maps, BOXES, SIZE)[0]
  )


@pytest.mark.parametrize(
  'changed, words',
  [
    (dict(maps=np.zeros((2, 2, 2))), r'\[B, h, w, C\].*\(2, 2, 2\)'),
    (dict(boxes=BOXES[:1]), r'boxes \[B, n, 5\].*\(1, 3, 5\)'),
    (dict(boxes=BOXES[0]), r'boxes \[B, n, 5\].*\(3, 5\)'),
    (dict(image_size=(8,)), 'image_size as two ints'),
    (dict(threshold=0), '0 < threshold <= 1, got 0'),
    (dict(threshold=1.5), 'got 1.5'),
    (dict(threshold=np.nan), 'got nan'),
    (dict(tolerance=-1), 'tolerance must be >= 0'),
  ],
)
def test_errors(changed, words):
  given = dict(maps=corner_maps(), boxes=BOXES, image_size=SIZE) | changed
  functions = [at_jax.overlap_by_class, at_jax.pointing_game_by_class]
  if 'threshold' in changed or 'tolerance' in changed:
    functions = functions[:1] if 'threshold' in changed else functions[1:]
  for function in functions:
    with pytest.raises(ValueError, match=words):
      function(**given)

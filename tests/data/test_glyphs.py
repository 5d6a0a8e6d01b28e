"""Canvases with one digit: where it is, its mark, and nothing else to go by."""

import hashlib

import numpy as np
import pytest

from at_jax.data import glyphs, load_dataset
from at_jax.data.canvas import made_of_digits, paste, random_corner
from at_jax.data.settings import Settings


@pytest.fixture(scope='module')
def few():
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(glyphs, 'TRAIN', 120)
    patch.setattr(glyphs, 'TEST', 60)
    yield glyphs.load_glyphs(Settings(name='glyphs'))


def marks_in(image):
  """{mark: corners} of its exact copies in dark squares of 7x7."""
  windows = np.lib.stride_tricks.sliding_window_view(image, (7, 7))
  return {
    name: np.argwhere((windows == np.pad(mark * 255, 1)).all(axis=(2, 3)))
    for name, mark in glyphs.MARKS.items()
  }


def test_marks_have_equal_ink():
  assert {int(mark.sum()) for mark in glyphs.MARKS.values()} == {9}


def test_every_digit_has_its_mark(few):
  for index in range(40):
    found = marks_in(few.train.images[index, ..., 0])
    name = few.class_names[few.train.labels[index]]
    # Strays can be covered; the digit's own mark comes last.
    assert len(found[name[1]]) >= 1
    assert 1 <= sum(map(len, found.values())) <= glyphs.STRAY + 1


def test_boxes_hold_the_digit_and_its_mark(few):
  for index in range(20):
    *corners, label = few.train.boxes[index, 0].astype(int).tolist()
    top, left, bottom, right = corners
    assert (bottom - top, right - left) == (32, 32)
    inside = few.train.images[index, top:bottom, left:right, 0]
    assert label == few.train.labels[index] and inside.max() == 255
    assert len(marks_in(inside)[few.class_names[label][1]]) == 1


def test_classes_are_digits_times_marks(few):
  assert (
    few.class_names[:3] == ('0+', '0x', '1+') and len(few.class_names) == 10
  )
  assert set(few.train.labels) == set(range(10))
  assert few.image_shape == (128, 128, 1)


def test_the_same_everywhere(few):
  digest = hashlib.sha256(few.train.images.tobytes()).hexdigest()
  assert digest[:16] == 'd0d36cf92a939e93', (
    'The canvases moved, and the published numbers.'
  )


def test_test_digits_are_not_trained_on():
  """Splits are handed over apart, each with canvases of its own."""
  seen = []

  def make(rng, digits, count):
    seen.append((len(digits), count))
    return digits

  made_of_digits('it', 'as they are', tuple('0123456789'), make, (3, 4))
  assert seen == [(1000, 3), (797, 4)]


def test_sizes_are_refused():
  with pytest.raises(ValueError, match='data.size=32.*must be 0'):
    load_dataset({'name': 'glyphs', 'size': 32})


def test_paste_keeps_the_brighter():
  canvas = np.full((3, 3), 5, np.uint8)
  paste(canvas, np.array([[9, 1]], np.uint8), (1, 1))
  assert canvas.tolist() == [[5, 5, 5], [5, 9, 5], [5, 5, 5]]


def test_corners_reach_every_place():
  rng = np.random.RandomState(0)
  found = [tuple(random_corner(rng, np.zeros((4, 5)), 3)) for _ in range(200)]
  assert set(found) == {(i, j) for i in range(2) for j in range(3)}

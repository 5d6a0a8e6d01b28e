"""Canvases with several digits: labels are what the boxes hold."""

import numpy as np
import pytest

from at_jax.data import canvases
from at_jax.data.settings import Settings


@pytest.fixture(scope='module')
def few():
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(canvases, 'TRAIN', 300)
    patch.setattr(canvases, 'TEST', 50)
    yield canvases.load_canvases(Settings(name='canvases'))


def test_labels_are_the_classes_of_boxes(few):
  assert few.multi_label and few.image_shape == (64, 64, 1)
  for label, boxes in zip(few.train.labels, few.train.boxes, strict=True):
    classes = boxes[boxes[:, 4] >= 0, 4].astype(int)
    assert set(np.flatnonzero(label)) == set(classes)


def test_counts_are_as_drawn(few):
  counts = (few.train.boxes[..., 4] >= 0).sum(axis=1)
  share = np.bincount(counts, minlength=5) / 300
  np.testing.assert_allclose(share, canvases.CHANCES, atol=0.08)
  assert (few.train.labels.mean(axis=0) > 0.1).all()


def test_boxes_hold_whole_digits(few):
  """They lie inside, are bright, and rarely overlap."""
  overlaps = 0
  for image, boxes in zip(few.test.images, few.test.boxes, strict=True):
    inside = np.zeros((64, 64), int)
    for y0, x0, y1, x1, label in boxes.astype(int):
      if label >= 0:
        assert 0 <= y0 < y1 <= 64 and y1 - y0 == x1 - x0 in canvases.SIDES
        assert image[y0:y1, x0:x1].max() > 200
        inside[y0:y1, x0:x1] += 1
    overlaps += (inside > 1).any()
    assert image[inside == 0].max() <= 128  # clutter is half as bright
  assert overlaps <= 2


def test_the_same_everywhere(few):
  total = int(few.train.images.sum(dtype=np.int64))
  assert total == 18_825_393, (
    'The canvases moved, and with them published numbers.'
  )

"""`canvases`: several real digits on a canvas; labels say which ones occur.

A task with many labels an image and known boxes, for networks that say where
they see what: up to four digits of 14 to 22 pixels on 64x64, and pieces of
others. A digit may occur twice; one canvas in twenty shows none.
"""

import numpy as np

from at_jax.data.canvas import (
  add_clutter,
  enlarged_digits,
  made_of_digits,
  paste,
  random_corner,
)
from at_jax.data.dataset import Dataset, Split
from at_jax.data.settings import Settings

SIZE = 64
SIDES = (14, 18, 22)  # of digits, in pixels
COUNTS = (0, 1, 2, 3, 4)  # digits on a canvas, and how often
CHANCES = (0.05, 0.3, 0.3, 0.2, 0.15)
TRIES = 50  # to find a free place
TRAIN, TEST = 3000, 1000
CLUTTER = dict(count=5, side=7)


def load_canvases(settings: Settings) -> Dataset:
  """Makes the canvases; nothing is downloaded, nothing can be set."""
  del settings
  return made_of_digits(
    'canvases',
    f'several on canvases of {SIZE}x{SIZE}',
    tuple('0123456789'),
    _split,
    (TRAIN, TEST),
  )


def _split(rng, digits, count):
  scans = {side: enlarged_digits(digits.images, side) for side in SIDES}
  images = np.zeros((count, SIZE, SIZE), np.uint8)
  boxes = np.full((count, max(COUNTS), 5), (0, 0, 0, 0, -1), np.float32)
  labels = np.zeros((count, 10), np.int32)
  for canvas, rows, label in zip(images, boxes, labels, strict=True):
    add_clutter(canvas, rng, scans[SIDES[1]], **CLUTTER)
    taken = np.zeros(canvas.shape, bool)
    for k in range(rng.choice(COUNTS, p=CHANCES)):
      side = SIDES[rng.randint(len(SIDES))]
      index = rng.randint(len(digits))
      top, left = _free_corner(rng, taken, side)
      window = (slice(top, top + side), slice(left, left + side))
      taken[window] = True
      canvas[window] = 0
      paste(canvas, scans[side][index], (top, left))
      name = digits.labels[index]
      rows[k] = (top, left, top + side, left + side, name)
      label[name] = 1
  return Split(images[..., None], labels, boxes)


def _free_corner(rng, taken, side):
  """A place that no digit has yet, if one is found."""
  for _ in range(TRIES):
    top, left = random_corner(rng, taken, side)
    if not taken[top : top + side, left : left + side].any():
      break
  return top, left

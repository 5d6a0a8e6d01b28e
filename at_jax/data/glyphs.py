"""`glyphs`: digits that only a small mark beside them tells apart.

A task for networks that look twice. Somewhere on a canvas of 128x128 stands a
real digit of 32x32 with a mark of 5x5 in its middle, upright (+) or oblique
(x): a class for each digit and mark. All around lie pieces of other digits and
marks of both kinds, which say nothing. At a quarter of the size the digits can
still be read, and the marks cannot.
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

SIZE = 128
DIGIT = 32  # pixels; a quarter of the canvas
DIGITS = 5  # 0 to 4
TRAIN, TEST = 2000, 1000
CLUTTER = dict(count=12, side=14)
STRAY = 6  # marks that belong to no digit
MARKS = {
  '+': np.array([[(2 in (i, j)) for j in range(5)] for i in range(5)]),
  'x': np.array([[i == j or i + j == 4 for j in range(5)] for i in range(5)]),
}


def load_glyphs(settings: Settings) -> Dataset:
  """Makes the canvases; nothing is downloaded, nothing can be set.

  The digit's box is annotated; training does not look at it.
  """
  del settings
  return made_of_digits(
    'glyphs',
    f'on canvases of {SIZE}x{SIZE}',
    [f'{d}{mark}' for d in range(DIGITS) for mark in MARKS],
    _split,
    (TRAIN, TEST),
  )


def _split(rng, digits, count):
  known = np.flatnonzero(digits.labels < DIGITS)
  scans = enlarged_digits(digits.images, DIGIT)
  chosen = known[rng.randint(len(known), size=count)]
  marks = rng.randint(len(MARKS), size=count)
  labels = (digits.labels[chosen] * len(MARKS) + marks).astype(np.int32)
  made = [
    _canvas(rng, scans, scans[i], mark)
    for i, mark in zip(chosen, marks, strict=True)
  ]
  images, corners = (np.stack(part) for part in zip(*made, strict=True))
  boxes = np.concatenate([corners, corners + DIGIT, labels[:, None]], axis=1)
  return Split(images[..., None], labels, boxes.astype(np.float32)[:, None])


def _canvas(rng, scans, scan, mark):
  """(a canvas, the upper left corner of its digit)."""
  canvas = np.zeros((SIZE, SIZE), np.uint8)
  add_clutter(canvas, rng, scans, **CLUTTER)
  shapes = list(MARKS.values())
  for _ in range(STRAY):
    stray = shapes[rng.randint(len(shapes))]
    _stamp(canvas, stray, random_corner(rng, canvas, 7))
  corner = random_corner(rng, canvas, DIGIT)
  top, left = corner
  canvas[top : top + DIGIT, left : left + DIGIT] = 0
  paste(canvas, scan, corner)
  _stamp(canvas, shapes[mark], corner + rng.randint(10, DIGIT - 16, size=2))
  return canvas, corner


def _stamp(canvas, mark, corner):
  """A bright mark in a dark square of 7x7, so that nothing blurs it."""
  top, left = corner
  canvas[top : top + 7, left : left + 7] = np.pad(mark * np.uint8(255), 1)

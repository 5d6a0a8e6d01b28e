"""Pictures made of real digits: scans pasted on larger canvases, and clutter.

Everything is drawn from the `np.random.RandomState` that is handed in, whose
stream NumPy has frozen for good: the same pictures on every machine.
"""

import numpy as np

from at_jax.data.dataset import Dataset
from at_jax.data.digits import load_digits
from at_jax.data.settings import Settings


def made_of_digits(name, source, class_names, make, counts):
  """A `Dataset` of canvases that `make(rng, digits, count)` fills.

  Training canvases show scikit-learn's training digits only, test canvases its
  test digits. The draws are those of `RandomState(0)`, whatever a run's seed.

  Args:
    name: of the data set.
    source: what the canvases are.
    class_names: of its labels.
    make: (random state, a `Split` of digits, number of canvases) -> `Split`.
    counts: numbers of canvases for training and test.
  """
  digits = load_digits(Settings(name='digits'))
  rng = np.random.RandomState(0)
  train, test = counts
  return Dataset(
    name=name,
    source=f'{digits.source} {source}',
    class_names=class_names,
    train=make(rng, digits.train, train),
    validation=None,
    test=make(rng, digits.test, test),
  )


def enlarged_digits(images, side):
  """Scans `[N, 8, 8, 1]` enlarged bilinearly: uint8 `[N, side, side]`."""
  from PIL import Image

  return np.stack(
    [
      np.asarray(
        Image.fromarray(image[..., 0]).resize(
          (side, side), Image.Resampling.BILINEAR
        )
      )
      for image in images
    ]
  )


def random_corner(rng, canvas, side):
  """Upper left corner of a square somewhere inside a canvas."""
  return rng.randint(0, np.array(canvas.shape) - side + 1)


def paste(canvas, patch, corner):
  """Draws a patch: where both have ink, the brighter one stays."""
  (top, left), (height, width) = corner, patch.shape
  window = canvas[top : top + height, left : left + width]
  np.maximum(window, patch, out=window)


def add_clutter(canvas, rng, digits, *, count, side):
  """Pastes `count` pieces of `side` pixels of random digits, half as bright."""
  for _ in range(count):
    digit = digits[rng.randint(len(digits))]
    top, left = random_corner(rng, digit, side)
    piece = digit[top : top + side, left : left + side] // 2
    paste(canvas, piece, random_corner(rng, canvas, side))

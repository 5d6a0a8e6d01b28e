"""Pictures made of real digits: scans pasted on larger canvases, and clutter.

Everything is drawn from the `np.random.RandomState` that is handed in, whose
stream NumPy has frozen for good: the same pictures on every machine.
"""

import numpy as np


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

"""Single image files as a network sees them, whole or their central square."""

import pathlib

import numpy as np

from at_jax.data.colour import GREY
from at_jax.data.decode import decode


def read_photo(path, *, size, channels, square=False):
  """An image file with `size` pixels on its shorter side.

  Args:
    path: of a JPEG, PNG, WebP, BMP or GIF of any mode, see `decode`.
    size: height and width of the central square, or of the shorter side.
    channels: 3, or 1 for grey.
    square: whether to cut the longer side off, the same at both ends.

  Returns:
    uint8 `[H, W, channels]`.

  Raises:
    OSError: there is no such file.
    ValueError: it cannot be read; the path is named.
  """
  from PIL import Image

  try:
    pixels = decode(pathlib.Path(path).read_bytes())
  except ValueError as error:
    raise ValueError(f'{path}: {error}') from None
  height, width = pixels.shape[:2]
  times = size / min(height, width)
  shape = (max(size, round(times * width)), max(size, round(times * height)))
  image = Image.fromarray(pixels).resize(shape, Image.Resampling.BILINEAR)
  pixels = np.asarray(image)
  if square:
    top, left = ((side - size) // 2 for side in pixels.shape[:2])
    pixels = pixels[top : top + size, left : left + size]
  if channels == 1:
    pixels = np.uint8(np.rint(pixels @ np.asarray(GREY)))[..., None]
  return pixels

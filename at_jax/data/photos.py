"""Single image files as a network sees them, whole or their central square."""

import glob
import pathlib

import numpy as np

from at_jax.data.colour import GREY
from at_jax.data.decode import decode, decode_crop, image_size
from at_jax.data.examples import NONE
from at_jax.data.folder import SUFFIXES

# Sides of a whole photo: in parts of the shorter one, and times as long.
PARTS, LONGEST = 12, 3


def find_photos(pattern):
  """The paths of the files that a name or a pattern like '*.jpg' stands for.

  A folder stands for the images in it, by their suffixes.

  Raises:
    FileNotFoundError: there is none.
  """
  path = pathlib.Path(pattern).expanduser()
  if path.is_dir():
    found = [p for p in path.iterdir() if _like_image(p)]
  elif path.is_file():
    found = [path]
  else:
    found = map(pathlib.Path, glob.glob(str(path)))
    # A folder that is called like an image is an error when it is read.
    found = [p for p in found if _like_image(p) or not p.is_dir()]
  if not found:
    raise FileNotFoundError(
      f'The folder {path} has no image ({", ".join(SUFFIXES)}).'
      if path.is_dir()
      else f'No image is called {str(pattern)!r}.'
    )
  return sorted(found)


def _like_image(path):
  return path.suffix.lower() in SUFFIXES


def photo_names(paths):
  """A name for each path that no other one has."""
  for name in (
    lambda path: path.stem,
    lambda path: path.name,
    lambda path: '_'.join([path.parent.name, path.name]),
  ):
    names = [name(path) for path in paths]
    if len(set(names)) == len(names):
      return names
  return [f'{number:04}_{path.name}' for number, path in enumerate(paths)]


def read_photo(path, *, size, channels):
  """An image file, whole but for little, `size` pixels on its shorter side.

  The longer side is cut, evenly at both ends, to a number of twelfths of the
  shorter one: photos then have few shapes, each of which is a compilation. One
  that is more than three times as long is cut to that.

  Args:
    path: of a JPEG, PNG, WebP, BMP or GIF of any mode, see `decode`.
    size: of the shorter side.
    channels: 3, or 1 for grey.

  Returns:
    uint8 `[H, W, channels]`.

  Raises:
    OSError: there is no such file.
    ValueError: it cannot be read; the path is named.
  """
  from PIL import Image

  pixels = _read(path, decode)
  sides = pixels.shape[1::-1]  # width and height, as Pillow has them
  parts = [min(PARTS * s // min(sides), PARTS * LONGEST) for s in sides]
  shape = [round(size * part / PARTS) for part in parts]
  kept = [min(sides) * part / PARTS for part in parts]
  ends = [((s - k) / 2, (s + k) / 2) for s, k in zip(sides, kept, strict=True)]
  (left, right), (top, bottom) = ends
  image = Image.fromarray(pixels).resize(
    shape, Image.Resampling.BILINEAR, box=(left, top, right, bottom)
  )
  return _coloured(np.asarray(image), channels)


def read_square(path, *, view, channels):
  """The central square of an image file, as test images are cropped.

  Args:
    path: see `read_photo`.
    view: an `examples.View` of the kind 'center'.
    channels: 3, or 1 for grey.

  Returns:
    uint8 `[size, size, channels]`.

  Raises:
    OSError, ValueError: as `read_photo`.
  """

  def crop(data):
    box = view.choose(None, *image_size(data), NONE)
    return decode_crop(data, box, view.size)

  return _coloured(_read(path, crop), channels)


def _read(path, decoder):
  try:
    return decoder(pathlib.Path(path).read_bytes())
  except ValueError as error:
    raise ValueError(f'{path}: {error}') from None


def _coloured(pixels, channels):
  if channels == 1:
    return np.uint8(np.rint(pixels @ np.asarray(GREY)))[..., None]
  return pixels

"""The bytes of an image file as uint8 RGB pixels, whole or a crop of them.

Pillow alone does it, on every machine: two decoders give different pixels for
the same JPEG. Heights, widths and boxes are those of the upright image, after
the EXIF orientation. Grey values come in all three channels, 16 bits are
scaled to 8, what is transparent shows white, an animation shows its first
frame, colour profiles are ignored.
"""

import io
import re
import warnings

import numpy as np

# Some readers that Pillow has beside these start other programs.
FORMATS = ('JPEG', 'PNG', 'WEBP', 'BMP', 'GIF')

# From the stored to the upright image, by EXIF's number: swap the axes, then
# reverse the rows, then the columns.
ORIENTATIONS = {
  2: (False, False, True),
  3: (False, True, True),
  4: (False, True, False),
  5: (True, False, False),
  6: (True, False, True),
  7: (True, True, True),
  8: (True, True, False),
}
UPRIGHT = (False, False, False)
EXIF_ORIENTATION = 0x0112

# Crops computed in floats may leave the image by rounding.
ROUNDING = 1e-3  # pixels

# What `warnings.filters` has for this filter.
_QUIET = ('ignore', None, Warning, re.compile(r'PIL\.'), 0)


def image_size(data: bytes) -> tuple[int, int]:
  """Height and width of the upright image, from the header alone.

  Raises:
    ValueError: the header cannot be read, or the image is too large.
  """
  image, (swapped, _, _) = _open(data)
  return image.size if swapped else image.size[::-1]


def decode(data: bytes) -> np.ndarray:
  """The whole image.

  Returns:
    uint8 RGB, shape `[H, W, 3]`, upright.

  Raises:
    ValueError: the file is truncated, broken, of another format or too large;
      it says which but not the file's name, which is the caller's.
  """
  image, orientation = _open(data)
  return _upright(_flat(_load(image, data)), orientation)


def decode_crop(data: bytes, box, size: int) -> np.ndarray:
  """A crop of the image, resampled to a square.

  The filter is Pillow's bilinear one, antialiased: a triangle of two output
  pixels' width (two input pixels' where it enlarges), which at the box's edges
  reads what lies beyond, as if the whole image were resized and then cropped.
  A JPEG is decoded at 1/2, 1/4 or 1/8 where the box is then still as large as
  the output: faster, never blurred, and little different from a full decode.

  Args:
    data: a file's bytes.
    box: top, left, height and width in pixels of the whole upright image;
      fractions are obeyed.
    size: height and width of the output.

  Returns:
    uint8 RGB, shape `[size, size, 3]`, upright.

  Raises:
    ValueError: as `decode`, or the box is empty or leaves the image.
  """
  from PIL import Image

  image, orientation = _open(data)
  top, left, bottom, right = _stored_corners(box, image.size, orientation)
  shorter = min(bottom - top, right - left)
  scale = next((s for s in (8, 4, 2) if shorter >= s * size), 1)
  # Pillow takes the largest scale that gives no less than this size.
  reduced = (image.width // scale, image.height // scale)
  if not image.draft(None, reduced):  # no JPEG
    scale = 1
  corners = tuple(x / scale for x in (left, top, right, bottom))
  image = _flat(_load(image, data))
  image = image.resize((size, size), Image.Resampling.BILINEAR, box=corners)
  return _upright(image, orientation)


def check_whole(data: bytes) -> None:
  """Decodes the image, small where that is faster; ValueError as `decode`."""
  image, _ = _open(data)
  image.draft(None, (1, 1))
  _load(image, data)


def _open(data):
  """The image with its header read, and its entry of `ORIENTATIONS`."""
  from PIL import Image

  _quiet()
  if not data:
    raise ValueError('the file is empty (0 bytes).')
  try:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
  except Image.UnidentifiedImageError:
    raise ValueError(
      f'it is no image of the formats {", ".join(FORMATS)}: {len(data):,} '
      f'bytes that begin with {data[:8]!r}.'
    ) from None
  except Image.DecompressionBombError:  # only from twice the limit on
    raise ValueError(_too_large(Image.MAX_IMAGE_PIXELS)) from None
  except Exception as error:  # by many types, SyntaxError among them
    raise ValueError(_broken(error)) from error
  limit = Image.MAX_IMAGE_PIXELS  # None is no limit
  if limit and image.width * image.height > limit:
    raise ValueError(_too_large(limit))
  return image, _orientation(image)


def _orientation(image):
  from PIL import Image

  try:
    # Not the PNG's own `getexif`, which decodes the image first.
    exif = Image.Image.getexif(image)
    return ORIENTATIONS.get(exif.get(EXIF_ORIENTATION), UPRIGHT)
  except Exception:  # by many types; broken EXIF is no EXIF
    return UPRIGHT


def _load(image, data):
  """Decodes the pixels."""
  # Where the rest of a PNG is zeros, Pillow takes them for pixels.
  if image.format == 'PNG' and data.rfind(b'IEND') < 0:
    raise ValueError(_broken('no IEND chunk ends the PNG'))
  try:
    image.load()
  except Exception as error:  # by many types
    raise ValueError(_broken(error)) from error
  return image


def _flat(image):
  """The image in mode L or RGB, on white where it is transparent."""
  from PIL import Image

  transparent = image.info.get('transparency')
  if image.mode.startswith('I'):  # 16-bit grey, as I;16 or, older, I
    values = np.asarray(image).astype(np.int32)
    grey = (values + 128) // 257  # 65535 / 255 is 257
    if transparent is not None:
      grey[values == transparent] = 255
    return Image.fromarray(grey.astype(np.uint8))
  if transparent is not None or image.mode in ('LA', 'PA', 'RGBA'):
    image = image.convert('RGBA')
    white = Image.new('RGBA', image.size, 'white')
    return Image.alpha_composite(white, image).convert('RGB')
  return image if image.mode in ('L', 'RGB') else image.convert('RGB')


def _upright(image, orientation):
  if image.mode != 'RGB':
    image = image.convert('RGB')
  pixels = np.asarray(image)
  swapped, upside_down, mirrored = orientation
  if swapped:
    pixels = pixels.swapaxes(0, 1)
  rows, columns = -1 if upside_down else 1, -1 if mirrored else 1
  return np.array(pixels[::rows, ::columns], order='C')  # a writable copy


def _stored_corners(box, stored_size, orientation):
  """Top, left, bottom, right of a box in the stored image, clipped to it."""
  swapped, upside_down, mirrored = orientation
  rows, columns = stored_size if swapped else stored_size[::-1]
  top, left, height, width = box
  bottom, right = top + height, left + width
  inside = (
    min(top, left) >= -ROUNDING
    and bottom <= rows + ROUNDING
    and right <= columns + ROUNDING
  )
  if not (inside and height > 0 and width > 0):
    numbers = ', '.join(f'{number:g}' for number in box)
    raise ValueError(
      f'the crop (top, left, height, width) = ({numbers}) must have an area '
      f'and lie in the image of {rows} x {columns} (height x width).'
    )
  top, left = max(top, 0), max(left, 0)
  bottom, right = min(bottom, rows), min(right, columns)
  if upside_down:
    top, bottom = rows - bottom, rows - top
  if mirrored:
    left, right = columns - right, columns - left
  return (left, top, right, bottom) if swapped else (top, left, bottom, right)


def _quiet():
  """Ignores Pillow's warnings, on EXIF and sizes, in this process from now on.

  Users can do nothing about them. `warnings.catch_warnings` would end with
  each call, but mixes threads up, and images are read in threads.
  """
  if warnings.filters[:1] != [_QUIET]:
    warnings.filterwarnings('ignore', module=r'PIL\.')


def _broken(error):
  if isinstance(error, Exception):
    error = f'{type(error).__name__}: {error}'
  return f'the image is truncated or broken ({error}).'


def _too_large(limit):
  return (
    f'the image has more than {limit:,} pixels, the most that Pillow takes for '
    'safe. Save it smaller.'
  )

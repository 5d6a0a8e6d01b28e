import io
import pickle
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from at_jax.data import decode as decoding
from at_jax.data.decode import decode, decode_crop, image_size


def encode(image, kind='png', **options):
  if not isinstance(image, Image.Image):
    image = Image.fromarray(image)
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def noise(height, width, seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def photo(height, width):
  """Smooth RGB pixels: what a JPEG keeps."""
  y, x = np.mgrid[:height, :width]
  planes = [
    128 + 90 * np.sin(x / 19 + 1) * np.cos(y / 31),
    128 + 90 * np.cos(x / 23 + y / 41),
    128 + 90 * np.sin(y / 17),
  ]
  return np.stack(planes, axis=-1).astype(np.uint8)


def error_of(pixels, want):
  return np.abs(pixels.astype(int) - want.astype(int))


# Modes


def test_rgb_pixels_come_as_they_were_written():
  pixels = noise(5, 7)
  got = decode(encode(pixels))
  np.testing.assert_array_equal(got, pixels)
  assert got.dtype == np.uint8
  assert got.flags.writeable and got.flags.c_contiguous


@pytest.mark.parametrize('kind', ['png', 'bmp', 'gif', 'webp'])
def test_grey_comes_three_times(kind):
  grey = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
  options = {'lossless': True} if kind == 'webp' else {}
  got = decode(encode(grey, kind, **options))
  np.testing.assert_array_equal(got, np.stack([grey] * 3, axis=-1))


def test_one_bit():
  bits = np.array([[0, 255, 255], [255, 0, 0]], np.uint8)
  got = decode(encode(Image.fromarray(bits).convert('1')))
  np.testing.assert_array_equal(got, np.stack([bits] * 3, axis=-1))


def test_palette():
  image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), 'P')
  image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
  want = [[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [40, 50, 60]]]
  np.testing.assert_array_equal(decode(encode(image)), want)


def test_a_palette_with_transparency_lies_on_white():
  image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), 'P')
  image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
  # By index: one index, and an alpha for each (0, 51/255 = 1/5, opaque).
  got = decode(encode(image, transparency=1))
  want = [[[10, 20, 30], [255, 255, 255], [70, 80, 90]]]
  np.testing.assert_array_equal(got, want)
  got = decode(encode(image, transparency=bytes([0, 51, 255])))
  # 255 + (40 - 255) / 5 = 212, 214, 216
  want = [[[255, 255, 255], [212, 214, 216], [70, 80, 90]]]
  np.testing.assert_array_equal(got, want)


def test_alpha_lies_on_white():
  rgba = np.array([[[10, 20, 30, 255], [0, 0, 0, 0], [55, 105, 155, 51]]])
  got = decode(encode(rgba.astype(np.uint8)))
  want = [[[10, 20, 30], [255, 255, 255], [215, 225, 235]]]
  np.testing.assert_array_equal(got, want)
  grey = np.array([[[10, 255], [10, 0], [55, 51]]], np.uint8)
  got = decode(encode(Image.fromarray(grey, 'LA')))
  np.testing.assert_array_equal(got[0, :, 0], [10, 255, 215])


def test_a_transparent_colour_lies_on_white():
  pixels = noise(3, 3)
  pixels[1, 2] = 9, 8, 7
  got = decode(encode(pixels, transparency=(9, 8, 7)))
  pixels[1, 2] = 255
  np.testing.assert_array_equal(got, pixels)


def test_sixteen_bit_grey_is_scaled_and_rounded():
  # 257 is 1/255 of 65535; 128 is just below half a step, 129 just above.
  values = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
  data = encode(values)
  want = [0, 0, 1, 1, 128, 255]
  np.testing.assert_array_equal(decode(data)[0, :, 1], want)
  # 257 as the transparent value: not every Pillow writes that.
  chunk = b'tRNS' + struct.pack('>H', 257)
  chunk = struct.pack('>I', 2) + chunk + struct.pack('>I', zlib.crc32(chunk))
  data = data[:33] + chunk + data[33:]  # after the header
  np.testing.assert_array_equal(decode(data)[0, 3], [255] * 3)
  np.testing.assert_array_equal(decode(data)[0, 2], [1] * 3)


def test_cmyk_jpeg():
  # Pure cyan ink is black's opposite of red; no ink is white.
  inks = np.zeros((16, 16, 4), np.uint8)
  inks[:8, :, 0] = 255
  data = encode(Image.fromarray(inks, 'CMYK'), 'jpeg', quality=95)
  got = decode(data)
  assert error_of(got[2, 2], np.array([0, 255, 255])).max() <= 3
  assert error_of(got[13, 13], np.array([255, 255, 255])).max() <= 3


@pytest.mark.parametrize('kind', ['gif', 'webp', 'png'])
def test_an_animation_shows_its_first_frame(kind):
  frames = [np.full((6, 4, 3), value, np.uint8) for value in (40, 200)]
  first, second = map(Image.fromarray, frames)
  options = {'lossless': True} if kind == 'webp' else {}
  data = encode(first, kind, save_all=True, append_images=[second], **options)
  np.testing.assert_array_equal(decode(data), frames[0])


def test_two_pictures_in_one_jpeg_show_the_first():
  frames = [np.full((600, 400, 3), value, np.uint8) for value in (40, 200)]
  first, second = map(Image.fromarray, frames)
  data = encode(first, 'mpo', save_all=True, append_images=[second])
  np.testing.assert_array_equal(decode(data), frames[0])
  box = (0, 0, 400, 400)
  np.testing.assert_array_equal(decode_crop(data, box, 50), frames[0][:50, :50])


def test_one_pixel():
  for kind in ('png', 'jpeg', 'bmp', 'webp'):
    data = encode(np.full((1, 1, 3), 77, np.uint8), kind)
    assert image_size(data) == (1, 1)
    assert error_of(decode(data), np.array([[[77] * 3]])).max() <= 3
    crop = decode_crop(data, (0, 0, 1, 1), 8)
    assert crop.shape == (8, 8, 3) and len(np.unique(crop)) == 1


# EXIF


def exif(orientation):
  tags = Image.Exif()
  tags[0x0112] = orientation
  return tags.tobytes()


def by_hand(pixels, orientation):
  """How a viewer turns the stored pixels, in NumPy's words."""
  return {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),  # clockwise
    7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
    8: np.rot90,
  }[orientation](pixels)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', ['png', 'webp'])
def test_orientation_of_pixels_size_and_crops(kind, orientation):
  stored = noise(20, 32)
  options = {'lossless': True} if kind == 'webp' else {}
  data = encode(stored, kind, exif=exif(orientation), **options)
  upright = by_hand(stored, orientation)
  assert image_size(data) == upright.shape[:2]
  np.testing.assert_array_equal(decode(data), upright)
  # A crop as large as its output is a copy.
  got = decode_crop(data, (3, 5, 12, 12), 12)
  np.testing.assert_array_equal(got, upright[3:15, 5:17])
  # Smaller: what the upright file gives, but for the order of roundings.
  box = (1.25, 3.5, 17.5, 10.75)
  want = decode_crop(encode(upright), box, 6)
  assert error_of(decode_crop(data, box, 6), want).max() <= 1


@pytest.mark.parametrize('orientation', range(1, 9))
def test_orientation_at_a_reduced_scale(orientation):
  stored = photo(260, 360)
  data = encode(stored, 'jpeg', quality=95, exif=exif(orientation))
  box = (10, 20, 230, 210)
  want = by_hand(stored, orientation)
  want = decode_crop(encode(want, 'bmp'), box, 50)
  assert error_of(decode_crop(data, box, 50), want).mean() < 1.5


def tiff_of_one_entry(tag, kind, count, value):
  return b'Exif\0\0II*\0' + struct.pack(
    '<IHHHII', 8, 1, tag, kind, count, value
  )


@pytest.mark.parametrize(
  'bad',
  [
    b'Exif\0\0nonsense that is no TIFF',
    b'Exif\0\0',
    b'Exif\0\0MM\0*\0\0\0\x08\0\x09',
    tiff_of_one_entry(0x0112, 3, 1, 99),
    tiff_of_one_entry(0x0112, 5, 1, 0xFFFFFF),
    tiff_of_one_entry(0x0112, 2, 500, 0xFFFFFF),
  ],
)
@pytest.mark.parametrize('kind', ['jpeg', 'png', 'webp'])
def test_broken_exif_is_no_exif(kind, bad):
  pixels = photo(30, 40)
  plain, data = encode(pixels, kind), encode(pixels, kind, exif=bad)
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    assert image_size(data) == (30, 40)
    np.testing.assert_array_equal(decode(data), decode(plain))


@pytest.mark.parametrize('kind', ['jpeg', 'png', 'bmp', 'gif', 'webp'])
def test_the_size_is_read_from_the_header_alone(monkeypatch, kind):
  data, loads = encode(photo(30, 40), kind), []
  monkeypatch.setattr(ImageFile.ImageFile, 'load', lambda x: loads.append(x))
  assert image_size(data) == (30, 40)
  assert not loads


# Crops


def test_the_filter_is_a_triangle_of_two_output_pixels():
  # One row, 1/2: the triangle spans four input pixels, with weights
  # 1/8, 3/8, 3/8, 1/8 around an output pixel's centre.
  row = np.array([0, 0, 0, 80, 160, 0, 0, 0], np.uint8)
  pixels = np.broadcast_to(row[None, :, None], (8, 8, 3))
  got = decode_crop(encode(np.ascontiguousarray(pixels)), (0, 0, 8, 8), 4)
  # Output 1 has inputs 1..4: 3/8 * 80 + 1/8 * 160; output 2 inputs 3..6.
  np.testing.assert_array_equal(got[2, 1:3, 0], [30 + 20, 10 + 60])


def test_the_filter_reads_beyond_the_box():
  pixels = noise(64, 80)
  whole = Image.fromarray(pixels).resize((40, 32), Image.Resampling.BILINEAR)
  got = decode_crop(encode(pixels), (16, 20, 32, 32), 16)
  want = np.asarray(whole)[8:24, 10:26]
  np.testing.assert_array_equal(got, want)


def test_a_part_of_a_pixel_can_be_looked_at():
  pixels = noise(4, 4)
  got = decode_crop(encode(pixels), (2.2, 1.2, 0.2, 0.2), 3)
  assert got.shape == (3, 3, 3)


@pytest.mark.parametrize(
  'side, size, scale',
  [
    (447, 224, 1),
    (448, 224, 2),
    (895, 224, 2),
    (896, 224, 4),
    (400, 50, 8),
    (399, 50, 4),
    (900, 1, 8),
  ],
)
def test_a_jpeg_is_reduced_as_far_as_the_crop_stays_large_enough(
  monkeypatch, side, size, scale
):
  sizes = []
  load = decoding._load

  def spy(image, data):
    sizes.append(load(image, data).size)
    return image

  monkeypatch.setattr(decoding, '_load', spy)
  data = encode(np.zeros((901, 937, 3), np.uint8), 'jpeg')
  decode_crop(data, (0, 30, 900, side), size)
  # Rounded up, as libjpeg does.
  assert sizes == [(-(-937 // scale), -(-901 // scale))]


@pytest.mark.parametrize('size', [15, 30, 61, 62, 124, 125, 250, 300])
@pytest.mark.parametrize('progressive', [False, True])
def test_reduced_scales_keep_the_picture_in_its_place(size, progressive):
  # Sides that no scale divides; a shift by a pixel would cost more.
  data = encode(photo(501, 667), 'jpeg', quality=95, progressive=progressive)
  box = (0.5, 166.25, 500.5, 500.5)
  want = decode_crop(encode(decode(data), 'bmp'), box, size)
  assert error_of(decode_crop(data, box, size), want).mean() < 1


def test_grey_and_cmyk_jpegs_are_reduced_too():
  pixels = Image.fromarray(photo(256, 256))
  for mode in ('L', 'CMYK'):
    data = encode(pixels.convert(mode), 'jpeg', quality=95)
    want = decode_crop(encode(decode(data), 'bmp'), (0, 0, 256, 256), 32)
    got = decode_crop(data, (0, 0, 256, 256), 32)
    assert error_of(got, want).mean() < 1


@pytest.mark.parametrize('orientation', [1, 3, 6])
def test_rounding_may_leave_the_image(orientation):
  data = encode(noise(6, 6), exif=exif(orientation))
  got = decode_crop(data, (-1e-9, 2e-9, 6 + 1e-7, 6), 6)
  np.testing.assert_array_equal(got, decode(data))


@pytest.mark.parametrize(
  'box',
  [
    (0, 0, 7, 6),
    (0, 4, 6, 6),
    (-1, 0, 3, 3),
    (0, -0.5, 3, 3),
    (2, 2, 0, 3),
    (2, 2, 3, -1),
    (float('nan'), 0, 3, 3),
  ],
)
def test_a_box_outside_the_image_is_refused(box):
  with pytest.raises(ValueError, match=r'the image of 6 x 9') as caught:
    decode_crop(encode(noise(6, 9)), box, 4)
  assert f'({", ".join(f"{x:g}" for x in box)})' in str(caught.value)


def test_sides_are_named_as_the_user_sees_them():
  data = encode(noise(20, 30), exif=exif(6))
  with pytest.raises(ValueError, match=r'30 x 20 \(height x width\)'):
    decode_crop(data, (0, 0, 20, 30), 4)


# Files that are broken

WHOLE = {
  'jpeg': encode(photo(90, 120), 'jpeg'),
  'progressive': encode(photo(90, 120), 'jpeg', progressive=True),
  'png': encode(noise(90, 120) // 13),  # its zeros are read as pixels
  'webp': encode(photo(90, 120), 'webp'),
  'bmp': encode(photo(90, 120), 'bmp'),
  'gif': encode(photo(90, 120), 'gif'),
}


def check_refused_or_whole(data, want, function):
  try:
    got = function(data)
  except ValueError as error:
    assert 'truncated or broken' in str(error) or 'no image' in str(error)
  else:
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize('kind', WHOLE)
def test_a_truncated_file_never_gives_other_pixels(kind):
  data = WHOLE[kind]
  for function in (decode, lambda x: decode_crop(x, (0, 0, 30, 30), 4)):
    want = function(data)
    for size in np.linspace(1, len(data) - 1, 60).astype(int):
      check_refused_or_whole(data[:size], want, function)


# WebP and BMP have neither checksum nor end: zeros are pixels there.
@pytest.mark.parametrize('kind', ['jpeg', 'progressive', 'png', 'gif'])
def test_a_file_whose_rest_is_zeros_never_gives_other_pixels(kind):
  data = WHOLE[kind]
  for size in np.linspace(1, len(data) - 13, 60).astype(int):
    zeros = bytes(len(data) - size)
    check_refused_or_whole(data[:size] + zeros, decode(data), decode)


@pytest.mark.parametrize('kind', WHOLE)
def test_half_a_file_is_refused_in_words(kind):
  data = WHOLE[kind]
  with pytest.raises(ValueError, match='image is truncated or broken'):
    decode(data[: len(data) // 2])


def test_other_files_are_refused_in_words():
  with pytest.raises(ValueError, match=r'empty \(0 bytes\)'):
    image_size(b'')
  html = b'<!DOCTYPE html><html>404 Not Found</html>'
  with pytest.raises(ValueError, match=r"JPEG, PNG.*41 bytes.*'<!DOCTYP'"):
    decode(html)
  # A reader of Pillow that would start another program.
  postscript = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n'
  with pytest.raises(ValueError, match='no image of the formats'):
    image_size(postscript)


@pytest.mark.parametrize('limit', [100, 150, 299])
def test_an_image_that_is_too_large_is_an_error(monkeypatch, limit):
  data = encode(noise(20, 15))  # 300 pixels; from twice the limit Pillow raises
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', limit)
  for function in (image_size, decode):
    with pytest.raises(
      ValueError, match=rf'more than {limit} .*Save it smaller'
    ):
      function(data)
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 300)
  assert image_size(data) == (20, 15)
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', None)
  assert image_size(data) == (20, 15)


@pytest.mark.parametrize('action', ['error', 'always'])
def test_no_warning_of_pillow_is_seen_whatever_the_filters(monkeypatch, action):
  image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), 'P')
  palette = encode(image, transparency=bytes([0, 51, 255]))
  bad = encode(photo(8, 8), 'jpeg', exif=b'Exif\0\0MM\0*\0\0\0\x08\0\x09')
  big = encode(noise(20, 15))
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 200)
  with warnings.catch_warnings(record=True) as seen:
    for _ in range(2):  # the second time there is our own filter, behind
      warnings.simplefilter(action)
      decode(palette)
      decode(bad)
      with pytest.raises(ValueError, match='more than 200 pixels'):
        decode(big)
  assert not seen


def test_filters_are_left_alone_once_there_is_ours(monkeypatch):
  # Each change makes Python show again what it shows once.
  data = encode(noise(2, 2))
  decode(data)
  monkeypatch.setattr(warnings, 'filterwarnings', pytest.fail)
  decode(data)


def test_functions_can_be_sent_to_workers():
  for function in (image_size, decode, decode_crop):
    assert pickle.loads(pickle.dumps(function)) is function

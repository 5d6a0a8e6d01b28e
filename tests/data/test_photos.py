"""Single photos: found, named, whole or cropped as test images are."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from at_jax.data.examples import View
from at_jax.data.photos import (
  find_photos,
  photo_names,
  read_photo,
  read_square,
)


def write(path, height, width, mode='RGB'):
  rng = np.random.default_rng(0)
  channels = {'L': (), 'RGB': (3,)}[mode]
  pixels = rng.integers(0, 256, (height, width, *channels), dtype=np.uint8)
  Image.fromarray(pixels).save(path)
  return pixels


def test_found_by_name_and_pattern(tmp_path):
  for name in ('b.png', 'a.png', '[1].png'):
    write(tmp_path / name, 2, 2)
  names = [path.name for path in find_photos(tmp_path / '?.png')]
  assert names == ['a.png', 'b.png']
  assert find_photos(f'{tmp_path}/[1].png') == [tmp_path / '[1].png']
  with pytest.raises(FileNotFoundError, match="No image is called '.*c.png'"):
    find_photos(tmp_path / 'c.png')


def test_a_folder_stands_for_its_images(tmp_path):
  for name in ('b.PNG', 'a.jpg', 'notes.txt'):
    (tmp_path / name).touch()
  (tmp_path / 'sub').mkdir()
  found = [tmp_path / 'a.jpg', tmp_path / 'b.PNG']
  assert find_photos(tmp_path) == found
  assert find_photos(tmp_path / '[ab]*') == find_photos(tmp_path / '*.*')[:2]
  assert tmp_path / 'sub' not in find_photos(tmp_path / '*')
  with pytest.raises(FileNotFoundError, match=r'sub has no image \(\.jpg, '):
    find_photos(tmp_path / 'sub')


def test_names_are_unique():
  def of(*paths):
    return photo_names([pathlib.Path(path) for path in paths])

  assert of('x/a.png', 'x/b.png') == ['a', 'b']
  assert of('x/a.png', 'x/a.jpg') == ['a.png', 'a.jpg']
  assert of('x/a.png', 'y/a.png') == ['x_a.png', 'y_a.png']
  assert of('x/z/a.png', 'y/z/a.png') == ['0000_a.png', '0001_a.png']


def test_whole_and_square(tmp_path):
  pixels = write(tmp_path / 'a.png', 8, 14)
  whole = read_photo(tmp_path / 'a.png', size=8, channels=3)
  np.testing.assert_array_equal(whole, pixels)
  assert read_photo(tmp_path / 'a.png', size=4, channels=1).shape == (4, 7, 1)
  view = View('center', size=8, resize=8)
  square = read_square(tmp_path / 'a.png', view=view, channels=3)
  np.testing.assert_array_equal(square, pixels[:, 3:11])
  view = View('center', size=4, resize=8)
  square = read_square(tmp_path / 'a.png', view=view, channels=3)
  np.testing.assert_array_equal(square, pixels[2:6, 5:9])


def test_grey(tmp_path):
  pixels = write(tmp_path / 'a.png', 4, 4, 'L')
  view = View('center', size=4, resize=4)
  for image in (
    read_square(tmp_path / 'a.png', view=view, channels=1),
    read_photo(tmp_path / 'a.png', size=4, channels=1),
  ):
    np.testing.assert_array_equal(image[..., 0], pixels)
  colours = read_square(tmp_path / 'a.png', view=view, channels=3)
  np.testing.assert_array_equal(colours, pixels[..., None] + np.zeros(3))


def test_one_pixel_and_a_line(tmp_path):
  view = View('center', size=6, resize=7)
  for height, width in ((1, 1), (1, 300), (300, 1)):
    pixels = write(tmp_path / 'a.png', height, width)
    square = read_square(tmp_path / 'a.png', view=view, channels=3)
    assert square.shape == (6, 6, 3)
    if height == width:
      np.testing.assert_array_equal(square, np.broadcast_to(pixels, (6, 6, 3)))


def test_damage_is_named(tmp_path):
  view = View('center', size=6, resize=7)
  (tmp_path / 'x.jpg').write_bytes(b'no image')
  for read in (
    lambda path: read_square(path, view=view, channels=3),
    lambda path: read_photo(path, size=6, channels=3),
  ):
    with pytest.raises(ValueError, match=r'x\.jpg: it is no image'):
      read(tmp_path / 'x.jpg')
    with pytest.raises(FileNotFoundError):
      read(tmp_path / 'y.jpg')


@pytest.mark.parametrize(
  ('height', 'width', 'shape', 'rows', 'columns'),
  [
    (12, 16, (12, 16), slice(0, 12), slice(0, 16)),
    (12, 48, (12, 36), slice(0, 12), slice(6, 42)),
    (36, 24, (36, 24), slice(0, 36), slice(0, 24)),
    (24, 33, (24, 32), None, None),
    (375, 500, (24, 32), None, None),
  ],
)
def test_whole_photos_have_few_shapes(
  tmp_path, height, width, shape, rows, columns
):
  pixels = write(tmp_path / 'a.png', height, width)
  size = min(shape)
  image = read_photo(tmp_path / 'a.png', size=size, channels=3)
  assert image.shape[:2] == shape
  if rows:  # nothing is resampled: the middle, as it is
    np.testing.assert_array_equal(image, pixels[rows, columns])

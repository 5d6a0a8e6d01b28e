"""Photos as people have them, and what must be true of pictures of them."""

import functools

import jax
import numpy as np
from PIL import Image, ImageOps
from small_families import MEAN, STD

FILES = {
  'photo': 'photo.jpg',
  'grey': 'grey.png',
  'cmyk': 'cmyk.jpg',
  'dot': 'dot.png',
  'turned': 'turned.jpg',
}


def write_photos(folder):
  """A file of every kind, of three shapes: 3:4, 2:1 and 1:1; the folder."""
  rng = np.random.default_rng(0)

  def pixels(*shape):
    small = rng.integers(
      0, 256, (*(-(-n // 25) for n in shape[:2]), *shape[2:])
    )
    large = np.repeat(np.repeat(small, 25, axis=0), 25, axis=1)
    return np.uint8(large[: shape[0], : shape[1]])

  Image.fromarray(pixels(375, 500, 3)).save(folder / 'photo.jpg')
  Image.fromarray(pixels(80, 40)).save(folder / 'grey.png')
  Image.fromarray(pixels(75, 100, 4), 'CMYK').save(folder / 'cmyk.jpg')
  Image.fromarray(pixels(1, 1, 3)).save(folder / 'dot.png')
  exif = Image.Exif()
  exif[0x0112] = 6  # stored upright, seen lying
  Image.fromarray(pixels(100, 75, 3)).save(folder / 'turned.jpg', exif=exif)
  return folder


def check_image(image, path, square=False):
  """It is the file as Pillow has it: whole, or its central square."""
  wanted = _upright(path, min(image.shape[:2]), square)
  np.testing.assert_allclose(image, wanted, atol=2)


@functools.cache
def _upright(path, side, square):
  with Image.open(path) as file:
    upright = ImageOps.exif_transpose(file).convert('RGB')
  bilinear = Image.Resampling.BILINEAR
  if square:
    return np.float32(ImageOps.fit(upright, (side, side), bilinear))
  size = [round(side * n / min(upright.size)) for n in upright.size]
  return np.float32(upright.resize(size, bilinear))


def check_panels(figure, arrays):
  """The image comes first, and panels are of its shape; what is sampled is not.

  Args:
    figure: what would be rendered.
    arrays: what it shows, with the `image`.
  """
  panels, image = figure.axes[0].images, arrays['image']
  sampled = arrays.get('sampled/structure', image).shape[:2]
  np.testing.assert_array_equal(panels[0].get_array(), image)
  for panel in panels:
    left, right, bottom, top = panel.get_extent()
    shape = panel.get_array().shape[:2]
    height, width = shape if shape == sampled else image.shape[:2]
    ratio = (bottom - top) / (right - left)
    np.testing.assert_allclose(ratio, height / width)


def check_shapes(name, seen, squeezed):
  """Maps have the places of a square's, and as many more as their image.

  Args:
    name: of the network.
    seen: {name of an image: arrays of one kind of picture}, with the square
      image `dot`.
    squeezed: whether the network brings every image to a square.
  """
  for arrays in seen.values():
    sides = np.array(arrays['image'].shape[:2])
    times = np.ones(2) if squeezed else sides / min(sides)
    for key, array in arrays.items():
      if key in ('image', f'{name}/input gradient'):
        assert array.shape == (*sides, 3)
      elif key == 'map/detail':
        assert array.shape[1:] == arrays['map/structure'].shape
      elif array.ndim == 3 or key.startswith(f'{name}/'):
        wanted = times * seen['dot'][key].shape[0]
        assert (abs(wanted - array.shape[:2]) < 1).all(), (key, array.shape)


def check_lattice(arrays):
  """Rows and columns that TASN reads are places of the image, in order."""
  for axis, side in zip(
    ('rows', 'columns'), arrays['image'].shape[:2], strict=True
  ):
    positions = arrays[f'{axis}/positions']
    assert len(positions) == len(arrays['sampled/structure'])
    assert 0 <= positions[0] < side / 2 < positions[-1] <= side - 1
    assert (np.diff(positions) > 0).all()
    assert len(arrays[f'{axis}/density']) == side


def check_values(name, arrays, applied):
  """They are what the network gives for the image.

  Args:
    name: of the network.
    arrays: of one picture.
    applied: normalised images -> (logits, endpoints), compiled.
  """
  image = np.float32(arrays['image'][None])
  logits, ends = jax.device_get(applied((image - MEAN) / STD))
  chances = np.exp(logits[0] - logits.max())
  wanted = {f'{name}/{tap}': (x[0] ** 2).sum(-1) for tap, x in ends.items()}
  wanted |= {key: x[0] for key, x in ends.items()}
  for key in ('probabilities', f'probabilities/{name}'):
    wanted[key] = chances / chances.sum()
  if 'sampled/structure' in wanted:
    wanted['sampled/structure'] = wanted['sampled/structure'] * STD + MEAN
  for key in arrays:
    part, _, place = key.partition('/')
    if part == 'product':
      wanted[key] = wanted[f'mask/{place}'] * wanted[f'trunk/{place}']
  common = arrays.keys() & wanted.keys()
  assert common
  for key in common:
    close = dict(rtol=1e-3, atol=1e-4 * np.abs(wanted[key]).max())
    np.testing.assert_allclose(arrays[key], wanted[key], **close, err_msg=key)

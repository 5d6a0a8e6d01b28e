"""What is looked at: image files, or a workdir's test images."""

import dataclasses
import glob
import pathlib

import numpy as np

from at_jax.data import load_dataset
from at_jax.data.photos import read_photo
from at_jax.train.snapshot import one_per_class


@dataclasses.dataclass(frozen=True)
class Shown:
  """An image as a network sees it, uint8 `[H, W, C]`, and what it is called."""

  name: str
  title: str
  image: np.ndarray


def photos(patterns, network, size):
  """A `Shown` of each file that a pattern names."""
  if network.per_pixel and size not in (0, network.input_shape[0]):
    raise ValueError(
      f'--size={size}: {network.label} subtracts the mean of each pixel, so it '
      f'takes images of {network.input_shape[0]} pixels only.'
    )
  paths = [path for pattern in patterns for path in _files(pattern)]
  for name, path in zip(_names(paths), paths, strict=True):
    image = read_photo(
      path,
      size=size or network.input_shape[0],
      channels=network.input_shape[-1],
      square=network.per_pixel,
    )
    yield Shown(name, path.name, image)


def _names(paths):
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


def _files(pattern):
  path = pathlib.Path(pattern).expanduser()
  found = [str(path)] if path.is_file() else sorted(glob.glob(str(path)))
  if not found:
    raise FileNotFoundError(f'No image is called {pattern!r}.')
  return [pathlib.Path(path) for path in found]


def test_images(config, count, data_dir):
  """A `Shown` of the first test image of each of `count` classes."""
  settings = config.data.to_dict()
  dataset = load_dataset(settings | ({'dir': data_dir} if data_dir else {}))
  count = min(count, len(dataset.class_names))
  indices = one_per_class(dataset.test.each_label(), count)
  for index in indices:
    examples = dataset.test.examples(np.array([index]))
    name = dataset.class_names[int(examples['label'][0])]
    yield Shown(f'test{index}', name, examples['image'][0])

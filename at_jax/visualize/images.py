"""What is looked at: image files, or a workdir's test images."""

import dataclasses

import numpy as np

from at_jax.data import load_dataset
from at_jax.data.examples import View
from at_jax.data.photos import (
  find_photos,
  photo_names,
  read_photo,
  read_square,
)
from at_jax.pictures.text import label_name
from at_jax.train.snapshot import one_per_class


@dataclasses.dataclass(frozen=True)
class Shown:
  """An image as a network sees it, uint8 `[H, W, C]`, and what it is called.

  `label` is an int or multi-hot, `boxes` are `[n, 5]`; None where not known.
  """

  name: str
  title: str
  image: np.ndarray
  label: int | np.ndarray | None = None
  boxes: np.ndarray | None = None


def photos(patterns, network, size):
  """A `Shown` of each file that a pattern names, whole where that can be."""
  side, channels = network.side(size), network.input_shape[-1]
  view = View('center', size=side, resize=side)
  paths = [path for pattern in patterns for path in find_photos(pattern)]
  for name, path in zip(photo_names(paths), paths, strict=True):
    if network.per_pixel:
      image = read_square(path, view=view, channels=channels)
    else:
      image = read_photo(path, size=side, channels=channels)
    yield Shown(name, path.name, image)


def test_images(config, count, data_dir):
  """A `Shown` of the first test image of each of `count` classes."""
  settings = config.data.to_dict()
  dataset = load_dataset(settings | ({'dir': data_dir} if data_dir else {}))
  count = min(count, len(dataset.class_names))
  indices = one_per_class(dataset.test.each_label(), count)
  for index in indices:
    examples = dataset.test.examples(np.array([index]))
    first = {key: values[0] for key, values in examples.items()}
    name = label_name(first['label'], dataset.class_names)
    about = first['image'], first['label'], first.get('boxes')
    yield Shown(f'test{index}', name, *about)

"""What is looked at: image files, or a workdir's test images."""

import collections
import dataclasses
import functools
import itertools

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

  `label` is an int or multi-hot, of `class_names`, `boxes` are `[n, 5]`; None
  where not known.
  """

  name: str
  title: str
  image: np.ndarray
  label: int | np.ndarray | None = None
  boxes: np.ndarray | None = None
  class_names: tuple[str, ...] = ()

  def among(self, class_names):
    """Itself for a network of other classes: its own is found by name.

    What cannot be said of them, several labels at once and their boxes, is not
    known then.
    """
    class_names = tuple(class_names)
    if self.label is None or class_names == self.class_names:
      return self
    name = label_name(self.label, self.class_names)
    known = np.ndim(self.label) == 0 and name in class_names
    label = class_names.index(name) if known else None
    return dataclasses.replace(
      self, label=label, boxes=None, class_names=class_names
    )


class Images:
  """Images that can be read again and again, by whatever looks at them.

  A kind has `named()`, {name: what to read}, and `read(what, name, networks)`,
  a `Shown` for each of some networks: an image as large as it takes them.

  Attributes:
    failed: {name: why it cannot be read}.
    titles: {name: title} of those that were read.
  """

  def __init__(self):
    self.failed, self.titles = {}, {}

  def together(self, networks):
    """For each image a list of `Shown`, one a network; broken ones left out."""
    for name, what in self.named().items():
      try:
        found = self.read(what, name, networks)
      except (ValueError, OSError) as error:
        self.failed[name] = str(error)
        continue
      self.titles[name] = found[0].title
      yield found
    if not self.titles:
      raise ValueError(
        '\n'.join(self.failed.values()) or 'There is no image to look at.'
      )

  def of(self, network):
    """A `Shown` of each image, as one network sees it."""
    return (found for (found,) in self.together([network]))


class Photos(Images):
  """Image files, whole or their central square.

  Args:
    patterns: names and patterns.
    size: of the shorter side; 0: as each network was trained.
    square: whether only the central square is seen.
  """

  def __init__(self, patterns, size=0, square=False):
    super().__init__()
    paths = dict.fromkeys(p for one in patterns for p in find_photos(one))
    self._paths = dict(zip(photo_names(list(paths)), paths, strict=True))
    self._alike = collections.Counter(path.name for path in paths)
    self._size, self._square = size, square

  def named(self):
    return self._paths

  def read(self, path, name, networks):
    # All see the same part of it.
    square = self._square or any(network.per_pixel for network in networks)
    title = path.name if self._alike[path.name] == 1 else name

    @functools.cache
    def image(side, channels):
      if not square:
        return read_photo(path, size=side, channels=channels)
      view = View('center', size=side, resize=side)
      return read_square(path, view=view, channels=channels)

    return [
      Shown(name, title, image(n.side(self._size), n.input_shape[-1]))
      for n in networks
    ]


class Examples(Images):
  """Test images, the first of each class before others.

  Args:
    config: whose data they are.
    count: how many, one of each class first.
    data_dir: where the data are; '' for where the config says.
  """

  def __init__(self, config, count, data_dir=''):
    super().__init__()
    settings = config.data.to_dict()
    self._data = load_dataset(
      settings | ({'dir': data_dir} if data_dir else {})
    )
    test, classes = self._data.test, len(self._data.class_names)
    first = one_per_class(test.each_label(), min(count, classes)).tolist()
    others = (i for i in range(len(test)) if i not in first)
    rest = itertools.islice(others, count - len(first))
    self._indices = [*first, *rest]

  def named(self):
    return {f'test{index}': index for index in self._indices}

  def read(self, index, name, networks):
    examples = self._data.test.examples(np.array([index]))
    first = {key: values[0] for key, values in examples.items()}
    label = label_name(first['label'], self._data.class_names)
    title = f'{name}, label {label}'
    about = first['image'], first['label'], first.get('boxes')
    about = *about, tuple(self._data.class_names)
    return [_for(network, Shown(name, title, *about)) for network in networks]


def _for(network, shown):
  """A `Shown` of the size that the network was trained with."""
  size, own = shown.image.shape[:2], network.input_shape[:2]
  if size == own:
    return shown
  boxes = shown.boxes
  if boxes is not None:
    times = np.divide(own, size)
    boxes = boxes * np.array([*times, *times, 1])
  image = _resized(shown.image, own)
  return dataclasses.replace(shown, image=image, boxes=boxes)


def _resized(image, size):
  from PIL import Image

  grey = image.shape[-1] == 1
  pixels = Image.fromarray(image[..., 0] if grey else image)
  pixels = pixels.resize(size[::-1], Image.Resampling.BILINEAR)
  return np.asarray(pixels).reshape(*size, -1)

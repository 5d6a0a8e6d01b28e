"""Image files that are read one by one, and what there is at a path."""

import concurrent.futures
import dataclasses
import functools
import os

import numpy as np

from at_jax.data.examples import NONE, Record

THREADS = 16
LISTED = 5  # names that an error gives before "and … more"


@dataclasses.dataclass(frozen=True, eq=False)
class Files:
  """The images of one split, in a fixed order.

  Attributes:
    root: the absolute path of the folder.
    paths: str, shape `[N]`, below the root, with `/` between names.
    labels: int32, shape `[N]`, indices into the class names, or multi-hot,
      `[N, C]`.
    boxes: float32 arrays `[n, 5]`, one an image: y0, x0, y1, x1 in pixels of
      the whole upright image and the class; None where nothing is annotated.
    others: how many files were left alone.
    groups: int32 `[N]`, see `dataset.Split`, or None.
  """

  root: str
  paths: np.ndarray
  labels: np.ndarray
  boxes: tuple[np.ndarray, ...] | None
  others: int
  groups: np.ndarray | None = None

  def __len__(self):
    return len(self.labels)

  @functools.cached_property
  def most_boxes(self) -> int:
    """The most boxes that an image has."""
    return max(map(len, self.boxes or ()), default=0)

  @property
  def multi_label(self) -> bool:
    """Whether labels are multi-hot."""
    return self.labels.ndim == 2

  def each_label(self):
    """An iterator over the labels."""
    return iter(self.labels)

  def name(self, index) -> str:
    """The path of an image, for messages."""
    return os.path.join(self.root, self.paths[index])

  def keys(self) -> list[str]:
    """What the fingerprint knows the images by."""
    return self.paths.tolist()

  def read(self, index) -> Record:
    """An image as it is stored; OSError where it is no longer there."""
    with open(self.name(index), 'rb') as file:
      data = file.read()
    boxes = self.boxes[index] if self.boxes else NONE
    return Record(data, self.labels[index], boxes)

  def _size(self, index):
    return os.stat(self.name(index)).st_size

  def take(self, indices) -> 'Files':
    """The images at `indices`, a sequence of ints."""
    return dataclasses.replace(
      self,
      paths=self.paths[indices],
      labels=self.labels[indices],
      boxes=self.boxes and tuple(self.boxes[i] for i in indices),
      groups=None if self.groups is None else self.groups[indices],
    )

  def check(self, where, classes):
    """Labels come from the listing and are sound."""

  def update(self, digest):
    """Feeds `keys`, file sizes, labels and all else to a hash, but no pixel.

    Raises:
      OSError: a file is no longer there.
    """
    digest.update(f'{len(self)};'.encode())
    # In threads: on a network disk each answer takes its time.
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
      sizes = list(pool.map(self._size, range(len(self))))
    for key, size in zip(self.keys(), sizes, strict=True):
      # A NUL cannot be in a name.
      digest.update(os.fsencode(key) + f'\0{size};'.encode())
    # Little-endian by name: the digest is the same on every machine.
    digest.update(np.ascontiguousarray(self.labels, dtype='<i4'))
    for boxes in self.boxes or ():
      digest.update(f'{len(boxes)};'.encode())
      digest.update(np.ascontiguousarray(boxes, dtype='<f4'))
    if self.groups is not None:
      digest.update(b'groups;')
      digest.update(np.ascontiguousarray(self.groups, dtype='<i4'))


def some(names):
  """The first names, and how many more there are."""
  more = len(names) - LISTED
  text = ', '.join(names[:LISTED])
  return f'{text} and {more:,} more' if more > 0 else text


def what_is_at(path):
  """What there is where a folder was looked for, for messages."""
  if path.is_dir():
    return f'{path} holds {some(sorted(os.listdir(path))) or "nothing"}'
  return f'{path} is a file' if path.exists() else f'{path} does not exist'

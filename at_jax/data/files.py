"""Image files that are read one by one: what a `folder:` is made of."""

import concurrent.futures
import dataclasses
import functools
import os

import numpy as np

from at_jax.data.examples import NONE, Record

THREADS = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Files:
  """The images of one split, in order of class, then of name.

  Attributes:
    root: the absolute path of the folder.
    paths: str, shape `[N]`, below the root, with `/` between names.
    labels: int32, shape `[N]`, indices into the class names.
    boxes: float32 arrays `[n, 5]`, one an image: y0, x0, y1, x1 in pixels of
      the whole upright image and the class; None where nothing is annotated.
    others: how many files were left alone.
  """

  root: str
  paths: np.ndarray
  labels: np.ndarray
  boxes: tuple[np.ndarray, ...] | None
  others: int

  def __len__(self):
    return len(self.labels)

  @functools.cached_property
  def most_boxes(self) -> int:
    """The most boxes that an image has."""
    return max(map(len, self.boxes or ()), default=0)

  def each_label(self):
    """An iterator over the labels."""
    return iter(self.labels)

  def name(self, index) -> str:
    """The path of an image, for messages."""
    return os.path.join(self.root, self.paths[index])

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
    boxes = self.boxes and tuple(self.boxes[i] for i in indices)
    return dataclasses.replace(
      self, paths=self.paths[indices], labels=self.labels[indices], boxes=boxes
    )

  def check(self, where, classes):
    """Labels come from the listing and are sound."""

  def update(self, digest):
    """Feeds paths, labels, boxes and file sizes to a hash, but no pixel.

    Raises:
      OSError: a file is no longer there.
    """
    digest.update(f'{len(self)};'.encode())
    # In threads: on a network disk each answer takes its time.
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
      sizes = list(pool.map(self._size, range(len(self))))
    for path, size in zip(self.paths.tolist(), sizes, strict=True):
      # A NUL cannot be in a name.
      digest.update(os.fsencode(path) + f'\0{size};'.encode())
    # Little-endian by name: the digest is the same on every machine.
    digest.update(np.ascontiguousarray(self.labels, dtype='<i4'))
    for boxes in self.boxes or ():
      digest.update(f'{len(boxes)};'.encode())
      digest.update(np.ascontiguousarray(boxes, dtype='<f4'))

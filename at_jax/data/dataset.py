"""What every source returns: splits of uint8 images with int32 labels.

A split is in memory (`Split`) or a `streamed.Streamed`, whose images are read
from files when they are needed.
"""

import dataclasses
import functools
import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
  from at_jax.data.streamed import Streamed


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images with their labels, in a fixed order.

  Attributes:
    images: uint8, shape `[N, height, width, channels]`.
    labels: int32, shape `[N]`, indices into the dataset's class names.
  """

  images: np.ndarray
  labels: np.ndarray

  def __len__(self):
    return len(self.labels)

  @property
  def image_shape(self) -> tuple[int, ...]:
    """`(height, width, channels)`."""
    return self.images.shape[1:]

  def take(self, indices) -> 'Split':
    """The examples at `indices`, copied."""
    return Split(self.images[indices], self.labels[indices])

  def each_label(self):
    """An iterator over the labels."""
    return iter(self.labels)

  def examples(self, indices) -> dict[str, np.ndarray]:
    """The examples at `indices`, as a batch for evaluation."""
    return {'image': self.images[indices], 'label': self.labels[indices]}

  def check(self, where, classes):
    """Raises a ValueError that begins with `where` unless it is sound."""
    if self.images.dtype != np.uint8 or self.images.ndim != 4:
      raise ValueError(
        f'{where}: images must be uint8 [N, height, width, channels], got '
        f'{self.images.dtype} {self.images.shape}.'
      )
    check_labels(self.labels, where, classes)
    if len(self.images) != len(self.labels):
      raise ValueError(
        f'{where}: {len(self.images)} images but {len(self.labels)} labels.'
      )
    if not self.images.size:
      raise ValueError(f'{where}: no images, shape {self.images.shape}.')

  def update(self, digest):
    """Feeds shape, pixels and labels to a hash."""
    digest.update(f'{self.images.shape};'.encode())
    digest.update(np.ascontiguousarray(self.images))
    # Little-endian by name: the digest is the same on every machine.
    digest.update(np.ascontiguousarray(self.labels, dtype='<i4'))


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
  """A data set, checked when it is built.

  Attributes:
    name: what a config calls it, for instance `'cifar10'`.
    source: one line for people: where it was read, what was left out.
    class_names: one name for each label.
    train: what is trained on, after validation and few-label cuts.
    validation: training images held out for choices, or None.
    test: the official test set.

  Raises:
    ValueError: the splits do not fit the description; it names the source.
  """

  name: str
  source: str
  class_names: tuple[str, ...]
  train: 'Split | Streamed'
  validation: 'Split | Streamed | None'
  test: 'Split | Streamed'

  def __post_init__(self):
    object.__setattr__(self, 'class_names', tuple(self.class_names))
    if not self.class_names:
      raise ValueError(f'{self.source}: the set of classes is empty.')
    for name, split in self.splits.items():
      split.check(f'{self.source}: split {name!r}', len(self.class_names))
    shapes = {k: v.image_shape for k, v in self.splits.items()}
    if len(set(shapes.values())) > 1:
      raise ValueError(
        f'{self.source}: images must have one shape in all splits, '
        f'got {shapes}.'
      )

  @property
  def splits(self) -> 'dict[str, Split | Streamed]':
    """The splits there are, by name."""
    named = {
      'train': self.train,
      'validation': self.validation,
      'test': self.test,
    }
    return {k: v for k, v in named.items() if v is not None}

  @property
  def image_shape(self) -> tuple[int, ...]:
    """`(height, width, channels)` of every image."""
    return self.train.image_shape

  @property
  def in_memory(self) -> bool:
    """Whether the images are here, and not read when they are needed."""
    return isinstance(self.train, Split)

  def describe(self) -> str:
    """One line: where the images are from, and how many there are."""
    counts = (f'{name} {len(x):,}' for name, x in self.splits.items())
    source = self.source.rstrip('.')
    return f'data {self.name} from {source}: {", ".join(counts)}'

  @functools.cached_property
  def mean_image(self) -> tuple:
    """Mean of the training images, `[H][W][C]` nested, if they are here."""
    mean = self.train.images.mean(axis=0, dtype=np.float64)
    return nested(mean.astype(np.float32).tolist())

  @functools.cached_property
  def fingerprint(self) -> str:
    """Hex digest of all splits: names, shapes, pixels and labels.

    Equal exactly where the data are equal, whatever they were read from: two
    runs are comparable only if their fingerprints agree. Of streamed splits
    no pixel is read, see `Streamed.update`.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, split in self.splits.items():
      digest.update(f'{name} '.encode())
      split.update(digest)
    return digest.hexdigest()


def nested(values):
  """Lists of lists as tuples of tuples, which can be keys."""
  return tuple(map(nested, values)) if isinstance(values, list) else values


def check_labels(labels, where, classes):
  """Raises a ValueError that begins with `where` unless labels are sound."""
  if labels.dtype != np.int32 or labels.ndim != 1:
    raise ValueError(
      f'{where}: labels must be int32 [N], got {labels.dtype} {labels.shape}.'
    )
  wrong = np.flatnonzero((labels < 0) | (labels >= classes))
  if wrong.size:
    first = wrong[0]
    raise ValueError(
      f'{where}: label {labels[first]} of example {first} is not one of the '
      f'{classes} classes 0..{classes - 1} ({wrong.size} such labels).'
    )

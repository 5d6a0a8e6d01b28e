"""What every source returns: arrays of uint8 images with int32 labels."""

import dataclasses
import functools
import hashlib

import numpy as np


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

  def take(self, indices) -> 'Split':
    """The examples at `indices`, copied."""
    return Split(self.images[indices], self.labels[indices])


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
  """A data set in memory, checked when it is built.

  Attributes:
    name: what a config calls it, for instance `'cifar10'`.
    source: one line for people: where it was read, what was left out.
    class_names: one name for each label.
    train: what is trained on, after validation and few-label cuts.
    validation: training images held out for choices, or None.
    test: the official test set.

  Raises:
    ValueError: the arrays do not fit the description; it names the source.
  """

  name: str
  source: str
  class_names: tuple[str, ...]
  train: Split
  validation: Split | None
  test: Split

  def __post_init__(self):
    object.__setattr__(self, 'class_names', tuple(self.class_names))
    if not self.class_names:
      raise ValueError(f'{self.source}: the set of classes is empty.')
    for name, split in self.splits.items():
      _check(split, f'{self.source}: split {name!r}', len(self.class_names))
    shapes = {k: v.images.shape[1:] for k, v in self.splits.items()}
    if len(set(shapes.values())) > 1:
      raise ValueError(
        f'{self.source}: images must have one shape in all splits, '
        f'got {shapes}.'
      )

  @property
  def splits(self) -> dict[str, Split]:
    """The splits there are, by name."""
    named = {
      'train': self.train,
      'validation': self.validation,
      'test': self.test,
    }
    return {k: v for k, v in named.items() if v is not None}

  @functools.cached_property
  def fingerprint(self) -> str:
    """Hex digest of names, shapes, pixels and labels of all splits.

    Equal exactly where the data are equal, whatever they were read from: two
    runs are comparable only if their fingerprints agree.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, split in self.splits.items():
      digest.update(f'{name} {split.images.shape};'.encode())
      digest.update(np.ascontiguousarray(split.images))
      # Little-endian by name: the digest is the same on every machine.
      digest.update(np.ascontiguousarray(split.labels, dtype='<i4'))
    return digest.hexdigest()


def _check(split, where, classes):
  """Raises a ValueError that begins with `where` unless the split is sound."""
  images, labels = split.images, split.labels
  if images.dtype != np.uint8 or images.ndim != 4:
    raise ValueError(
      f'{where}: images must be uint8 [N, height, width, channels], got '
      f'{images.dtype} {images.shape}.'
    )
  if labels.dtype != np.int32 or labels.ndim != 1:
    raise ValueError(
      f'{where}: labels must be int32 [N], got {labels.dtype} {labels.shape}.'
    )
  if len(images) != len(labels):
    raise ValueError(f'{where}: {len(images)} images but {len(labels)} labels.')
  if not images.size:
    raise ValueError(f'{where}: no images, shape {images.shape}.')
  wrong = np.flatnonzero((labels < 0) | (labels >= classes))
  if wrong.size:
    first = wrong[0]
    raise ValueError(
      f'{where}: label {labels[first]} of example {first} is not one of the '
      f'{classes} classes 0..{classes - 1} ({wrong.size} such labels).'
    )

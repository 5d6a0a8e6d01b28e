"""What every source returns: splits of uint8 images with int32 labels.

A split is in memory (`Split`) or a `streamed.Streamed`, whose images are read
from files when they are needed.
"""

import dataclasses
import functools
import hashlib
from typing import TYPE_CHECKING

import numpy as np

from at_jax.data.checks import check_boxes, check_groups, check_labels

if TYPE_CHECKING:
  from at_jax.data.streamed import Streamed


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images with their labels, in a fixed order.

  Attributes:
    images: uint8, shape `[N, height, width, channels]`.
    labels: int32, shape `[N]`, indices into the dataset's class names; of
      multi-label data multi-hot, `[N, C]` of 0 and 1.
    boxes: annotated boxes, float32 `[N, n, 5]`: y0, x0, y1, x1 in pixels and
      the class; rows of class -1 are padding. None: nothing is annotated.
    groups: int32 `[N]`, examples that belong together, such as the images of
      one patient; None where nothing is known of them. Never in a batch.
  """

  images: np.ndarray
  labels: np.ndarray
  boxes: np.ndarray | None = None
  groups: np.ndarray | None = None

  def __len__(self):
    return len(self.labels)

  @property
  def image_shape(self) -> tuple[int, ...]:
    """`(height, width, channels)`."""
    return self.images.shape[1:]

  @property
  def multi_label(self) -> bool:
    """Whether an example may show several classes, or none."""
    return self.labels.ndim == 2

  @property
  def has_boxes(self) -> bool:
    """Whether images may have annotated boxes."""
    return self.boxes is not None

  def take(self, indices) -> 'Split':
    """The examples at `indices`, copied."""
    parts = (self.images, self.labels, self.boxes, self.groups)
    return Split(*(None if part is None else part[indices] for part in parts))

  def each_label(self):
    """An iterator over the labels: ints, or multi-hot rows `[C]`."""
    return iter(self.labels)

  def examples(self, indices) -> dict[str, np.ndarray]:
    """The examples at `indices`, as a batch for evaluation."""
    found = {'image': self.images[indices], 'label': self.labels[indices]}
    return found | ({'boxes': self.boxes[indices]} if self.has_boxes else {})

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
    if self.has_boxes:
      check_boxes(self.boxes, where, len(self), classes)
    if self.groups is not None:
      check_groups(self.groups, where, len(self))

  def update(self, digest):
    """Feeds all there is, and the images' shape, to a hash."""
    digest.update(f'{self.images.shape};'.encode())
    digest.update(np.ascontiguousarray(self.images))
    # Little-endian by name: the digest is the same on every machine.
    digest.update(np.ascontiguousarray(self.labels, dtype='<i4'))
    if self.has_boxes:
      digest.update(f'boxes {self.boxes.shape};'.encode())
      digest.update(np.ascontiguousarray(self.boxes, dtype='<f4'))
    if self.groups is not None:
      digest.update(b'groups;')
      digest.update(np.ascontiguousarray(self.groups, dtype='<i4'))


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
    kinds = {k: v.multi_label for k, v in self.splits.items()}
    if len(set(kinds.values())) > 1:
      raise ValueError(
        f'{self.source}: labels must be a class each [N] in all splits, or '
        f'multi-hot [N, C] in all; multi-hot: {kinds}.'
      )
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
  def multi_label(self) -> bool:
    """Whether labels are multi-hot `[N, C]`, and not a class each `[N]`."""
    return self.train.multi_label

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

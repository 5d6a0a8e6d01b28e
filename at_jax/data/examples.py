"""One stored image as one example: read, cropped, its boxes moved along."""

import contextlib
import dataclasses
from typing import Any, NamedTuple

import numpy as np

from at_jax._arrays import unknown
from at_jax.data import crops
from at_jax.data.decode import decode_crop, image_size

KINDS = ('random_resized', 'random', 'center')
NONE = np.empty((0, 5), np.float32)


class Record(NamedTuple):
  """An image as it is stored.

  What is read from (`files.Files`, `tfds_records.TfdsRecords`) has a length,
  `read(index) -> Record`, `name(index)` for messages, `labels`,
  `each_label()`, `multi_label`, `groups`, `most_boxes`, `take(indices)`,
  `check(where, classes)` and `update(digest)`, and can be pickled: it goes into
  worker processes.

  Attributes:
    data: the bytes of the file.
    label: int, or a multi-hot row, int32 `[C]`.
    boxes: float32 `[n, 5]`: y0, x0, y1, x1 in pixels of the whole upright image
      and the class.
  """

  data: bytes
  label: int | np.ndarray
  boxes: np.ndarray = NONE


@dataclasses.dataclass(frozen=True)
class View:
  """What part of an image is looked at.

  Attributes:
    kind: 'random_resized' (torchvision's), 'random' (the shorter side becomes
      `resize`, then any `size` x `size` of it) or 'center'.
    size: height and width of the result.
    resize: of 'random' and 'center'.
    scale: of 'random_resized', smallest and largest part of the area.
    to_box: whether only the first annotated box is looked at, where there is
      one.

  Raises:
    ValueError: an unknown kind, sizes that do not fit.
  """

  kind: str
  size: int = 224
  resize: int = 256
  scale: tuple[float, float] = (0.08, 1.0)
  to_box: bool = False

  def __post_init__(self):
    if self.kind not in KINDS:
      raise ValueError(unknown('data.crop', self.kind, KINDS))
    if not 0 < self.scale[0] <= self.scale[1] <= 1:
      raise ValueError(
        'data.scale must be two parts of the area, 0 < smallest <= largest <= '
        f'1, got {self.scale}.'
      )
    if not 0 < self.size <= self.resize:
      raise ValueError(
        f'data.size={self.size} must be at least 1 and at most '
        f'data.resize={self.resize}.'
      )

  def choose(self, rng, height, width, boxes):
    """The `crops.Box` to look at in an image of this height and width."""
    region = crops.Box(0, 0, height, width)
    if self.to_box and len(boxes):
      region = crops.annotated_region(boxes[0], height, width)
    sides = dict(resize=self.resize, size=self.size)
    if self.kind == 'random_resized':
      box = crops.random_resized_crop(rng, *region[2:], scale=self.scale)
    elif self.kind == 'random':
      box = crops.resize_and_random_crop(rng, *region[2:], **sides)
    else:
      box = crops.resize_and_center_crop(*region[2:], **sides)
    return crops.inside(region, box)


@dataclasses.dataclass(frozen=True, eq=False)
class Loader:
  """Reads examples of one split; goes into worker processes.

  Attributes:
    records: see `Record`.
    view: `View`.
    seed: of the crops: those of a run's seed, an epoch and an image are the
      same whoever draws them, and when.
    boxes: whether examples have annotated boxes.
  """

  records: Any
  view: View
  seed: int = 0
  boxes: bool = False

  def __call__(self, place):
    """One example.

    Args:
      place: (epoch, index of the image).

    Returns:
      {'image': uint8 [size, size, 3], 'label': int32 [] or [C]}, and with
      `boxes` 'boxes': float32 [n, 5], n being the most that an image has, in
      pixels of the crop, padded with `NO_BOX`.

    Raises:
      ValueError: the file is broken; it is named.
      OSError: it cannot be read.
    """
    epoch, index = place
    record = self.records.read(index)
    rng = np.random.default_rng((self.seed, epoch, index))
    damaged = (
      'Replace or remove it, or leave damaged images out with '
      '--config.data.skip_damaged=True.'
    )
    with self._named(index, damaged):
      shape = image_size(record.data)
    with self._named(index, 'Correct or remove that box.'):
      box = self.view.choose(rng, *shape, record.boxes)
    with self._named(index, damaged):
      image = decode_crop(record.data, box, self.view.size)
    example = {'image': image, 'label': np.asarray(record.label, np.int32)}
    if self.boxes:
      example['boxes'] = self._padded(record.boxes, box)
    return example

  @contextlib.contextmanager
  def _named(self, index, way_out):
    """Says of errors which image they are about, and what to do."""
    try:
      yield
    except ValueError as error:
      name = self.records.name(index)
      raise ValueError(f'{name}: {error} {way_out}') from error

  def _padded(self, boxes, box):
    moved = crops.boxes_in_crop(boxes, box, self.view.size)
    rows = np.full((self.records.most_boxes, 5), crops.NO_BOX, np.float32)
    rows[: len(moved)] = moved
    return rows

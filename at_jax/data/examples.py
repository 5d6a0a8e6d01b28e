"""One image file as one example: read, cropped, its boxes moved along."""

import dataclasses
import os

import numpy as np

from at_jax._arrays import unknown
from at_jax.data import crops
from at_jax.data.decode import decode_crop, image_size
from at_jax.data.folder import Files

KINDS = ('random_resized', 'random', 'center')


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
      raise ValueError(unknown('crop', self.kind, KINDS))
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
    root: the folder that paths are below.
    files: `Files`.
    view: `View`.
    seed: of the crops: those of a run's seed, an epoch and an image are the
      same whoever draws them, and when.
  """

  root: str
  files: Files
  view: View
  seed: int = 0

  def __call__(self, place):
    """One example.

    Args:
      place: (epoch, index of the image).

    Returns:
      {'image': uint8 [size, size, 3], 'label': int32}, and where anything is
      annotated 'boxes': float32 [n, 5], n being the most that an image has, in
      pixels of the crop, padded with `NO_BOX`.

    Raises:
      ValueError: the file is broken; it is named.
      OSError: it cannot be read.
    """
    epoch, index = place
    path = os.path.join(self.root, self.files.paths[index])
    with open(path, 'rb') as file:
      data = file.read()
    boxes = self.files.boxes[index] if self.files.boxes else ()
    rng = np.random.default_rng((self.seed, epoch, index))
    try:
      box = self.view.choose(rng, *image_size(data), boxes)
      image = decode_crop(data, box, self.view.size)
    except ValueError as error:
      raise ValueError(
        f'{path}: {error} Replace the file, or take it away.'
      ) from error
    example = {'image': image, 'label': self.files.labels[index]}
    if self.files.boxes:
      example['boxes'] = self._padded(boxes, box)
    return example

  def _padded(self, boxes, box):
    most = max(map(len, self.files.boxes))
    moved = crops.boxes_in_crop(boxes, box, self.view.size)
    rows = np.full((most, 5), crops.NO_BOX, np.float32)
    rows[: len(moved)] = moved
    return rows

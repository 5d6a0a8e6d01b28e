"""Splits that do not fit into memory: read, cropped and batched when needed."""

import concurrent.futures
import dataclasses
import os
from typing import Any

import numpy as np

from at_jax.data.dataset import Dataset
from at_jax.data.decode import check_whole
from at_jax.data.examples import Loader, View
from at_jax.data.settings import Settings
from at_jax.data.stream import InOrder, Order, batches

SIZE = 224
# The shorter side before a central crop, as a part of the crop: torchvision's
# 256 for 224.
MARGIN = 256 / 224
PART = 256  # images that a thread checks at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Streamed:
  """Images in files, in a fixed order.

  Attributes:
    records: where they are read from, see `examples.Record`.
    training: the `View` of images that are trained on.
    evaluation: the `View` of all others.
    workers: processes that read and decode; 0: threads of this one.
  """

  records: Any
  training: View
  evaluation: View
  workers: int = 0

  def __len__(self):
    return len(self.records)

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """`(height, width, channels)` of what is cropped."""
    return self.evaluation.size, self.evaluation.size, 3

  @property
  def has_boxes(self) -> bool:
    """Whether images may have annotated boxes."""
    return self.records.most_boxes > 0

  @property
  def labels(self) -> np.ndarray:
    """As those of `Split`; a TFDS folder is read through for them."""
    return self.records.labels

  @property
  def multi_label(self) -> bool:
    """Whether an image may show several classes, or none."""
    return self.records.multi_label

  @property
  def groups(self) -> np.ndarray | None:
    """As those of `Split`."""
    return self.records.groups

  def each_label(self):
    """An iterator over the labels, read no further than it is asked."""
    return self.records.each_label()

  def take(self, indices) -> 'Streamed':
    """The split of the images at `indices`."""
    return dataclasses.replace(self, records=self.records.take(indices))

  def examples(self, indices) -> dict[str, np.ndarray]:
    """The examples at `indices`, as a batch for evaluation."""
    load = Loader(self.records, self.evaluation, boxes=self.has_boxes)
    found = [load((0, int(index))) for index in indices]
    return {name: np.stack([e[name] for e in found]) for name in found[0]}

  def training_batches(self, *, seed, epochs, first_step=0, **shared):
    """An iterator over this host's parts of the batches of a run.

    Args:
      seed: of the run: of the order and of the crops.
      epochs: length of the run.
      first_step: where to go on.
      **shared: batch_size, host, hosts; see `stream.Order`.
    """
    order = Order(
      len(self), seed=seed, epochs=epochs, first_step=first_step, **shared
    )
    load = Loader(self.records, self.training, seed)
    return batches(order, load, workers=self.workers)

  def evaluation_batches(self, **shared):
    """A generator of this host's parts of the batches of the whole split.

    Each has 'mask', false where images ran out and the last one is repeated.

    Args:
      **shared: batch_size, host, hosts; see `stream.InOrder`.
    """
    order = InOrder(len(self), **shared)
    load = Loader(self.records, self.evaluation, boxes=self.has_boxes)
    found = batches(order, load, workers=self.workers)
    try:
      for index, batch in enumerate(found):
        yield batch | {'mask': order.mask(index)}
    finally:
      found.close()

  def check(self, where, classes):
    """Raises a ValueError that begins with `where` unless it is sound."""
    if not len(self):
      raise ValueError(f'{where}: no images.')
    self.records.check(where, classes)

  def update(self, digest):
    """Feeds what tells the images apart to a hash, but no pixel.

    Reading all of ImageNet for a digest would take longer than an epoch. An
    image replaced by another one of the same size in bytes goes unnoticed. How
    images are cropped is in the config, not here.
    """
    self.records.update(digest)


def make_streamed(
  settings: Settings, *, name, source, class_names, train, test
) -> Dataset:
  """The `Dataset` of records that are read when they are needed.

  Args:
    settings: size, resize, crop, scale, to_box, workers, skip_damaged.
    name: what people call it.
    source: where it was found; what was left out is added.
    class_names: as many as there are classes.
    train, test: records, see `examples.Record`.

  Raises:
    ValueError: settings that do not fit each other or the images.
  """
  if settings.channels not in (0, 3):
    raise ValueError(
      f'data.channels of {settings.name!r} must be 3 (or 0): images from files '
      f'become RGB, got {settings.channels}.'
    )
  size = settings.size or SIZE
  sides = dict(
    size=size,
    resize=settings.resize or usual_resize(size),
    to_box=settings.to_box,
  )
  views = dict(
    training=View(settings.crop, scale=tuple(settings.scale), **sides),
    evaluation=View('center', **sides),
    workers=settings.workers,
  )
  if settings.skip_damaged:
    (train, lost), (test, more) = map(without_damaged, (train, test))
    if lost + more:
      plural = 's' if lost + more > 1 else ''
      source += f'; {lost + more} damaged image{plural} left out'
  if settings.to_box and not train.most_boxes:
    raise ValueError(
      f'{source}: data.to_box=True crops to annotated boxes, and there are '
      'none (docs/data.md says how to give them).'
    )
  return Dataset(
    name=name,
    source=source,
    class_names=class_names,
    train=Streamed(train, **views),
    validation=None,
    test=Streamed(test, **views),
  )


def usual_resize(size):
  """The shorter side before a central crop of `size`, unless it is said."""
  return round(size * MARGIN)


def without_damaged(records):
  """(the records that can be decoded, how many cannot); reads all of them."""

  def whole(indices):
    return [_is_whole(records, index) for index in indices]

  count = len(records)
  parts = [
    range(begin, min(begin + PART, count)) for begin in range(0, count, PART)
  ]
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    good = np.flatnonzero(np.concatenate(list(pool.map(whole, parts))))
  lost = count - len(good)
  return (records.take(good) if lost else records), lost


def _is_whole(records, index):
  try:
    check_whole(records.read(index).data)
  except ValueError:  # an OSError may pass, and ends the run
    return False
  return True

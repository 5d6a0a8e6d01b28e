"""`tfds:<name>`: a prepared TFDS folder, its images read one by one.

Nothing but the image's bytes, its label and its boxes is looked at. TFDS's own
ways to leave the rest alone, PartialDecoding and DESERIALIZE_NO_DECODE, import
TensorFlow; so the record, a tf.train.Example, is read here.
"""

import concurrent.futures
import dataclasses
import functools
import os
from typing import Any

import numpy as np

from at_jax.data import tfds_folder
from at_jax.data.checks import check_labels
from at_jax.data.dataset import Dataset
from at_jax.data.decode import image_size
from at_jax.data.examples import NONE, Record
from at_jax.data.settings import Settings
from at_jax.data.streamed import make_streamed

CHUNK = 1000  # records that a thread reads at a time
ONE, MANY = 'bbox', 'objects/bbox'  # where TFDS keeps boxes


@dataclasses.dataclass(frozen=True, eq=False)
class TfdsRecords:
  """The images of one split, in the order of its files.

  Attributes:
    where: what messages call the folder.
    split: name of the split.
    source: random access to the records of the whole split, as bytes.
    classes: how many there are.
    boxes: the feature with annotated boxes: 'bbox', one an image,
      'objects/bbox', any number, or '' where nothing is annotated.
    description: what the folder says of the split, for the fingerprint.
    rows: int64 `[N]`, which records of the split these are; None is all.
  """

  where: str
  split: str
  source: Any
  classes: int
  boxes: str
  description: str
  rows: np.ndarray | None = None

  multi_label, groups = False, None

  def __len__(self):
    return len(self.source if self.rows is None else self.rows)

  @property
  def labels(self) -> np.ndarray:
    """int32 `[N]`; the first time, all records are read through.

    That is a matter of seconds for 10,000 images and of many minutes for
    ImageNet.

    Raises:
      ValueError: a record that cannot be read, or labels out of range.
    """
    labels = self._noted[:, 0]
    check_labels(labels, f'{self.where}: split {self.split!r}', self.classes)
    return labels

  @property
  def most_boxes(self) -> int:
    """The most boxes that an image has; see `labels` for 'objects/bbox'."""
    if self.boxes != MANY:
      return 1 if self.boxes else 0
    return int(self._noted[:, 1].max(initial=0))

  def each_label(self):
    """A generator of the labels, which reads one record for each."""
    return (self._note(index)[0] for index in range(len(self)))

  @functools.cached_property
  def _noted(self):
    """int32 `[N, 2]`: label and number of boxes; copies for workers have it."""
    starts = range(0, len(self), CHUNK)
    notes = np.empty((len(self), 2), np.int32)

    def note(start):
      for index in range(start, min(start + CHUNK, len(self))):
        notes[index] = self._note(index)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
      list(pool.map(note, starts))  # a list: errors come up
    return notes

  def _note(self, index):
    """Label and number of boxes of an image."""
    _, label, corners = self._fields(index)
    return label, len(corners)

  def name(self, index) -> str:
    """Folder, split and number of the record, for messages."""
    return f'{self.where}: record {self._row(index)} of split {self.split!r}'

  def _row(self, index):
    return int(index if self.rows is None else self.rows[index])

  def read(self, index) -> Record:
    """An image as it is stored; boxes without area are left out.

    Raises:
      ValueError: the record cannot be read, its image has no sound header
        where there are boxes, or the label is out of range; it is named.
    """
    data, label, corners = self._fields(index)
    if not 0 <= label < self.classes:
      raise ValueError(
        f'{self.name(index)} has the label {label}, which is not one of the '
        f'{self.classes} classes 0..{self.classes - 1}.'
      )
    try:
      boxes = _in_pixels(corners, image_size(data), label) if corners else NONE
    except ValueError as error:
      raise self._damaged(index, error) from error
    return Record(data, label, boxes)

  def _fields(self, index):
    """The image's bytes, the label and a list of four numbers a box."""
    # Imports TFDS, and again in every worker.
    from tensorflow_datasets.proto import tf_example_pb2

    try:
      record = self.source[self._row(index)]
      fields = tf_example_pb2.Example.FromString(record).features.feature
      (data,) = fields['image'].bytes_list.value
      (label,) = fields['label'].int64_list.value
      corners = list(fields[self.boxes].float_list.value) if self.boxes else []
    except Exception as error:  # of array_record and protobuf, by many types
      raise self._damaged(index, error) from error
    return data, label, [corners[i : i + 4] for i in range(0, len(corners), 4)]

  def _damaged(self, index, error):
    return tfds_folder.damaged(self.where, self.split, self._row(index), error)

  def take(self, indices) -> 'TfdsRecords':
    """The images at `indices`, a sequence of ints."""
    rows = np.arange(len(self.source)) if self.rows is None else self.rows
    indices = np.asarray(indices, np.int64)
    part = dataclasses.replace(self, rows=rows[indices])
    if '_noted' in vars(self):  # what was read is not read again
      vars(part)['_noted'] = self._noted[indices]
    return part

  def check(self, where, classes):
    """Labels are checked when they are read."""

  def update(self, digest):
    """Feeds what the folder says of the split, and `rows`, to a hash."""
    digest.update(f'{self.description};{len(self)};'.encode())
    if self.rows is not None:
      digest.update(np.ascontiguousarray(self.rows, dtype='<i8'))


def _in_pixels(corners, size, label):
  """float32 `[n, 5]` of y0, x0, y1, x1 in parts of height and width `size`."""
  corners = np.array(corners) * np.tile(size, 2)
  # They are stored as float32: without this, 50 pixels come out as 50.000001
  # and are rounded outwards to 51.
  corners = corners.round(2)
  corners = corners[(corners[:, 2:] > corners[:, :2]).all(axis=1)]
  return np.insert(corners, 4, label, axis=1).astype(np.float32)


def load_tfds_stream(settings: Settings) -> Dataset:
  """Opens `<dir>/<name>/<newest version>/`; images are read when needed.

  Args:
    settings: `name` is `tfds:<name>` or `tfds:<name>/<config>`.

  Raises:
    FileNotFoundError: there is no such folder; with the ways out.
    ValueError: no array_record, a split that is not there or has no labels, a
      damaged folder; or settings that do not fit.
  """
  if not settings.path:
    raise ValueError(
      f'data.name={settings.name!r} names no dataset: data.name=tfds:<name>.'
    )
  found = tfds_folder.find(settings, settings.path)
  if found is None:
    raise tfds_folder.not_found(settings, settings.path)
  folder, where = found
  builder = tfds_folder.open_builder(folder, where)
  tfds_folder.allow_open_files(builder, where)
  test = settings.test_split or 'test'
  splits = {split: _records(builder, split, where) for split in ('train', test)}
  if _unlabelled(splits[test]):
    raise ValueError(
      f'{where}: the images of split {test!r} have no labels (they are -1).'
      + tfds_folder.other_split(builder)
    )
  sentence = tfds_folder.first_sentence(builder.info.description)
  words = f': {sentence.rstrip(".")}' if sentence else ''
  return make_streamed(
    settings,
    name=settings.path,
    source=f'{where}{words} (split {test} is the test set)',
    class_names=tuple(builder.info.features['label'].names),
    train=splits['train'],
    test=splits[test],
  )


def _records(builder, split, where):
  """The `TfdsRecords` of a split."""
  import tensorflow_datasets as tfds

  raw = tfds.decode.DeserializeMethod.RAW_BYTES
  records = tfds_folder.open_split(
    builder, split, where, deserialize_method=raw
  )
  info, about = builder.info, builder.info.splits[split]
  return TfdsRecords(
    where=where,
    split=split,
    # Without TFDS's description around it, which would go into every worker.
    source=records.data_source,
    classes=info.features['label'].num_classes,
    boxes=_boxes(info.features),
    description=f'{info.full_name} {split} {about.num_examples} '
    f'{about.shard_lengths} {int(about.num_bytes)}',
  )


def _unlabelled(records):
  """Whether the first label is TFDS's -1."""
  try:
    return next(records.each_label(), None) == -1
  except ValueError:  # it cannot be read, and is reported or left out later
    return False


def _boxes(features):
  """The feature with boxes in parts of height and width, or ''."""
  import tensorflow_datasets as tfds

  objects = dict(features.items()).get('objects')
  holders = {ONE: features, MANY: getattr(objects, 'feature', None)}
  for name, holder in holders.items():
    if isinstance(holder, tfds.features.FeaturesDict) and 'bbox' in holder:
      kind = getattr(holder['bbox'], 'bbox_format', '')
      # Folders of old versions do not say: None.
      if kind is None or getattr(kind, 'value', kind) == 'REL_YXYX':
        return name
  return ''

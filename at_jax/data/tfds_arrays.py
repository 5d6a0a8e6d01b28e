"""Reads a prepared TFDS folder (array_record) into arrays, without TensorFlow.

Images are decoded with Pillow, not by TFDS: it takes OpenCV where that is
installed, and two decoders give different pixels for the same JPEG.
"""

import io

import numpy as np

from at_jax.data import tfds_folder
from at_jax.data.dataset import Dataset, Split
from at_jax.data.settings import Settings

CHUNK = 1000  # records a read: few calls, and 60,000 never lie here as bytes


def looked_for(settings: Settings) -> str:
  """What `load_tfds` looks for, for the error that says it was not there."""
  path = settings.folder / settings.name / '<version>' / 'dataset_info.json'
  return f'a TFDS folder prepared as array_record: {path}'


def load_tfds(settings: Settings) -> Dataset | None:
  """Reads `<dir>/<name>/<newest version>/`, with splits `train` and `test`.

  Examples are ordered by `id` where the records have one: CIFAR then has the
  order of the official archives, and the same validation split.

  Returns:
    The dataset, or None where there is no such folder.

  Raises:
    ValueError: the folder is no array_record, or it or a record is damaged.
  """
  found = tfds_folder.find(settings, settings.name)
  if found is None:
    return None
  folder, where = found
  builder = tfds_folder.open_builder(folder, where)
  splits, damaged = {}, 0
  for name in tfds_folder.OFFICIAL:
    splits[name], skipped = _read(
      builder, name, where, skip_damaged=settings.skip_damaged
    )
    damaged += skipped
  sentence = tfds_folder.first_sentence(builder.info.description)
  source = f'{where}: {sentence}'
  if damaged:
    plural = 's' if damaged > 1 else ''
    source += f' {damaged} damaged record{plural} left out.'
  return Dataset(
    name=settings.name,
    source=source,
    class_names=tuple(builder.info.features['label'].names),
    train=splits['train'],
    validation=None,
    test=splits['test'],
  )


def _read(builder, split, where, *, skip_damaged):
  """One split as arrays, and how many damaged records were left out."""
  import tensorflow_datasets as tfds

  # Images stay bytes.
  decoders = {'image': tfds.decode.SkipDecoding()}
  records = tfds_folder.open_split(builder, split, where, decoders=decoders)
  total, shape = len(records), builder.info.features['image'].shape
  images = np.empty((total, *shape), np.uint8)
  labels = np.empty(total, np.int32)
  keys = []
  for index, record in _records(records, total):
    try:
      if isinstance(record, Exception):
        raise record
      images[len(keys)] = _decode(record['image'], shape)
    except Exception as error:  # Pillow alone raises five types for bad bytes
      if skip_damaged:
        continue
      raise tfds_folder.damaged(where, split, index, error) from error
    labels[len(keys)] = record['label']
    keys.append(record.get('id', b''))
  order = np.argsort(np.array(keys), kind='stable')
  if not np.array_equal(order, np.arange(total)):
    images, labels = images[order], labels[order]
  return Split(images, labels), total - len(keys)


def _records(records, total):
  """Yields (index, record), or the error in place of an unreadable record."""
  for start in range(0, total, CHUNK):
    indices = list(range(start, min(start + CHUNK, total)))
    try:
      chunk = records.__getitems__(indices)
    except Exception:  # one bad record fails the whole read: find it
      chunk = [_one(records, index) for index in indices]
    yield from zip(indices, chunk, strict=True)


def _one(records, index):
  try:
    return records[index]
  except Exception as error:  # handed on, raised or counted by the caller
    return error


def _decode(data, shape):
  from PIL import Image

  with Image.open(io.BytesIO(data)) as image:
    pixels = np.asarray(image.convert('RGB' if shape[-1] == 3 else 'L'))
  pixels = pixels.reshape(*pixels.shape[:2], -1)
  if pixels.shape != tuple(shape):
    raise ValueError(f'wanted an image of shape {shape}, got {pixels.shape}')
  return pixels

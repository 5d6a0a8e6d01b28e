"""Reads a prepared TFDS folder (array_record) into arrays, without TensorFlow.

Images are decoded with Pillow, not by TFDS: it takes OpenCV where that is
installed, and two decoders give different pixels for the same JPEG.
"""

import io
import pathlib
import re

import numpy as np

from at_jax.data.dataset import Dataset, Split
from at_jax.data.settings import Settings

CHUNK = 1000  # records a read: few calls, and 60,000 never lie here as bytes
SENTENCE = 60  # characters of the description that stand in `source`


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
  folder = _newest_version(settings.folder / settings.name)
  if folder is None:
    return None
  where = (
    f'TFDS {settings.name}/{folder.name} in {settings.dir or settings.folder}'
  )
  builder = _open(folder, where)
  splits, damaged = {}, 0
  for name in ('train', 'test'):
    splits[name], skipped = _read(
      builder, name, where, skip_damaged=settings.skip_damaged
    )
    damaged += skipped
  source = f'{where}: {_first_sentence(builder.info.description)}'
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


def _newest_version(folder: pathlib.Path) -> pathlib.Path | None:
  """The folder with the highest version; unfinished ones do not count."""
  versions = [
    path.parent
    for path in folder.glob('*/dataset_info.json')
    if re.fullmatch(r'\d+\.\d+\.\d+', path.parent.name)
  ]
  return max(
    versions,
    key=lambda path: tuple(int(part) for part in path.name.split('.')),
    default=None,
  )


def _open(folder, where):
  import tensorflow_datasets as tfds

  try:
    builder = tfds.builder_from_directory(folder)
    # A converted folder has tfrecord first and array_record beside it.
    formats = {kind.value for kind in builder.info.available_file_formats()}
    missing = {'image', 'label'} - set(builder.info.features)
    missing |= {'train', 'test'} - set(builder.info.splits)
  except Exception as error:  # JSON, protobuf, file and TFDS's own errors
    raise ValueError(
      f'{where}: the description of the folder cannot be read '
      f'({type(error).__name__}: {error}). Prepare it again (docs/data.md).'
    ) from error
  if 'array_record' not in formats:
    raise ValueError(
      f'{where} is prepared as {", ".join(sorted(formats))}, which needs '
      'TensorFlow to be read. Convert it once, where tensorflow-cpu, '
      'apache-beam and mlcroissant are installed (docs/data.md): '
      f'tfds convert_format --dataset_version_dir={folder} '
      '--out_file_format=array_record'
    )
  if missing:
    raise ValueError(
      f'{where}: wanted the splits train and test and the features image and '
      f'label; {sorted(missing)} missing.'
    )
  return builder


def _read(builder, split, where, *, skip_damaged):
  """One split as arrays, and how many damaged records were left out."""
  records = _open_split(builder, split, where)
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
      raise ValueError(
        f'{where}: record {index} of split {split!r} is damaged '
        f'({type(error).__name__}: {error}). Prepare the folder again, or '
        'leave damaged records out with --config.data.skip_damaged=True.'
      ) from error
    labels[len(keys)] = record['label']
    keys.append(record.get('id', b''))
  order = np.argsort(np.array(keys), kind='stable')
  if not np.array_equal(order, np.arange(total)):
    images, labels = images[order], labels[order]
  return Split(images, labels), total - len(keys)


def _open_split(builder, split, where):
  """Random access to a split's records, with images left as bytes."""
  import tensorflow_datasets as tfds

  try:
    records = builder.as_data_source(
      split, decoders={'image': tfds.decode.SkipDecoding()}
    )
    len(records)
  except Exception as error:  # a missing or truncated shard, by many types
    raise ValueError(
      f'{where}: split {split!r} cannot be opened ({type(error).__name__}: '
      f'{error}). Prepare the folder again (docs/data.md).'
    ) from error
  return records


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


def _first_sentence(text):
  """The description's first sentence, cut where it is long."""
  sentence = re.split(r'(?<=[.!?])\s', ' '.join(text.split()))[0]
  if len(sentence) > SENTENCE:
    sentence = sentence[: SENTENCE - 1].rstrip(' .') + '…'
  return sentence

"""Prepared TFDS folders: found, opened and checked, without TensorFlow."""

import os
import pathlib
import re

from at_jax._arrays import unknown
from at_jax.data.settings import Settings

OFFICIAL = ('train', 'test')
SPARE_FILES = 512  # for everything else that a process has open
LISTED = 5  # names that an error gives
SENTENCE = 60  # characters of the description that stand in `source`


def find(settings: Settings, name: str) -> tuple[pathlib.Path, str] | None:
  """`<dir>/<name>/<newest version>`, and what messages call it.

  Args:
    settings: dir.
    name: of the dataset, where it has configs followed by `/` and one of them.

  Returns:
    (folder, words), or None where there is no such folder.
  """
  folder = _newest_version(settings.folder / name)
  if folder is None:
    return None
  above = settings.dir or settings.folder
  return folder, f'TFDS {name}/{folder.name} in {above}'


def _newest_version(folder):
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


def not_found(settings: Settings, name: str) -> FileNotFoundError:
  """The error for a folder that `find` did not find, with the ways out."""
  root = settings.folder / name
  there = f'{root} does not exist'
  if root.is_dir():
    held = ', '.join(sorted(os.listdir(root))[:LISTED])
    there = f'{root} holds {held or "nothing"}'
  return FileNotFoundError(
    f'No TFDS folder of {name}: looked for '
    f'{root}/<version>/dataset_info.json; {there}.\nThree ways out:\n'
    '  1. prepare it once with TFDS as array_record (docs/data.md says how)\n'
    '  2. name the folder above it with --config.data.dir=…\n'
    '  3. use the embedded digits: --config=configs/digits_at.py'
  )


def open_builder(folder, where):
  """TFDS's builder of a folder.

  Args:
    folder: `find` gave it.
    where: what messages call it.

  Raises:
    ValueError: the description cannot be read, no array_record, or no features
      image and label, a class an image.
  """
  import tensorflow_datasets as tfds

  kinds = {'image': tfds.features.Image, 'label': tfds.features.ClassLabel}
  try:
    builder = tfds.builder_from_directory(folder)
    # A converted folder has tfrecord first and array_record beside it.
    formats = {kind.value for kind in builder.info.available_file_formats()}
    features = dict(builder.info.features.items())
    _ = builder.info.splits
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
  for name, kind in kinds.items():
    if not isinstance(features.get(name), kind):
      raise ValueError(
        f'{where}: wanted the feature {name!r}, a {kind.__name__}; there are '
        f'{_kinds(features)}.'
      )
  return builder


def _kinds(features):
  return ', '.join(f'{k} ({type(v).__name__})' for k, v in features.items())


def open_split(builder, split, where, **how):
  """Random access to a split's records.

  Args:
    builder: see `open_builder`.
    split: its name.
    where: what messages call the folder.
    **how: decoders, deserialize_method; see TFDS's `as_data_source`.

  Raises:
    ValueError: there is no such split, files are missing, or they cannot be
      opened.
  """
  if split not in builder.info.splits:
    hint = '' if split == 'train' else other_split(builder)
    names = list(builder.info.splits)
    raise ValueError(f'{where}: {unknown("split", split, names)}{hint}')
  try:
    records = builder.as_data_source(split, **how)
    len(records)
    files = builder.info.splits[split].filepaths
    missing = [file.name for file in files if not file.exists()]
    if missing:
      raise FileNotFoundError(
        f'{len(missing)} of {len(files)} files are missing, first {missing[0]}'
      )
  except Exception as error:  # a missing or truncated shard, by many types
    raise ValueError(
      f'{where}: split {split!r} cannot be opened ({type(error).__name__}: '
      f'{error}). Prepare the folder again (docs/data.md).'
    ) from error
  return records


def allow_open_files(builder, where):
  """Raises this process's limit on open files to what a folder needs.

  A reader keeps its files open: ImageNet has more than the 1,024 that Linux
  allows unless told otherwise. Worker processes inherit the limit.

  Raises:
    ValueError: the system does not allow it.
  """
  import resource  # of Unix, as array_record is

  files = sum(split.num_shards for split in builder.info.splits.values())
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  if soft == resource.RLIM_INFINITY or soft >= files + SPARE_FILES:
    return
  try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files + SPARE_FILES, hard))
  except (ValueError, OSError) as error:
    raise ValueError(
      f'{where} is made of {files:,} files, which all stay open; a process may '
      f'open {hard:,} here. Have the limit raised (ulimit -Hn).'
    ) from error


def other_split(builder):
  """The words that name a split to test on, where there is one."""
  others = [name for name in builder.info.splits if name not in OFFICIAL]
  if not others:
    return ''
  return f' Test on another one: --config.data.test_split={others[0]}'


def damaged(where, split, index, error) -> ValueError:
  """The error for a record that cannot be read or decoded."""
  return ValueError(
    f'{where}: record {index} of split {split!r} is damaged '
    f'({type(error).__name__}: {error}). Prepare the folder again, or '
    'leave damaged records out with --config.data.skip_damaged=True.'
  )


def first_sentence(text):
  """The description's first sentence, cut where it is long."""
  sentence = re.split(r'(?<=[.!?])\s', ' '.join(text.split()))[0]
  if len(sentence) > SENTENCE:
    sentence = sentence[: SENTENCE - 1].rstrip(' .') + '…'
  return sentence

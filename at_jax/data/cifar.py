"""`cifar10` and `cifar100`: a TFDS folder, or the official binary archive.

The binary archive holds records of one label byte (CIFAR-100: coarse, then
fine) and 3,072 pixel bytes: the red plane, the green, the blue, each row by
row (https://www.cs.toronto.edu/~kriz/cifar.html).
"""

import dataclasses
import pathlib
import tarfile
import zlib

import numpy as np

from at_jax.data import archives, tfds_arrays
from at_jax.data.dataset import Dataset, Split
from at_jax.data.settings import Settings

PLANES = (3, 32, 32)
PIXELS = 3 * 32 * 32


@dataclasses.dataclass(frozen=True)
class Archive:
  """Where an archive is and what lies in it.

  Attributes:
    title: what people call the data set.
    url: of the official binary archive.
    sha256: of that file.
    train: members with training records, in order.
    test: members with test records.
    names: the member with one class name a line.
    label_bytes: before the pixels; the last one is the label.
  """

  title: str
  url: str
  sha256: str
  train: tuple[str, ...]
  test: tuple[str, ...]
  names: str
  label_bytes: int

  @property
  def file(self) -> str:
    return self.url.rsplit('/', 1)[-1]


CIFAR10 = Archive(
  title='CIFAR-10',
  url='https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
  sha256='c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd',
  train=tuple(f'data_batch_{i}.bin' for i in range(1, 6)),
  test=('test_batch.bin',),
  names='batches.meta.txt',
  label_bytes=1,
)

CIFAR100 = Archive(
  title='CIFAR-100',
  url='https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz',
  sha256='58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec',
  train=('train.bin',),
  test=('test.bin',),
  names='fine_label_names.txt',
  label_bytes=2,
)


def load_cifar10(settings: Settings, *, sha256=CIFAR10.sha256) -> Dataset:
  """CIFAR-10: 50,000 training and 10,000 test images, 10 classes."""
  return _load(CIFAR10, settings, sha256)


def load_cifar100(settings: Settings, *, sha256=CIFAR100.sha256) -> Dataset:
  """CIFAR-100 with its 100 fine labels: 50,000 and 10,000 images."""
  return _load(CIFAR100, settings, sha256)


def _load(archive, settings, sha256):
  """TFDS folder, else archive, else download.

  Raises:
    FileNotFoundError: none of the three; with the ways out.
    ValueError: what was found is damaged or in the wrong format.
  """
  prepared = tfds_arrays.load_tfds(settings)
  if prepared is not None:
    return prepared
  path = settings.folder / archive.file
  if path.exists():
    archives.check_sha256(path, sha256)
  else:
    try:
      archives.download(archive.url, settings.folder, sha256)
    except OSError as error:
      raise archives.not_found(
        archive.title,
        [
          tfds_arrays.looked_for(settings),
          f'the official binary archive: {path}',
        ],
        archive.url,
        f'{archive.url} into {settings.folder}',
        error,
      ) from None
  members = _members(path, {*archive.train, *archive.test, archive.names})
  return Dataset(
    name=settings.name,
    source=f'{archive.file} in {settings.dir or settings.folder}',
    class_names=tuple(members[archive.names].decode().split()),
    train=_split(members, archive.train, archive.label_bytes, path),
    validation=None,
    test=_split(members, archive.test, archive.label_bytes, path),
  )


def _members(path: pathlib.Path, wanted) -> dict[str, bytes]:
  """Contents of the wanted members by base name; nothing is unpacked."""
  found = {}
  try:
    with tarfile.open(path, 'r:gz') as tar:
      for member in tar:
        name = pathlib.PurePosixPath(member.name).name
        if member.isfile() and name in wanted:
          found[name] = tar.extractfile(member).read()
  except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
    raise ValueError(
      f'{path} is truncated or damaged ({type(error).__name__}: {error}). '
      'Delete it and run again to download it anew.'
    ) from error
  missing = sorted(wanted - set(found))
  if missing:
    raise ValueError(
      f'{path} has no {", ".join(missing)}: it is not the official *binary* '
      'archive (the Python and MATLAB ones are different files).'
    )
  return found


def _split(members, names, label_bytes, path):
  """Records of the named members as images [N,32,32,3] and labels."""
  size = label_bytes + PIXELS
  for name in names:
    if len(members[name]) % size:
      raise ValueError(
        f'{path}: {name} has {len(members[name]):,} bytes, which is not a '
        f'multiple of {size}, the size of a record. Delete the archive and '
        'run again to download it anew.'
      )
  data = b''.join(members[name] for name in names)
  records = np.frombuffer(data, np.uint8).reshape(-1, size)
  planes = records[:, label_bytes:].reshape(-1, *PLANES)
  return Split(
    np.ascontiguousarray(planes.transpose(0, 2, 3, 1)),
    records[:, label_bytes - 1].astype(np.int32),
  )

"""Writers of the real file formats, small."""

import gzip
import hashlib
import io
import struct
import tarfile
import types

import numpy as np
import pytest

CIFAR10_NAMES = (
  'airplane automobile bird cat deer dog frog horse ship truck'.split()
)


def sha256(path):
  return hashlib.sha256(path.read_bytes()).hexdigest()


def random_split(count, shape=(32, 32, 3), classes=10, seed=0):
  rng = np.random.RandomState(seed)
  images = rng.randint(0, 256, (count, *shape)).astype(np.uint8)
  return images, (np.arange(count) % classes).astype(np.int32)


def records(images, labels, coarse=False):
  """The bytes of CIFAR's binary format, one image after the other."""
  out = b''
  for image, label in zip(images, labels, strict=True):
    out += bytes([label // 5, label] if coarse else [label])
    for channel in range(3):
      for row in range(32):
        out += image[row, :, channel].tobytes()
  return out


def write_tar(path, members):
  with tarfile.open(path, 'w:gz') as tar:
    for name, data in members.items():
      info = tarfile.TarInfo(f'some-folder/{name}')
      info.size = len(data)
      tar.addfile(info, io.BytesIO(data))
  return path


def cifar10_members(train, test):
  images, labels = train
  cuts = np.array_split(np.arange(len(labels)), 5)
  members = {
    f'data_batch_{i}.bin': records(images[cut], labels[cut])
    for i, cut in enumerate(cuts, 1)
  }
  # The order in a tar is not the order of the batches.
  members = dict(reversed(members.items()))
  members['test_batch.bin'] = records(*test)
  members['batches.meta.txt'] = '\n'.join([*CIFAR10_NAMES, '', '']).encode()
  return members


def cifar100_members(train, test):
  names = '\n'.join(f'fine_{i}' for i in range(100)) + '\n'
  return {
    'train.bin': records(*train, coarse=True),
    'test.bin': records(*test, coarse=True),
    'fine_label_names.txt': names.encode(),
    'coarse_label_names.txt': b'a\nb\n',
  }


def write_idx(path, array):
  header = bytes([0, 0, 8, array.ndim])
  header += struct.pack(f'>{array.ndim}I', *array.shape)
  with gzip.open(path, 'wb') as file:
    file.write(header + array.astype(np.uint8).tobytes())
  return path


def write_tfds(
  folder, train, test, *, name='cifar10', ids=True, broken=(), version='3.0.2'
):
  """Writes images and labels as `write_records` does, with ids in order.

  Args:
    broken: ids whose image bytes are cut in half.
  """
  pytest.importorskip('importlib_resources')
  from PIL import Image

  def png(key, image):
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, format='png')
    data = file.getvalue()
    return io.BytesIO(data[: len(data) // 2] if key in broken else data)

  def features(kinds):
    found = {
      'image': kinds.Image(shape=train[0].shape[1:]),
      'label': kinds.ClassLabel(names=CIFAR10_NAMES),
    }
    return found | ({'id': kinds.Text()} if ids else {})

  def records(split, images, labels):
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
      key = f'{split}_{i:05d}'
      record = {'image': png(key, image), 'label': int(label)}
      yield key, record | ({'id': key} if ids else {})

  splits = {
    'train': records('train', *train),
    'test': records('test', *test),
  }
  return write_records(folder, features, splits, name=name, version=version)


def write_records(folder, features, splits, *, name, version='1.0.0'):
  """Writes `<folder>/<name>/<version>` with TFDS's own writer, shuffled by it.

  Args:
    features: `tfds.features` -> a dict of features.
    splits: {name: an iterable of (key, record)}.
  """
  pytest.importorskip('importlib_resources')
  import tensorflow_datasets as tfds

  class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version(version)

    def _info(self):
      return tfds.core.DatasetInfo(
        builder=self,
        features=tfds.features.FeaturesDict(features(tfds.features)),
        description='A tiny copy. With a second sentence.',
      )

    def _split_generators(self, dl_manager):
      return {k: self._generate_examples(v) for k, v in splits.items()}

    def _generate_examples(self, examples):
      yield from examples

  Tiny.name = name
  builder = Tiny(data_dir=folder, file_format='array_record')
  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(try_download_gcs=False)
  )
  return folder / name / version


@pytest.fixture(scope='session')
def files():
  """The writers above, for tests."""
  return types.SimpleNamespace(
    sha256=sha256,
    random_split=random_split,
    write_tar=write_tar,
    cifar10_members=cifar10_members,
    cifar100_members=cifar100_members,
    write_idx=write_idx,
    write_tfds=write_tfds,
    write_records=write_records,
    cifar10_names=CIFAR10_NAMES,
  )

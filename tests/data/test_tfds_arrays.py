import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from at_jax.data import cifar, load_dataset, mnist, tfds_arrays, tfds_folder
from at_jax.data.settings import Settings

BROKEN = 'train_00007', 'train_00011', 'test_00002'


@pytest.fixture(scope='module')
def splits(files):
  return files.random_split(23), files.random_split(7, seed=1)


@pytest.fixture(scope='module')
def whole(tmp_path_factory, files, splits):
  """A sound folder; tests that change it copy it."""
  folder = tmp_path_factory.mktemp('tfds')
  files.write_tfds(folder, *splits)
  return folder


@pytest.fixture(scope='module')
def damaged(tmp_path_factory, files, splits):
  folder = tmp_path_factory.mktemp('damaged')
  files.write_tfds(folder, *splits, broken=BROKEN)
  return folder


@pytest.fixture
def copy(whole, tmp_path):
  shutil.copytree(whole, tmp_path / 'copy')
  return tmp_path / 'copy'


def load(folder, **fields):
  return tfds_arrays.load_tfds(
    Settings(**dict(name='cifar10', dir=str(folder)) | fields)
  )


def edit_info(folder, **changes):
  path = folder / 'cifar10' / '3.0.2' / 'dataset_info.json'
  path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_folder_gives_the_images_in_the_order_of_their_ids(
  whole, files, splits
):
  data = load(whole)
  np.testing.assert_array_equal(data.train.images, splits[0][0])
  np.testing.assert_array_equal(data.train.labels, splits[0][1])
  np.testing.assert_array_equal(data.test.images, splits[1][0])
  np.testing.assert_array_equal(data.test.labels, splits[1][1])
  assert data.class_names == tuple(files.cifar10_names)
  assert data.source == f'TFDS cifar10/3.0.2 in {whole}: A tiny copy.'


def test_folder_and_archive_of_the_same_images_agree(
  whole, tmp_path, files, splits
):
  path = tmp_path / 'cifar-10-binary.tar.gz'
  files.write_tar(path, files.cifar10_members(*splits))
  archive = cifar.load_cifar10(
    Settings(name='cifar10', dir=str(tmp_path)), sha256=files.sha256(path)
  )
  assert archive.fingerprint == load(whole).fingerprint


def test_folder_wins_over_the_archive(copy):
  (copy / 'cifar-10-binary.tar.gz').write_bytes(b'not looked at')
  data = load_dataset({'name': 'cifar10', 'dir': str(copy), 'validation': 5})
  assert data.source.startswith('TFDS cifar10/3.0.2')
  assert (len(data.train), len(data.validation)) == (18, 5)


def test_grey_images_without_ids(tmp_path, files):
  train = files.random_split(9, (28, 28, 1))
  test = files.random_split(4, (28, 28, 1), seed=1)
  files.write_tfds(
    tmp_path, train, test, name='mnist', ids=False, version='3.0.1'
  )
  data = mnist.load_mnist(Settings(name='mnist', dir=str(tmp_path)))
  assert data.train.images.shape == (9, 28, 28, 1)
  key = lambda image: image.tobytes()  # noqa: E731
  want = {key(i): label for i, label in zip(*train, strict=True)}
  got = zip(data.train.images, data.train.labels, strict=True)
  assert {key(i): label for i, label in got} == want


def test_newest_version_by_number(copy):
  base = copy / 'cifar10'
  for other in ('3.0.10', '3.0.9', '10.0.0.incompleteABC', 'notes'):
    shutil.copytree(base / '3.0.2', base / other)
  (base / '4.0.0').mkdir()  # without a description: not a dataset
  assert load(copy).source.startswith('TFDS cifar10/3.0.10 ')


def test_no_folder_is_none(tmp_path):
  assert load(tmp_path) is None
  assert load(tmp_path / 'missing') is None


def test_tfrecord_names_the_conversion(copy):
  edit_info(copy, fileFormat='tfrecord')
  with pytest.raises(ValueError) as caught:
    load(copy)
  folder = copy / 'cifar10' / '3.0.2'
  assert 'prepared as tfrecord' in str(caught.value)
  assert (
    f'tfds convert_format --dataset_version_dir={folder} '
    '--out_file_format=array_record'
  ) in str(caught.value)


def test_a_converted_folder_is_read(copy, whole):
  edit_info(
    copy, fileFormat='tfrecord', alternativeFileFormats=['array_record']
  )
  assert load(copy).fingerprint == load(whole).fingerprint


def test_damaged_record_is_named_with_split_and_index(damaged):
  with pytest.raises(ValueError) as caught:
    load(damaged)
  text = str(caught.value)
  assert "of split 'train' is damaged" in text
  assert str(damaged) in text and 'skip_damaged=True' in text
  index = int(text.split('record ')[1].split()[0])
  assert raw_id(damaged, 'train', index) in BROKEN


def raw_id(folder, split, index):
  import tensorflow_datasets as tfds

  records = tfds.builder_from_directory(
    folder / 'cifar10' / '3.0.2'
  ).as_data_source(split, decoders={'image': tfds.decode.SkipDecoding()})
  return records[index]['id'].decode()


def test_damaged_records_are_left_out_and_counted(damaged, splits):
  data = load(damaged, skip_damaged=True)
  train = [i for i in range(23) if i not in (7, 11)]
  test = [i for i in range(7) if i != 2]
  np.testing.assert_array_equal(data.train.images, splits[0][0][train])
  np.testing.assert_array_equal(data.train.labels, splits[0][1][train])
  np.testing.assert_array_equal(data.test.images, splits[1][0][test])
  assert data.source.endswith(': A tiny copy. 3 damaged records left out.')


def test_one_unreadable_record_does_not_take_its_chunk_along(
  whole, splits, monkeypatch
):
  """The record's frame itself is broken: the read of a whole chunk fails."""
  from tensorflow_datasets.core.data_sources import base as data_sources

  base = data_sources.BaseDataSource
  many, one = base.__getitems__, base.__getitem__

  def fail(keys):
    if 6 in keys:
      raise RuntimeError('bad frame')

  monkeypatch.setattr(
    base, '__getitems__', lambda self, k: fail(k) or many(self, k)
  )
  monkeypatch.setattr(
    base, '__getitem__', lambda self, k: fail([k]) or one(self, k)
  )
  monkeypatch.setattr(tfds_arrays, 'CHUNK', 5)
  with pytest.raises(ValueError, match="record 6 of split 'train'.*bad frame"):
    load(whole)
  data = load(whole, skip_damaged=True)
  assert (len(data.train), len(data.test)) == (22, 6)
  assert '2 damaged records' in data.source


def test_image_of_another_size_is_a_damaged_record(copy):
  path = copy / 'cifar10' / '3.0.2' / 'features.json'
  path.write_text(path.read_text().replace('"32"', '"16"', 1))
  with pytest.raises(ValueError, match=r'wanted an image of shape \(16, 32'):
    load(copy)


def test_broken_description_is_named(copy):
  (copy / 'cifar10' / '3.0.2' / 'dataset_info.json').write_text('{"name":')
  with pytest.raises(ValueError, match='cannot be read') as caught:
    load(copy)
  assert str(copy) in str(caught.value)


@pytest.mark.parametrize('keep', [0, 100])
def test_broken_shard_is_named(copy, keep):
  (shard,) = (copy / 'cifar10' / '3.0.2').glob('cifar10-test.array_record*')
  data = shard.read_bytes()[:keep]
  shard.write_bytes(data)
  with pytest.raises(ValueError, match="split 'test'") as caught:
    load(copy)
  assert str(copy) in str(caught.value)


def test_missing_shard_is_named(copy):
  (shard,) = (copy / 'cifar10' / '3.0.2').glob('cifar10-train.array_record*')
  shard.unlink()
  with pytest.raises(ValueError, match="split 'train'") as caught:
    load(copy)
  assert str(copy) in str(caught.value)


def test_missing_split_is_named(copy):
  path = copy / 'cifar10' / '3.0.2' / 'dataset_info.json'
  splits = json.loads(path.read_text())['splits']
  edit_info(copy, splits=[s for s in splits if s['name'] == 'train'])
  with pytest.raises(ValueError, match="Unknown split 'test'.*: train"):
    load(copy)


def test_long_descriptions_are_cut():
  text = 'The CIFAR-10 dataset consists of 60000 32x32 colour images in 10.'
  cut = tfds_folder.first_sentence(text)
  assert len(cut) <= 60 and cut.endswith('…') and text.startswith(cut[:-1])
  assert tfds_folder.first_sentence('Version 1.5\nis it. No.') == (
    'Version 1.5 is it.'
  )


def test_tensorflow_is_not_imported(whole, tmp_path):
  # A package of that name, so that the test sees an import where none of the
  # real ones is installed.
  for name in ('tensorflow', 'torch'):
    (tmp_path / name).mkdir()
    (tmp_path / name / '__init__.py').write_text('')
  code = (
    'import sys; from at_jax.data import load_dataset; '
    f'fields = {{"dir": {str(whole)!r}}}; '
    'load_dataset(fields | {"name": "cifar10"}); '
    'load_dataset(fields | {"name": "tfds:cifar10"}).test.examples([0]); '
    'print([m for m in ("tensorflow", "torch") if m in sys.modules])'
  )
  path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
  done = subprocess.run(
    [sys.executable, '-c', code],
    capture_output=True,
    text=True,
    env=os.environ | {'PYTHONPATH': path},
  )
  assert done.stdout.strip() == '[]', done.stderr
  assert not done.stderr.strip()

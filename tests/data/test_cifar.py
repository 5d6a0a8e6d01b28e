import numpy as np
import pytest

from at_jax.data import cifar
from at_jax.data.settings import Settings


@pytest.fixture
def splits(files):
  return files.random_split(23), files.random_split(7, seed=1)


def load(folder, files, name='cifar10', **keywords):
  function = {
    'cifar10': cifar.load_cifar10,
    'cifar100': cifar.load_cifar100,
  }[name]
  archive = {'cifar10': cifar.CIFAR10, 'cifar100': cifar.CIFAR100}[name].file
  keywords.setdefault('sha256', files.sha256(folder / archive))
  return function(Settings(name=name, dir=str(folder)), **keywords)


def write10(folder, files, members):
  return files.write_tar(folder / 'cifar-10-binary.tar.gz', members)


def test_archive_gives_the_images_that_were_written(tmp_path, files, splits):
  train, test = splits
  write10(tmp_path, files, files.cifar10_members(train, test))
  data = load(tmp_path, files)
  np.testing.assert_array_equal(data.train.images, train[0])
  np.testing.assert_array_equal(data.train.labels, train[1])
  np.testing.assert_array_equal(data.test.images, test[0])
  np.testing.assert_array_equal(data.test.labels, test[1])
  assert data.class_names == tuple(files.cifar10_names)
  assert data.name == 'cifar10' and data.validation is None
  assert data.source == f'cifar-10-binary.tar.gz in {tmp_path}'


def test_pixels_are_planes_of_rows(tmp_path, files, splits):
  # Written out byte by byte: red, green and blue planes, rows top to bottom.
  record = bytearray(1 + 3072)
  record[0] = 4
  record[1 + 0 * 1024 + 2 * 32 + 5] = 10  # red, row 2, column 5
  record[1 + 1 * 1024 + 3 * 32 + 6] = 20  # green, row 3, column 6
  record[1 + 2 * 1024 + 31 * 32 + 0] = 30  # blue, last row, first column
  members = files.cifar10_members(*splits) | {'test_batch.bin': bytes(record)}
  write10(tmp_path, files, members)
  image = load(tmp_path, files).test.images[0]
  want = np.zeros((32, 32, 3), np.uint8)
  want[2, 5, 0], want[3, 6, 1], want[31, 0, 2] = 10, 20, 30
  np.testing.assert_array_equal(image, want)


def test_cifar100_takes_the_fine_labels(tmp_path, files):
  train = files.random_split(200, classes=100)
  test = files.random_split(100, classes=100, seed=1)
  files.write_tar(
    tmp_path / 'cifar-100-binary.tar.gz', files.cifar100_members(train, test)
  )
  data = load(tmp_path, files, 'cifar100')
  np.testing.assert_array_equal(data.train.images, train[0])
  np.testing.assert_array_equal(data.train.labels, train[1])
  np.testing.assert_array_equal(data.test.labels, np.arange(100))
  assert data.class_names[:2] == ('fine_0', 'fine_1')
  assert len(data.class_names) == 100


def test_wrong_checksum_names_file_both_hashes_and_the_way_out(
  tmp_path, files, splits
):
  path = write10(tmp_path, files, files.cifar10_members(*splits))
  with pytest.raises(ValueError) as caught:
    cifar.load_cifar10(Settings(name='cifar10', dir=str(tmp_path)))
  for text in (
    str(path),
    cifar.CIFAR10.sha256,
    files.sha256(path),
    'Delete it',
  ):
    assert text in str(caught.value)


@pytest.mark.parametrize('keep', [0, 1, 0.5, 0.99])
def test_truncated_archive_is_named(tmp_path, files, splits, keep):
  path = write10(tmp_path, files, files.cifar10_members(*splits))
  data = path.read_bytes()
  size = keep if isinstance(keep, int) else int(keep * len(data))
  path.write_bytes(data[:size])
  with pytest.raises(ValueError, match='truncated or damaged') as caught:
    load(tmp_path, files)
  assert str(path) in str(caught.value) and 'Delete it' in str(caught.value)


def test_member_of_a_wrong_size_is_named(tmp_path, files, splits):
  members = files.cifar10_members(*splits)
  members['data_batch_3.bin'] += b'x'
  write10(tmp_path, files, members)
  with pytest.raises(ValueError, match=r'data_batch_3\.bin has .* of 3073'):
    load(tmp_path, files)


def test_another_archive_is_refused(tmp_path, files, splits):
  members = files.cifar10_members(*splits)
  del members['data_batch_2.bin'], members['batches.meta.txt']
  write10(tmp_path, files, members)
  with pytest.raises(ValueError, match=r'no batches.*data_batch_2.*binary'):
    load(tmp_path, files)


def test_label_out_of_range_is_refused(tmp_path, files, splits):
  (images, labels), test = splits
  labels[3] = 10
  write10(tmp_path, files, files.cifar10_members((images, labels), test))
  with pytest.raises(ValueError, match='label 10 of example 3') as caught:
    load(tmp_path, files)
  assert 'cifar-10-binary.tar.gz' in str(caught.value)


def test_published_checksums_and_layout():
  tfds = pytest.importorskip('tensorflow_datasets')
  import pathlib

  sums = pathlib.Path(tfds.__file__).parent / 'url_checksums'
  for archive in (cifar.CIFAR10, cifar.CIFAR100):
    name = archive.title.lower().replace('-', '')
    assert archive.url in (sums / f'{name}.txt').read_text()
    assert archive.sha256 in (sums / f'{name}.txt').read_text()

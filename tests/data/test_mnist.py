import gzip
import pathlib

import numpy as np
import pytest

from at_jax.data import mnist
from at_jax.data.settings import Settings


@pytest.fixture
def written(tmp_path, files):
  """The four files in `tmp_path`, and what is in them."""
  train = files.random_split(12, (28, 28))
  test = files.random_split(5, (28, 28), seed=1)
  for prefix, (images, labels) in {'train': train, 't10k': test}.items():
    files.write_idx(tmp_path / f'{prefix}-images-idx3-ubyte.gz', images)
    files.write_idx(tmp_path / f'{prefix}-labels-idx1-ubyte.gz', labels)
  return tmp_path, train, test


def load(folder, files):
  found = {name: next(folder.rglob(name), None) for name in mnist.SHA256}
  sums = {k: files.sha256(v) if v else 'none' for k, v in found.items()}
  return mnist.load_mnist(Settings(name='mnist', dir=str(folder)), sha256=sums)


@pytest.mark.parametrize('below', ['', 'mnist'])
def test_idx_files_give_the_images_that_were_written(written, files, below):
  folder, train, test = written
  if below:
    (folder / below).mkdir()
    for name in mnist.SHA256:
      (folder / name).rename(folder / below / name)
  data = load(folder, files)
  np.testing.assert_array_equal(data.train.images, train[0][..., None])
  np.testing.assert_array_equal(data.train.labels, train[1])
  np.testing.assert_array_equal(data.test.images, test[0][..., None])
  np.testing.assert_array_equal(data.test.labels, test[1])
  assert data.class_names == tuple('0123456789')
  assert str(folder) in data.source


def test_wrong_checksum_is_refused(written, files):
  folder = written[0]
  with pytest.raises(ValueError) as caught:
    mnist.load_mnist(Settings(name='mnist', dir=str(folder)))
  name = 'train-images-idx3-ubyte.gz'
  for text in (name, mnist.SHA256[name], files.sha256(folder / name)):
    assert text in str(caught.value)


@pytest.mark.parametrize(
  'change, message',
  [
    (lambda data: data[:-1], 'header, but 3,919 bytes follow'),
    (lambda data: data + b'x', 'header, but 3,921 bytes follow'),
    (lambda data: data[:9], 'ends inside its header'),
    (lambda data: b'', 'got nothing'),
    (lambda data: b'\0\0\x0d\x03' + data[4:], 'magic 00000803.* 00000d03'),
    (lambda data: b'\0\0\x08\x01' + data[4:], 'magic 00000803.* 00000801'),
  ],
)
def test_damaged_contents_are_named(written, files, change, message):
  folder = written[0]
  path = folder / 't10k-images-idx3-ubyte.gz'
  path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
  with pytest.raises(ValueError, match=message) as caught:
    load(folder, files)
  assert str(path) in str(caught.value)
  assert 'Delete it' in str(caught.value)


def test_truncated_file_is_named(written, files):
  folder = written[0]
  path = folder / 'train-labels-idx1-ubyte.gz'
  path.write_bytes(path.read_bytes()[:-10])
  with pytest.raises(ValueError, match='truncated or damaged') as caught:
    load(folder, files)
  assert str(path) in str(caught.value)


def test_images_and_labels_of_different_number_are_refused(written, files):
  folder, (_, labels), _ = written
  files.write_idx(folder / 'train-labels-idx1-ubyte.gz', labels[:-1])
  with pytest.raises(ValueError, match='12 images but 11 labels'):
    load(folder, files)


def test_published_checksums():
  tfds = pytest.importorskip('tensorflow_datasets')
  sums = pathlib.Path(tfds.__file__).parent / 'url_checksums' / 'mnist.txt'
  rows = [line.split('\t') for line in sums.read_text().splitlines()]
  want = {url: digest for url, _, digest, _ in rows}
  assert {mnist.URL + k: v for k, v in mnist.SHA256.items()} == want

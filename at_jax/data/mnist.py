"""`mnist`: a TFDS folder, or the four original IDX files.

An IDX file is two zero bytes, a type (8 is uint8), the number of dimensions,
each of them as a big-endian 32-bit number, and the bytes.
"""

import gzip
import pathlib
import zlib

import numpy as np

from at_jax.data import archives, tfds_arrays
from at_jax.data.dataset import Dataset, Split
from at_jax.data.settings import Settings

URL = 'https://storage.googleapis.com/cvdf-datasets/mnist/'

SHA256 = {
  'train-images-idx3-ubyte.gz': (
    '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609'
  ),
  'train-labels-idx1-ubyte.gz': (
    '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c'
  ),
  't10k-images-idx3-ubyte.gz': (
    '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6'
  ),
  't10k-labels-idx1-ubyte.gz': (
    'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6'
  ),
}


def load_mnist(settings: Settings, *, sha256=SHA256) -> Dataset:
  """MNIST: 60,000 training and 10,000 test images, 28×28, one channel.

  Args:
    settings: files are looked for in `dir` and in `dir/mnist`, where they
      are downloaded to.
    sha256: checksums by file name.

  Raises:
    FileNotFoundError: neither here nor to be downloaded; with the ways out.
    ValueError: what was found is damaged or in the wrong format.
  """
  prepared = tfds_arrays.load_tfds(settings)
  if prepared is not None:
    return prepared
  paths = {name: _find(name, settings, sha256) for name in sha256}
  return Dataset(
    name=settings.name,
    source=f'IDX files in {settings.dir or settings.folder}',
    class_names=tuple('0123456789'),
    train=_split(paths, 'train'),
    validation=None,
    test=_split(paths, 't10k'),
  )


def _find(name, settings, sha256):
  """The checked path of one file, downloaded where it is missing."""
  own = settings.folder / 'mnist'
  for folder in (own, settings.folder):
    if (folder / name).exists():
      archives.check_sha256(folder / name, sha256[name])
      return folder / name
  try:
    return archives.download(URL + name, own, sha256[name])
  except OSError as error:
    raise archives.not_found(
      'MNIST',
      [
        tfds_arrays.looked_for(settings),
        f'the original IDX file {name} in {own} and in {settings.folder}',
      ],
      URL + name,
      f'{", ".join(sha256)} from {URL} into {own}',
      error,
    ) from None


def _split(paths, prefix):
  images_path = paths[f'{prefix}-images-idx3-ubyte.gz']
  images = read_idx(images_path, dimensions=3)
  labels = read_idx(paths[f'{prefix}-labels-idx1-ubyte.gz'], dimensions=1)
  return Split(images[..., None], labels.astype(np.int32))


def read_idx(path: pathlib.Path, *, dimensions: int) -> np.ndarray:
  """The uint8 array of a gzipped IDX file, with so many dimensions.

  Raises:
    ValueError: the file is truncated, damaged or something else; named.
  """
  way_out = 'Delete it and run again to download it anew.'
  try:
    with gzip.open(path, 'rb') as file:
      data = file.read()
  except (EOFError, zlib.error, OSError) as error:
    raise ValueError(
      f'{path} is truncated or damaged ({type(error).__name__}: {error}). '
      f'{way_out}'
    ) from error
  magic = bytes([0, 0, 8, dimensions])
  if data[:4] != magic:
    raise ValueError(
      f'{path} must begin with the IDX magic {magic.hex()} (uint8, '
      f'{dimensions} dimensions), got {data[:4].hex() or "nothing"}. {way_out}'
    )
  start = 4 + 4 * dimensions
  if len(data) < start:
    raise ValueError(f'{path} ends inside its header. {way_out}')
  shape = tuple(int(n) for n in np.frombuffer(data[4:start], '>u4'))
  if len(data) - start != np.prod(shape, dtype=np.int64):
    raise ValueError(
      f'{path} promises {shape} in its header, but {len(data) - start:,} '
      f'bytes follow. {way_out}'
    )
  return np.frombuffer(data, np.uint8, offset=start).reshape(shape)

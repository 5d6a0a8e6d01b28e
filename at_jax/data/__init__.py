"""Data sources by name.

Small sets are read into memory as uint8; `folder:`, `tfds:` and `chestxray14:`
are streamed.
"""

import collections.abc

from at_jax._arrays import unknown
from at_jax.data import splits
from at_jax.data.canvases import load_canvases
from at_jax.data.chestxray14 import load_chestxray14
from at_jax.data.cifar import load_cifar10, load_cifar100
from at_jax.data.dataset import Dataset, Split
from at_jax.data.digits import load_digits
from at_jax.data.folder import load_folder
from at_jax.data.glyphs import load_glyphs
from at_jax.data.mnist import load_mnist
from at_jax.data.noise import with_noisy_labels
from at_jax.data.settings import Settings
from at_jax.data.tfds_records import load_tfds_stream

__all__ = ('SOURCES', 'Dataset', 'Settings', 'Split', 'load_dataset')

# Each takes `Settings` and returns a `Dataset` with its whole training set.
SOURCES = {
  'digits': load_digits,
  'glyphs': load_glyphs,
  'canvases': load_canvases,
  'cifar10': load_cifar10,
  'cifar100': load_cifar100,
  'mnist': load_mnist,
  'folder': load_folder,
  'tfds': load_tfds_stream,
  'chestxray14': load_chestxray14,
}

# The sources that obey `data.size` and `data.channels`.
RESIZABLE = ('digits', 'folder', 'tfds', 'chestxray14')
# Those that are streamed, and want something behind a colon.
STREAMED = ('folder', 'tfds', 'chestxray14')


def load_dataset(settings: collections.abc.Mapping) -> Dataset:
  """Reads a data set and cuts off what is held out.

  Args:
    settings: the `data` part of a config, any mapping or ConfigDict; the
      fields are those of `Settings`, others are left alone.

  Returns:
    The data set, with `train` after both cuts (and with noisy labels),
    `validation` where one was asked for, and the whole official test set.

  Raises:
    FileNotFoundError: the data are not here and cannot be downloaded.
    ValueError: an unknown name or setting, or data that are damaged.

  Example:
    >>> data = load_dataset({'name': 'digits', 'validation': 200})
    >>> data.train.images.shape, len(data.validation), len(data.test)
    ((800, 8, 8, 1), 200, 797)
  """
  settings = Settings.read(settings)
  kind, colon, _ = settings.name.partition(':')
  if kind not in SOURCES or (colon and kind not in STREAMED):
    raise ValueError(unknown('dataset', settings.name, SOURCES))
  source = SOURCES[kind]
  if (settings.size or settings.channels) and kind not in RESIZABLE:
    raise ValueError(
      f'data.size={settings.size} and data.channels={settings.channels} must '
      f'be 0 for {settings.name!r}, whose images keep their own shape; only '
      f'{list(RESIZABLE)} can be resized.'
    )
  if kind not in STREAMED:
    settings.check_in_memory()
  elif settings.label_noise:
    raise ValueError(
      f'data.label_noise={settings.label_noise} must be 0 for '
      f'{settings.name!r}, which is streamed: it is for sets in memory.'
    )
  dataset = source(settings)
  dataset = splits.cut(dataset, settings.validation, settings.train_examples)
  if settings.label_noise:
    level, seed = settings.label_noise, settings.noise_seed
    dataset = with_noisy_labels(dataset, level, seed)
  return dataset

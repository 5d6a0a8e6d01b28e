"""`digits`: the 1,797 real 8×8 scans that ship with scikit-learn."""

import numpy as np

from at_jax.data.dataset import Dataset, Split
from at_jax.data.settings import Settings

TRAIN = 1000  # of 1,797; the other 797 are the test set
SOURCE = 'scikit-learn digits'


def load_digits(settings: Settings) -> Dataset:
  """Reads the digits; nothing is downloaded.

  The pixels 0..16 become 0..255. There is no official split: a fixed
  permutation gives 1,000 training and 797 test images.

  Args:
    settings: `size` enlarges the images bilinearly, `channels` = 3 repeats
      the grey channel.

  Raises:
    ValueError: `channels` is neither 0, 1 nor 3.
  """
  if settings.channels not in (0, 1, 3):
    raise ValueError(
      'data.channels of digits must be 1 or 3 (0 is 1), got '
      f'{settings.channels}.'
    )
  import sklearn.datasets

  raw = sklearn.datasets.load_digits()
  images = np.rint(raw.images * (255 / 16)).astype(np.uint8)
  if settings.size not in (0, *images.shape[1:2]):
    images = _resize(images, settings.size)
  images = np.repeat(images[..., None], settings.channels or 1, axis=-1)
  whole = Split(images, raw.target.astype(np.int32))
  order = np.random.RandomState(0).permutation(len(whole))
  return Dataset(
    name='digits',
    source=SOURCE,
    class_names=tuple('0123456789'),
    train=whole.take(order[:TRAIN]),
    validation=None,
    test=whole.take(order[TRAIN:]),
  )


def _resize(images, size):
  from PIL import Image

  return np.stack(
    [
      np.asarray(
        Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
      )
      for image in images
    ]
  )

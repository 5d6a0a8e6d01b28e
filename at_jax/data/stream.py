"""Batches of images that are decoded while the device trains.

Which images a batch holds, and how each is cropped, follows from the seed, the
epoch and the image's index alone. It is the same for any number of threads,
workers and hosts, and a run goes on at any step without anything having been
saved.
"""

import functools
import os

import numpy as np

AHEAD = 4  # batches that lie ready


class Order:
  """Random access to what a host trains on: (epoch, index of the image).

  Each epoch is a permutation of all images; what is left of it after whole
  batches is left out. Every host has its part of each batch.
  """

  def __init__(
    self,
    count,
    *,
    seed,
    batch_size,
    epochs,
    first_step=0,
    host=0,
    hosts=1,
  ):
    """Args:
    count: number of images.
    seed: of the run.
    batch_size: over all hosts, a multiple of their number.
    epochs: int.
    first_step: where to go on.
    host: which of the hosts this is.
    hosts: how many there are.
    """
    self._count, self._seed, self._batch = count, seed, batch_size
    self._first, self._host = first_step, host
    self.local = batch_size // hosts
    self._epoch_steps = count // batch_size
    self._steps = self._epoch_steps * epochs

  def __len__(self):
    return (self._steps - self._first) * self.local

  def __getitem__(self, place):
    step, slot = divmod(int(place), self.local)
    epoch, step = divmod(self._first + step, self._epoch_steps)
    order = _permutation(self._seed, epoch, self._count)
    slot += self._host * self.local
    return epoch, int(order[step * self._batch + slot])


@functools.lru_cache(maxsize=2)  # the epoch, and the next where they meet
def _permutation(seed, epoch, count):
  # RandomState, whose stream NumPy has frozen for good.
  return np.random.RandomState((seed, epoch)).permutation(count)


class InOrder:
  """(0, index) of a host's part of each batch of a split, for evaluation.

  Where images run out, the last one is repeated: `mask` says so.
  """

  def __init__(self, count, *, batch_size, host=0, hosts=1):
    """Args: as those of `Order`."""
    self._count, self._batch, self._host = count, batch_size, host
    self.local = batch_size // hosts

  def __len__(self):
    return -(-self._count // self._batch) * self.local

  def __getitem__(self, place):
    return 0, min(self._global(place), self._count - 1)

  def _global(self, place):
    step, slot = divmod(int(place), self.local)
    return step * self._batch + self._host * self.local + slot

  def mask(self, batch):
    """Which examples of this host's part of a batch are no padding."""
    places = range(batch * self.local, (batch + 1) * self.local)
    return np.array([self._global(place) < self._count for place in places])


def batches(order, load, *, threads=0, workers=0):
  """An iterator over a host's parts of batches: a dict of arrays.

  Args:
    order: an `Order` or an `InOrder`.
    load: (epoch, index) -> a dict of arrays, like a `Loader`.
    threads: that decode; 0 is one for each core. Pillow decodes without
      Python's lock.
    workers: processes that do it instead; worth it where threads wait for each
      other.
  """
  import grain.python as grain

  threads = threads or os.cpu_count()
  dataset = grain.MapDataset.source(order).map(load)
  dataset = dataset.batch(order.local, drop_remainder=True)
  dataset = dataset.to_iter_dataset(
    grain.ReadOptions(num_threads=threads, prefetch_buffer_size=AHEAD)
  )
  if workers:
    _parse_flags()
    dataset = dataset.mp_prefetch(
      grain.MultiprocessingOptions(num_workers=workers)
    )
  return iter(dataset)


def _parse_flags():
  """Grain's workers read flags of absl's, which pytest and notebooks lack."""
  from absl import flags

  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()

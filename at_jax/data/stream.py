"""Batches of images that are decoded while the device trains.

Which images a batch holds, and how each is cropped, follows from the seed, the
epoch and the image's index alone. It is the same for any number of threads,
workers and hosts, and a run goes on at any step without anything having been
saved.
"""

import functools
import multiprocessing
import os
import re
import signal
import sys
import threading

import numpy as np

AHEAD = 2  # batches that lie ready
LEFT_TO_PARENT = (signal.SIGINT, signal.SIGTERM)


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
  """A generator of a host's parts of batches: a dict of arrays.

  Args:
    order: an `Order` or an `InOrder`.
    load: (epoch, index) -> a dict of arrays, like a `Loader`.
    threads: that decode; 0 is one for each core. Pillow decodes without
      Python's lock.
    workers: processes that do it instead, a thread each; worth it where
      threads wait for each other.

  Raises:
    OSError: a worker ended, for want of memory most likely.
  """
  done = 0
  while True:
    found = _iterator(_Rest(order, done * order.local), load, threads, workers)
    try:
      for batch in found:
        done += 1
        yield batch
      return
    except RuntimeError as error:
      _check_signalled(error)
    finally:
      found.close()


def _iterator(order, load, threads, workers):
  import grain.python as grain

  dataset = grain.MapDataset.source(order).map(load)
  if not workers:
    threads = threads or os.cpu_count()
    ahead = max(AHEAD * order.local, threads)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)
    dataset = dataset.to_iter_dataset(options)
    return iter(dataset.batch(order.local, drop_remainder=True))
  _parse_flags()
  _quiet_tracker()
  # Whole batches go to a worker, so that what is in one does not depend on
  # their number.
  dataset = dataset.batch(order.local, drop_remainder=True)
  options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
  dataset = dataset.to_iter_dataset(options)
  options = grain.MultiprocessingOptions(num_workers=workers)
  return iter(dataset.mp_prefetch(options, worker_init_fn=_begin_worker))


class _Rest:
  """What follows in an order after the first `begin` places."""

  def __init__(self, order, begin):
    self._order, self._begin, self.local = order, begin, order.local

  def __len__(self):
    return len(self._order) - self._begin

  def __getitem__(self, place):
    return self._order[self._begin + int(place)]


def _begin_worker(index, count):
  """Leaves Ctrl-C to the parent, and ends with it.

  A terminal sends Ctrl-C to workers, too. The parent has a step to finish
  then, for which it needs them, and ends them itself.
  """
  for number in LEFT_TO_PARENT:
    signal.signal(number, signal.SIG_IGN)

  def watch():
    multiprocessing.parent_process().join()
    os._exit(1)  # it was killed, and nobody takes what lies ready

  threading.Thread(target=watch, daemon=True).start()


def _check_signalled(error):
  """Returns where a worker got a signal before it could ignore it.

  Others are started in its place then, from the same batch on.
  """
  code = re.search(r'Worker process .* exit code (-?\d+)', str(error))
  if code is None:
    raise error
  if -int(code[1]) not in LEFT_TO_PARENT:
    raise OSError(
      f'A process that reads images has ended (exit code {code[1]}); -9 is '
      'most often a lack of memory. Run the same command again with fewer '
      '--config.data.workers, or 0.'
    ) from error


def _parse_flags():
  """Grain's workers read flags of absl's, which pytest and notebooks lack."""
  from absl import flags

  if not flags.FLAGS.is_parsed():
    flags.FLAGS.mark_as_parsed()


def _quiet_tracker():
  """Python's tracker of shared memory, a process, shall free without a word.

  Batches that lie ready when a run is stopped are what it would warn of.
  """
  option = 'ignore:resource_tracker'
  if option not in sys.warnoptions:
    sys.warnoptions.append(option)

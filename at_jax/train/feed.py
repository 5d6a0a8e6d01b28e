"""Where training steps and evaluations get their batches from.

Either all images lie on the devices, and a compiled function finds its batch
among them, or each batch is read from files while the devices work. In both
cases `take`, compiled into the step or the evaluation, makes a batch of what a
feed hands over.
"""

import contextlib
import math

import jax
import numpy as np

from at_jax.data.in_memory import take_batch
from at_jax.data.streamed import Streamed
from at_jax.train.mesh import put, put_shares, replicated, split


def taker(dataset, *, batch_size, steps_per_epoch):
  """(step, *data) -> a batch, for `make_step`."""
  if not dataset.in_memory:
    return lambda step, batch: batch

  def take(step, train_split, order):
    index = step % steps_per_epoch
    return take_batch(train_split, order, index, batch_size)

  return take


class ResidentFeed:
  """Hands over the whole training set and the epoch's order."""

  def __init__(self, train_split, find_order, steps_per_epoch):
    """Args:
    train_split: {'image', 'label'} on the devices.
    find_order: state -> the order of the images in its epoch.
    steps_per_epoch: int.
    """
    self._split, self._find_order = train_split, find_order
    self._steps, self._order = steps_per_epoch, None

  def __call__(self, state, step):
    """The arguments `*data` of the step."""
    if self._order is None or step % self._steps == 0:
      self._order = self._find_order(state)
    return self._split, self._order

  def close(self):
    """Nothing is open."""


class StreamFeed:
  """Hands over one batch after the other."""

  def __init__(self, streamed, mesh, *, seed, batch_size, epochs, first_step):
    """Args:
    streamed: a `Streamed` of training images.
    mesh: where batches go.
    seed, batch_size, epochs, first_step: see `Streamed.training_batches`.
    """
    self._mesh = mesh
    self._batches = streamed.training_batches(
      seed=seed,
      batch_size=batch_size,
      epochs=epochs,
      first_step=first_step,
      **_hosts(),
    )

  def __call__(self, state, step):
    """The arguments `*data` of the next step."""
    return (put_shares(next(self._batches), split(self._mesh)),)

  def close(self):
    """Ends threads and workers."""
    self._batches.close()


class ResidentBatches:
  """A split that stays on the devices, batch by batch for an evaluation."""

  def __init__(self, examples, *, batch_size, mesh):
    count = len(examples)
    size = _whole(min(batch_size, count), mesh)
    self._count = math.ceil(count / size)
    padding = self._count * size - count

    def pad(array):
      return np.pad(array, [(0, padding)] + [(0, 0)] * (array.ndim - 1))

    data = {
      'image': pad(examples.images),
      'label': pad(examples.labels),
      'mask': np.arange(count + padding) < count,
    }
    if examples.has_boxes:
      data['boxes'] = pad(examples.boxes)
    self._data = put(data, replicated(mesh))
    self._size = size

  def __iter__(self):
    return ((self._data, index) for index in range(self._count))

  def take(self, data, index):
    """A batch with 'mask', false on padding; for inside a jitted function."""
    return jax.tree.map(
      lambda x: jax.lax.dynamic_slice_in_dim(x, index * self._size, self._size),
      data,
    )


class StreamBatches:
  """A split that is read anew for every evaluation."""

  def __init__(self, streamed, *, batch_size, mesh):
    self._streamed, self._mesh = streamed, mesh
    self._size = _whole(min(batch_size, len(streamed)), mesh)

  def __iter__(self):
    found = self._streamed.evaluation_batches(batch_size=self._size, **_hosts())
    with contextlib.closing(found):
      for batch in found:
        yield (put_shares(batch, split(self._mesh)),)

  def take(self, batch):
    """The batch as it is."""
    return batch


def batches_of(examples, *, batch_size, mesh):
  """`ResidentBatches` or `StreamBatches` of a split."""
  streams = isinstance(examples, Streamed)
  kind = StreamBatches if streams else ResidentBatches
  return kind(examples, batch_size=batch_size, mesh=mesh)


def _whole(size, mesh):
  """The next multiple of the number of devices."""
  return math.ceil(size / mesh.size) * mesh.size


def _hosts():
  return dict(host=jax.process_index(), hosts=jax.process_count())

"""Exact evaluation: padded to whole batches, the padding masked out."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np

from at_jax.data.augment import normalise
from at_jax.losses import cross_entropy
from at_jax.train.mesh import put, replicated, split


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """Results per example, in the order of the data."""

  losses: np.ndarray
  predictions: np.ndarray
  labels: np.ndarray

  @property
  def error(self):
    """Wrong predictions in percent."""
    return 100.0 * float(np.mean(self.predictions != self.labels))

  @property
  def loss(self):
    """Mean cross-entropy; no term of a transfer objective is in it."""
    return float(np.mean(self.losses, dtype=np.float64))

  def as_dict(self, prefix):
    return {f'{prefix}_error': self.error, f'{prefix}_loss': self.loss}


class Evaluator:
  """Evaluates one network on one split that stays on the devices."""

  def __init__(self, network, images, labels, *, batch_size, mesh, precision):
    count = len(labels)
    size = min(batch_size, count)
    size = math.ceil(size / mesh.size) * mesh.size
    self._batches = math.ceil(count / size)
    padding = self._batches * size - count

    def pad(array):
      rest = [(0, 0)] * (array.ndim - 1)
      return np.pad(array, [(0, padding), *rest])

    self._labels = labels
    self._data = put(
      {
        'image': pad(images),
        'label': pad(labels),
        'mask': np.arange(count + padding) < count,
      },
      replicated(mesh),
    )

    @functools.partial(jax.jit, out_shardings=replicated(mesh))
    def evaluate(variables, data, index):
      batch = jax.tree.map(
        lambda x: jax.lax.dynamic_slice_in_dim(x, index * size, size), data
      )
      batch = jax.lax.with_sharding_constraint(batch, split(mesh))
      images = normalise(batch['image'], network.mean, network.std)
      with jax.default_matmul_precision(precision):
        logits, _ = network.apply(variables, images)
      losses = cross_entropy(logits, batch['label'])
      return {
        'losses': jnp.where(batch['mask'], losses, 0.0),
        'predictions': jnp.argmax(logits, axis=-1),
      }

    self._evaluate = evaluate

  def __call__(self, variables):
    """An `Evaluation` of the network with these variables."""
    parts = [
      self._evaluate(variables, self._data, index)
      for index in range(self._batches)
    ]
    count = len(self._labels)
    whole = {
      key: np.concatenate([np.asarray(part[key]) for part in parts])[:count]
      for key in ('losses', 'predictions')
    }
    return Evaluation(labels=self._labels, **whole)

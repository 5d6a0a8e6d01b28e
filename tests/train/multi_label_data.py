"""Noise with bright squares, several or none an image, and a network for it."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from at_jax.data.dataset import Dataset, Split

CLASSES = ('red', 'green', 'blue', 'never')


class MapNet(nn.Module):
  """Takes A3Net's place: a softmax over positions for each class, no more."""

  num_classes: int = 4
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    del train
    x = nn.Conv(4, (3, 3), 2, dtype=self.dtype)(images)
    both = nn.Conv(2 * self.num_classes, (1, 1), dtype=self.dtype)(nn.relu(x))
    logits, scores = jnp.split(both, 2, axis=-1)
    attention = jax.nn.softmax(logits, axis=(1, 2))
    ends = {'group1': x, 'attention/group1': attention}
    return jnp.sum(attention * scores, axis=(1, 2)), ends


def squares(count, seed):
  """A `Split`: class c is a square in colour c; of `never` there is none."""
  rng = np.random.default_rng(seed)
  images = rng.integers(0, 150, (count, 8, 8, 3)).astype(np.uint8)
  labels = np.zeros((count, 4), np.int32)
  labels[:, :3] = rng.random((count, 3)) < 0.4
  boxes = np.full((count, 3, 5), -1, np.float32)
  for i, c in np.argwhere(labels):
    y, x = rng.integers(0, 5, 2)
    images[i, y : y + 4, x : x + 4, c] = 255
    boxes[i, c] = y, x, y + 4, x + 4, c
  groups = np.arange(count, dtype=np.int32) // 2
  return Split(images, labels, boxes, groups)


def dataset(**changes):
  splits = dict(
    train=squares(32, 0), validation=squares(12, 1), test=squares(24, 2)
  )
  return Dataset('squares', 'made here', CLASSES, **splits | changes)

"""The in-memory engine: the whole set lives on the device as uint8.

A training step finds its batch from the epoch's order and its own number, so
the position in the data is the step, and nothing else has to be saved.
"""

import jax
import jax.numpy as jnp


def epoch_order(key, epoch, examples):
  """A permutation of all examples, from the run's key and the epoch alone."""
  return jax.random.permutation(jax.random.fold_in(key, epoch), examples)


def take_batch(split, order, index, batch_size):
  """Batch number `index` of an epoch: images uint8 [B, H, W, C], labels [B].

  The last partial batch of an epoch is left out: `index` goes up to
  examples // batch_size - 1.
  """
  rows = jax.lax.dynamic_slice(order, (index * batch_size,), (batch_size,))
  return {
    name: jnp.take(split[name], rows, axis=0, mode='clip')
    for name in ('image', 'label')
  }

"""The order of an epoch, and the batches cut out of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax.data.in_memory import epoch_order, take_batch

COUNT = 23
SPLIT = {
  'image': jnp.arange(COUNT, dtype=jnp.uint8).reshape(COUNT, 1, 1, 1),
  'label': jnp.arange(COUNT, dtype=jnp.int32) % 10,
}


def order(seed, epoch):
  return np.asarray(epoch_order(jax.random.key(seed), epoch, COUNT))


def test_order_is_a_permutation_of_all_examples():
  for epoch in range(3):
    np.testing.assert_array_equal(np.sort(order(0, epoch)), np.arange(COUNT))


def test_order_depends_on_key_and_epoch_alone():
  np.testing.assert_array_equal(order(0, 1), order(0, 1))
  orders = [order(0, 0), order(0, 1), order(0, 2), order(1, 0), order(1, 1)]
  assert len({x.tobytes() for x in orders}) == 5
  traced = jax.jit(lambda key, epoch: epoch_order(key, epoch, COUNT))
  np.testing.assert_array_equal(traced(jax.random.key(0), 2), orders[2])


def test_every_example_has_its_chance_to_come_first():
  firsts = {order(0, epoch)[0] for epoch in range(100)}
  assert len(firsts) > 15


@pytest.mark.parametrize('batch_size', [1, 4, 7, 23])
def test_batches_cover_each_example_at_most_once(batch_size):
  places = jnp.asarray(order(0, 0))
  take = jax.jit(take_batch, static_argnames='batch_size')
  batches = [
    take(SPLIT, places, index, batch_size=batch_size)
    for index in range(COUNT // batch_size)
  ]
  seen = np.concatenate([b['image'].ravel() for b in batches])
  # In the order, without the last partial batch.
  np.testing.assert_array_equal(seen, places[: len(seen)])
  assert len(seen) == COUNT // batch_size * batch_size
  for batch in batches:
    assert batch['image'].dtype == jnp.uint8
    assert batch['image'].shape == (batch_size, 1, 1, 1)
    np.testing.assert_array_equal(batch['label'], batch['image'].ravel() % 10)

"""One training step: a golden one, what it is fed, chunks, dtypes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import (
  MEAN,
  STD,
  assert_trees_close,
  assert_trees_equal,
  random_split,
)
from step_runs import (
  BATCH,
  COUNT,
  DATA,
  STEPS,
  TAKE,
  augmented,
  recorder,
  tiny_setup,
  wrn_setup,
)

from at_jax.data.in_memory import epoch_order
from at_jax.train.checkpoint import tree_digest
from at_jax.train.state import named_key, step_key
from at_jax.train.step import make_step

# Of jax 0.10.2 on a CPU.
GOLDEN = {
  'loss': 3.51022,
  'train_error': 87.5,
  'ce': 2.33722,
  'kd': 3.06879,
  'at': 0.051459,
  'at/group1': 0.00391595,
  'at/group2': 0.0155648,
  'at/group3': 0.0319783,
  'weight/ce': 0.1,
  'weight/kd': 0.9,
  'weight/at': 10.0,
  'grad_norm': 2.4645,
  'lr': 0.1,
  'norm of params': 27.7107,
  'norm of the update': 0.246453,
  'norm of the update of conv0': 0.051477,
  'norm of momentum': 2.46453,
  'momentum times params': 0.366237,
  'norm of batch_stats': 14.8964,
}


def product(one, other):
  leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
  return sum(np.vdot(a, b) for a, b in leaves)


def norm(tree):
  return np.sqrt(product(tree, tree))


def test_golden_first_step():
  setup = wrn_setup()
  state = setup.initialised()
  before = jax.device_get(state.params)
  state, (metrics,) = setup.run(1, state=state)
  after, momentum, batch_stats = jax.device_get(
    (state.params, state.opt_state[1].inner.trace, state.batch_stats)
  )
  update = jax.tree.map(np.subtract, after, before)
  got = metrics | {
    'norm of params': norm(after),
    'norm of the update': norm(update),
    'norm of the update of conv0': norm(update['student']['conv0']),
    'norm of momentum': norm(momentum),
    # Mostly weight decay: gradients stand upright on scale-free weights.
    'momentum times params': product(momentum, before),
    'norm of batch_stats': norm(batch_stats),
  }
  assert set(got) == set(GOLDEN), 'metrics came or went: say so in GOLDEN'
  for name, want in GOLDEN.items():
    np.testing.assert_allclose(
      float(got[name]),
      want,
      rtol=1e-3,
      err_msg=(
        f'{name} of the first step moved. If that was the point of your '
        'change, write the new value into GOLDEN and say why in the commit.'
      ),
    )
  assert state.step == 1


def test_same_state_twice_is_bitwise_the_same():
  setup = wrn_setup()
  (one, first), (other, second) = setup.run(3), setup.run(3)
  assert first == second
  assert tree_digest(one) == tree_digest(other)


def test_another_seed_is_another_run():
  setup = wrn_setup()
  _, (first,) = setup.run(1)
  _, (second,) = setup.run(1, state=setup.state(seed=1))
  assert first['loss'] != second['loss']  # same weights, another augmentation


def test_teacher_is_left_alone_and_one_compilation_is_enough():
  setup = wrn_setup()
  before = tree_digest(setup.teacher_variables)
  state, _ = setup.run(5)
  assert state.step == 5
  assert tree_digest(setup.teacher_variables) == before
  assert setup.chunk._cache_size() == 1
  # Teachers are an argument: another one does not retrace.
  setup.chunk(
    state,
    jax.tree.map(lambda x: x * 1, setup.teacher_variables),
    setup.split,
    setup.order(0),
    length=1,
  )
  assert setup.chunk._cache_size() == 1


def test_state_is_donated():
  setup = wrn_setup()
  state = setup.state()
  setup.run(1, state=state)
  assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))


def test_metrics_tell_the_learning_rate_of_the_step():
  _, history = tiny_setup().run(4)  # the drop is at the start of epoch 2
  rates = [float(metrics['lr']) for metrics in history]
  np.testing.assert_allclose(rates, [0.1, 0.1, 0.02, 0.02], rtol=1e-6)


def test_batches_are_the_rows_of_the_order():
  """Not augmented: step k of an epoch sees rows [k * 16, (k + 1) * 16)."""
  seen = recorder(data=DATA | dict(pad=0, flip=False))(0, 5)
  raw, key = random_split(COUNT), named_key(jax.random.key(0), 'order')
  for step, batch in enumerate(seen):
    order = np.asarray(epoch_order(key, step // STEPS, COUNT))
    begin = step % STEPS * BATCH
    rows = order[begin : begin + BATCH]
    np.testing.assert_array_equal(batch['label'], raw['label'][rows])
    want = (raw['image'][rows] - np.array(MEAN)) / STD
    np.testing.assert_allclose(batch['image'], want, rtol=1e-5, atol=1e-6)
    assert batch['step'] == step
  # Two epochs of two steps: the last 8 of each order were left out.
  assert STEPS * BATCH == 32 and COUNT == 40


def test_augmentation_is_a_function_of_key_and_step():
  seen, raw = recorder()(3, 3), random_split(COUNT)
  key = jax.random.key(3)
  for step, batch in enumerate(seen):
    order = epoch_order(named_key(key, 'order'), step // STEPS, COUNT)
    rows = np.asarray(order)[step % STEPS * BATCH :][:BATCH]
    want = augmented(key, step, raw['image'][rows])
    np.testing.assert_allclose(batch['image'], want, rtol=1e-6, atol=1e-6)


def test_randomness_has_named_uses():
  key = jax.random.key(0)
  keys = [
    key,
    named_key(key, 'order'),
    named_key(key, 'augment'),
    step_key(key, 0, 'augment'),
    step_key(key, 1, 'augment'),
    step_key(key, 0, 'objective'),
  ]
  assert len({jax.random.key_data(k).tobytes() for k in keys}) == len(keys)
  seen = [batch['key'].tobytes() for batch in recorder()(0, 3)]
  want = [
    np.asarray(jax.random.key_data(step_key(key, s, 'objective'))).tobytes()
    for s in range(3)
  ]
  assert seen == want


def test_a_scanned_chunk_is_the_steps_one_by_one():
  stepwise, scanned = tiny_setup(), tiny_setup(scan=True)
  one, first = stepwise.run(4)
  other, second = scanned.run(4, length=2)
  assert other.step == one.step == 4
  for left, right in zip(first, second, strict=True):
    assert_trees_close(right, left, rtol=1e-4, atol=1e-6)
  assert_trees_close(other.params, one.params, rtol=1e-4, atol=1e-5)
  assert_trees_close(other.batch_stats, one.batch_stats, rtol=1e-4, atol=1e-5)
  assert_trees_close(other.opt_state, one.opt_state, rtol=1e-4, atol=1e-5)
  assert_trees_equal(
    jax.random.key_data(other.key), jax.random.key_data(one.key)
  )


def test_bfloat16_is_activations_only():
  setup = tiny_setup(dtype=jnp.bfloat16)
  state, history = setup.run(2)
  for tree in (state.params, state.batch_stats, state.opt_state):
    for leaf in jax.tree.leaves(tree):
      assert leaf.dtype in (jnp.float32, jnp.int32)
  for metrics in history:
    for name, value in metrics.items():
      assert value.dtype == np.float32 and np.isfinite(value), name
  _, exact = tiny_setup().run(1)
  np.testing.assert_allclose(history[0]['loss'], exact[0]['loss'], rtol=0.05)
  assert history[0]['loss'] != exact[0]['loss']


def test_unknown_batch_norm_names_the_nearest_and_all():
  setup = tiny_setup()
  with pytest.raises(ValueError) as error:
    make_step(
      setup.objective,
      setup.optimizer,
      None,
      data=DATA,
      normalisation=((0.0,), (1.0,)),
      take=TAKE,
      mesh=setup.mesh,
      bn='per-device',
    )
  for word in ("'per-device'", "mean 'per_device'", 'global'):
    assert word in str(error.value)

"""Eight devices give what one gives; batch norm per device is its own thing."""

import jax
import numpy as np
from small_networks import (
  assert_trees_close,
  assert_trees_equal,
  random_split,
)
from step_runs import (
  BATCH,
  COUNT,
  augmented,
  keep_gradients,
  recorder,
  tiny_setup,
  wrn_setup,
)

GRADIENTS = keep_gradients()


def test_augmented_batches_are_bitwise_those_of_one_device():
  one, eight = recorder()(0, 3), recorder(devices=8)(0, 3)
  for left, right in zip(one, eight, strict=True):
    assert_trees_equal(right, left)


def test_eight_devices_train_as_one_and_compile_once(caplog):
  one, first = wrn_setup().run(3)
  with jax.log_compiles():  # the only test that compiles this set-up
    eight, second = wrn_setup(devices=8).run(3)
  messages = [record.getMessage() for record in caplog.records]
  finished = 'Finished XLA compilation of jit(chunk)'
  assert len([text for text in messages if finished in text]) == 1
  assert len(eight.params['student']['conv0']['kernel'].devices()) == 8
  np.testing.assert_allclose(second[0]['loss'], first[0]['loss'], rtol=1e-5)
  for left, right in zip(first, second, strict=True):
    assert_trees_close(right, left, rtol=1e-4, atol=1e-5)
  assert_trees_close(eight.params, one.params, rtol=1e-4, atol=1e-5)
  assert_trees_close(eight.batch_stats, one.batch_stats, rtol=1e-4, atol=1e-5)


def first_gradient(**kwargs):
  """(gradient, batch_stats, metrics) of the first step."""
  state, (metrics,) = tiny_setup(optimizer=GRADIENTS, **kwargs).run(1)
  return state.opt_state, state.batch_stats, metrics


def first_batch(setup):
  """The first step's batch, made by hand."""
  raw, rows = random_split(COUNT), np.asarray(setup.order(0))[:BATCH]
  images = augmented(jax.random.key(0), 0, raw['image'][rows])
  return {'image': images, 'label': raw['label'][rows]}


def test_per_device_on_one_device_is_global():
  alone = first_gradient(bn='per_device')
  for got, want in zip(alone, first_gradient(), strict=True):
    assert_trees_close(got, want, rtol=1e-4, atol=1e-6)


def test_per_device_is_the_mean_of_what_the_shares_give():
  setup = tiny_setup(optimizer=GRADIENTS)
  state, batch = setup.state(), first_batch(setup)
  differentiate = jax.jit(
    jax.value_and_grad(setup.objective.loss, has_aux=True)
  )
  shares = [
    jax.device_get(
      differentiate(
        state.params,
        state.batch_stats,
        setup.teacher_variables,
        jax.tree.map(lambda x, d=d: x[2 * d : 2 * d + 2], batch),
        state.key,
        state.step,
      )
    )
    for d in range(8)
  ]
  (_, (want_stats, want_metrics)), want_grads = jax.tree.map(
    lambda *numbers: np.mean(numbers, axis=0), *shares
  )
  grads, batch_stats, metrics = first_gradient(bn='per_device', devices=8)
  assert_trees_close(grads, want_grads, rtol=1e-3, atol=1e-5)
  assert_trees_close(batch_stats, want_stats, rtol=1e-4, atol=1e-5)
  assert set(metrics) == set(want_metrics) | {'lr', 'grad_norm'}
  for name, want in want_metrics.items():
    np.testing.assert_allclose(metrics[name], want, rtol=1e-4, err_msg=name)
  # The norm of the mean, not the mean of the norms.
  norm = np.sqrt(sum(np.sum(g**2) for g in jax.tree.leaves(want_grads)))
  np.testing.assert_allclose(metrics['grad_norm'], norm, rtol=1e-4)


def test_per_device_on_eight_devices_is_not_global():
  shares, whole = (
    np.asarray(grads['student']['Conv_0']['kernel'])
    for grads, _, _ in (
      first_gradient(bn='per_device', devices=8),
      first_gradient(),
    )
  )
  assert np.linalg.norm(shares - whole) > 0.05 * np.linalg.norm(whole)

"""Gradients of a term's own parameters over several devices."""

import functools

import jax
import numpy as np
import pytest
import step_runs
from small_networks import (
  assert_trees_close,
  random_split,
  tiny_network,
  variables_of,
)

from configs import common

TERMS = dict(
  ce=dict(weight=common.constant(0.1)),
  activation=dict(
    weight=common.constant(100.0), taps=common.same('group1', 'group2')
  ),
)
DEVICES, SHARE = 2, step_runs.BATCH // 2


@pytest.fixture(scope='module')
def make():
  """bn -> a set-up of F-ActT on two devices that keeps its gradients."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(step_runs, 'terms', lambda taps: TERMS)
    yield functools.cache(
      lambda bn: step_runs.Setup(
        tiny_network(width=4),
        tiny_network(width=8),
        taps=None,
        devices=DEVICES,
        bn=bn,
        optimizer=step_runs.keep_gradients(),
      )
    )


def start(setup):
  """The state before the first step, the kernels of numbers from NumPy."""
  state = setup.state()
  kernels = jax.eval_shape(setup.objective.init, state.key)
  rng = np.random.RandomState(5)
  params = {
    'student': variables_of(setup.student, 11)['params'],
    'objective': jax.tree.map(
      lambda x: rng.normal(0, 0.7, x.shape).astype(x.dtype), kernels
    ),
  }
  opt_state = setup.optimizer.init(params)
  return setup.place(state.replace(params=params, opt_state=opt_state))


@pytest.fixture(scope='module')
def by_hand(make):
  """[gradients] of the whole first batch, and of the share of each device."""
  setup = make('per_device')
  state = jax.device_get(start(setup).replace(key=None))
  raw, rows = random_split(step_runs.COUNT), np.asarray(setup.order(0))
  rows = rows[: step_runs.BATCH]
  images = step_runs.augmented(jax.random.key(0), 0, raw['image'][rows])
  batch = {'image': np.asarray(images), 'label': raw['label'][rows]}
  gradient = jax.jit(jax.grad(setup.objective.loss, has_aux=True))
  return [
    jax.device_get(
      gradient(
        state.params,
        state.batch_stats,
        jax.device_get(setup.teacher_variables),
        jax.tree.map(lambda x, part=part: x[part], batch),
        None,
        0,
      )[0]
    )
    for part in (slice(None), slice(SHARE), slice(SHARE, None))
  ]


def first_gradient(setup):
  state, _ = setup.run(1, state=start(setup))
  kernels = state.params['objective']['activation']
  assert set(kernels) == {'group1', 'group2'}
  assert all(len(x.devices()) == DEVICES for x in kernels.values())
  return jax.device_get(state.opt_state)


def test_global_is_the_gradient_of_the_whole_batch(make, by_hand):
  got = first_gradient(make('global'))
  assert_trees_close(got, by_hand[0], rtol=1e-3, atol=1e-5)


def test_per_device_is_the_mean_of_what_the_shares_give(make, by_hand):
  whole, *shares = by_hand
  want = jax.tree.map(lambda one, two: (one + two) / 2, *shares)
  got = first_gradient(make('per_device'))
  assert_trees_close(got, want, rtol=1e-3, atol=1e-5)
  for kernel, other in zip(
    *(jax.tree.leaves(tree['objective']) for tree in (got, whole)), strict=True
  ):
    assert np.linalg.norm(kernel - other) > 0.003 * np.linalg.norm(other)

"""Terms that read gradients, over several devices."""

import functools

import jax
import numpy as np
import pytest
import step_runs
from small_networks import assert_trees_close
from transfer_runs import two_parts

from configs import common

TERMS = dict(
  ce=dict(weight=common.constant(0.1)),
  grad_at=dict(weight=common.constant(50.0), taps=common.same('middle')),
  min_l2=dict(weight=common.constant(50.0)),
  symmetry=dict(weight=common.constant(50.0), outputs=0.1),
)


@pytest.fixture(scope='module')
def first_step():
  """(devices, bn, gradient_bn) -> (metrics, gradient) of the first step.

  The student has batch norm where `gradient_bn` says what to do about it.
  """

  @functools.cache
  def run(devices, bn='global', gradient_bn=''):
    setup = step_runs.Setup(
      two_parts(norm=bool(gradient_bn)),
      two_parts(hidden=8, norm=True, mean=(100.0,), std=(40.0,)),
      taps=None,
      devices=devices,
      bn=bn,
      gradient_bn=gradient_bn,
      optimizer=step_runs.keep_gradients(),
    )
    state, (metrics,) = setup.run(1)
    kernel = state.params['student']['front']['Conv_0']['kernel']
    assert len(kernel.devices()) == devices
    return metrics, jax.device_get(state.opt_state)

  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(step_runs, 'terms', lambda taps: TERMS)
    yield run


@pytest.mark.parametrize('bn', ['global', 'per_device'])
def test_two_devices_do_what_one_does(first_step, bn):
  """Also with batch norm per device: the student has none."""
  assert_close(first_step(2, bn), first_step(1))


@pytest.mark.parametrize('gradient_bn', ['running', 'batch'])
def test_batch_norm_over_two_devices_is_that_over_one(first_step, gradient_bn):
  two, one = (first_step(n, gradient_bn=gradient_bn) for n in (2, 1))
  assert_close(two, one)


def assert_close(got, want):
  (metrics, gradient), (want_metrics, want_gradient) = got, want
  assert_trees_close(metrics, want_metrics, rtol=1e-4)
  assert_trees_close(gradient, want_gradient, rtol=1e-3, atol=1e-5)


def test_terms_are_most_of_it(first_step):
  metrics, _ = first_step(1)
  for name in ('grad_at', 'min_l2', 'symmetry'):
    assert 50 * metrics[name] > 0.1 * np.abs(metrics['ce'])
  assert metrics['grad_at'] == metrics['grad_at/middle']

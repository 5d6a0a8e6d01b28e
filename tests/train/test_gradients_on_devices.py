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
  """(devices, bn) -> (metrics, gradient) of the first step."""

  @functools.cache
  def run(devices, bn):
    setup = step_runs.Setup(
      two_parts(),
      two_parts(hidden=8, norm=True, mean=(100.0,), std=(40.0,)),
      taps=None,
      devices=devices,
      bn=bn,
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
  metrics, gradient = first_step(2, bn)
  want_metrics, want_gradient = first_step(1, 'global')
  assert_trees_close(metrics, want_metrics, rtol=1e-4)
  assert_trees_close(gradient, want_gradient, rtol=1e-3, atol=1e-5)


def test_terms_are_most_of_it(first_step):
  metrics, _ = first_step(1, 'global')
  for name in ('grad_at', 'min_l2', 'symmetry'):
    assert 50 * metrics[name] > 0.1 * np.abs(metrics['ce'])
  assert metrics['grad_at'] == metrics['grad_at/middle']

"""Frozen parameters and batch norms, learning rates by path."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import step_runs
from small_networks import MEAN, STD, random_split, variables_of

from at_jax.models.layers import conv, head
from at_jax.models.wrn import Block
from at_jax.objectives import Network, make_objective
from at_jax.objectives.paths import covered
from configs import common

GROUPS = ('group1', 'group2')
FROZEN = ('conv0', 'group1_*', 'group2_block1/bn1')


class ShortWRN(nn.Module):
  """Two groups of a block."""

  width: int
  num_classes: int = 10
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    x, ends = conv(4, 3, 1, name='conv0')(images), {}
    for group in (1, 2):
      name = f'group{group}'
      x = ends[name] = Block(
        4 * self.width * group, group, self.dtype, name=f'{name}_block1'
      )(x, train=train)
    return head(self.num_classes)(jnp.mean(nn.relu(x), axis=(1, 2))), ends


def network(width=1):
  return Network(ShortWRN(width), MEAN, STD, (8, 8, 3), f'short-{width}')


def setup(freeze=(), norms=(), **settings):
  student = dataclasses.replace(network(), frozen_norms=norms)
  return step_runs.Setup(
    student, network(width=2), GROUPS, freeze=freeze, **settings
  )


def by_path(tree):
  return {
    jax.tree_util.keystr(path, simple=True, separator='/'): np.asarray(leaf)
    for path, leaf in jax.tree.leaves_with_path(tree)
  }


def hard_to_keep(shape):
  """Numbers that adding zero changes: -0.0, and one that XLA rounds to 0."""
  return np.resize(np.array([-0.0, 1e-45, 0.1], np.float32), shape)


@pytest.fixture(scope='module')
def frozen():
  """(state before, state after three steps, metrics) with `FROZEN`."""
  run = setup(FROZEN, FROZEN)
  before = run.state()
  kernel = before.params['student']['conv0']
  kernel['kernel'] = run.place(hard_to_keep(kernel['kernel'].shape))
  kept = jax.tree.map(np.array, (before.params, before.batch_stats))
  after, history = run.run(3, state=before)
  return kept, after, history


def test_frozen_parameters_are_bitwise_unchanged_and_others_move(frozen):
  (params, _), after, _ = frozen
  before, now = by_path(params['student']), by_path(after.params['student'])
  held = by_path(covered(FROZEN, params['student']))
  assert sum(held.values()) == 9  # conv0, a block's 6, a norm's 2
  for name in before:
    same = before[name].tobytes() == now[name].tobytes()
    assert same == held[name], name


def test_statistics_of_frozen_norms_stay_too(frozen):
  (_, stats), after, _ = frozen
  before, now = by_path(stats), by_path(after.batch_stats)
  held = by_path(covered(FROZEN, stats))
  assert 0 < sum(held.values()) < len(held)
  for name in before:
    assert np.array_equal(before[name], now[name]) == held[name], name


def test_frozen_parameters_have_no_momentum(frozen):
  _, after, _ = frozen
  sizes = [x.size for x in jax.tree.leaves(after.opt_state)]
  params = after.params['student']
  moving = jax.tree.map(
    lambda x, held: 0 if held else x.size, params, covered(FROZEN, params)
  )
  momentum = sum(jax.tree.leaves(moving))
  assert sum(sizes) - momentum < 5  # and a few counters


def test_gradient_norm_is_that_of_what_is_trained(frozen):
  """Against one of a run with nothing frozen but the norms."""
  free = setup(norms=FROZEN, optimizer=step_runs.keep_gradients())
  state = free.state()
  kernel = state.params['student']['conv0']
  kernel['kernel'] = free.place(hard_to_keep(kernel['kernel'].shape))
  after, _ = free.run(1, state=state)
  gradients = after.opt_state['student']
  squares = jax.tree.map(
    lambda g, held: 0.0 if held else jnp.sum(g**2),
    gradients,
    covered(FROZEN, gradients),
  )
  wanted = np.sqrt(sum(jax.tree.leaves(squares)))
  np.testing.assert_allclose(frozen[2][0]['grad_norm'], wanted, rtol=1e-5)


def test_all_norms_frozen_is_the_network_in_eval_mode():
  student = dataclasses.replace(network(), frozen_norms=('',))
  variables = variables_of(student, 3)
  images = jnp.asarray(random_split(6)['image'], jnp.float32) / 100
  (logits, ends), stats = student.apply(variables, images, train=True)
  wanted, wanted_ends = student.apply(variables, images)
  for got, want in (
    (logits, wanted),
    *zip(ends.values(), wanted_ends.values(), strict=True),
  ):
    np.testing.assert_array_equal(got, want)
  jax.tree.map(np.testing.assert_array_equal, stats, variables['batch_stats'])
  assert not student.mixes_images and network().mixes_images
  free, _ = network().apply(variables, images, train=True)
  assert np.abs(free[0] - wanted).max() > 0.1


def test_frozen_norms_need_no_word_about_gradients():
  """With statistics that do not depend on the batch, one pass is enough."""

  def objective(norms):
    return make_objective(
      {
        'name': 'transfer',
        'terms': {'min_l2': {'weight': common.constant(1.0)}},
      },
      student=dataclasses.replace(network(), frozen_norms=norms),
      teacher=None,
      steps_per_epoch=1,
      epochs=1,
    )

  objective(('',))
  with pytest.raises(ValueError, match='has batch norm, and a term takes its'):
    objective(('group1_*',))


def test_rates_multiply_the_learning_rate_by_path():
  plain, own = setup(), setup(rates={'head': 10.0, 'group2_*': 0.5, '': 2.0})
  before = by_path(plain.state().params['student'])
  one, _ = plain.run(1)
  two, _ = own.run(1)
  one, two = by_path(one.params['student']), by_path(two.params['student'])
  for name in before:
    factor = {'head': 20.0, 'group2_block1': 1.0}.get(name.split('/')[0], 2.0)
    np.testing.assert_allclose(
      two[name] - before[name],
      factor * (one[name] - before[name]),
      rtol=2e-3,
      atol=1e-6,
      err_msg=name,
    )

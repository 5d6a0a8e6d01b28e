"""The transfer objective against sums written by hand with floor 1."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import (
  assert_trees_close,
  assert_trees_equal,
  tiny_network,
  wrn_network,
)
from transfer_runs import (
  BLOCKS,
  CE,
  GROUPS,
  Setting,
  at_term,
  build,
  close,
)

from at_jax.losses import cross_entropy, kd_divergence, kd_loss
from at_jax.maps import at_distance
from at_jax.objectives.forward import Networks
from configs import common, networks
from configs.wrn_at import DEFAULTS


@pytest.fixture(scope='module')
def pair():
  return Setting()


def test_ce_kd_and_at_sum_up_with_their_weights(pair):
  objective = build(
    pair.student,
    pair.teacher,
    ce={'weight': common.constant(0.1)},
    kd={'weight': common.constant(0.9), 'temperature': 3.0},
    at=at_term(100.0),
  )
  loss, batch_stats, metrics = pair.loss(objective)
  logits, ends, stats, teacher_logits, teacher_ends = pair.outputs
  ce = cross_entropy(logits, pair.batch['label']).mean()
  kd = kd_divergence(logits, teacher_logits, temperature=3.0).mean()
  parts = [
    at_distance(ends[name], teacher_ends[name]).mean()
    for name in ('group1', 'group2')
  ]
  assert min(map(float, [ce, kd, *parts])) > 1e-4  # nothing is trivially 0
  close(loss, 0.1 * ce + 0.9 * kd + 100 * sum(parts))
  close(metrics['loss'], loss)
  # The terms and the taps are logged without their weights.
  close(metrics['ce'], ce)
  close(metrics['kd'], kd)
  close(metrics['at'], sum(parts))
  close(metrics['at/group1'], parts[0])
  close(metrics['at/group2'], parts[1])
  assert metrics['weight/at'] == 100 and metrics['weight/kd'] == np.float32(0.9)
  wrong = np.argmax(logits, -1) != pair.raw['label']
  close(metrics['train_error'], 100 * wrong.mean())
  assert set(metrics) == {
    'loss', 'train_error', 'ce', 'kd', 'at', 'at/group1', 'at/group2',
    'weight/ce', 'weight/kd', 'weight/at',
  }  # fmt: skip
  assert_trees_close(batch_stats, stats, rtol=1e-5, atol=1e-6)


def test_weights_one_minus_alpha_and_alpha_are_the_kd_loss(pair):
  objective = build(
    pair.student,
    pair.teacher,
    ce={'weight': common.constant(1 - 0.9)},
    kd={'weight': common.constant(0.9), 'temperature': 4.0},
  )
  logits, _, _, teacher_logits, _ = pair.outputs
  want = kd_loss(logits, teacher_logits, pair.batch['label']).mean()
  close(pair.loss(objective)[0], want)


def test_alpha_zero_is_cross_entropy(pair):
  objective = build(
    pair.student,
    pair.teacher,
    ce={'weight': common.constant(1.0)},
    kd={'weight': common.constant(0.0), 'temperature': 4.0},
  )
  want = cross_entropy(pair.outputs[0], pair.batch['label']).mean()
  close(pair.loss(objective)[0], want)


@pytest.mark.parametrize(
  'settings',
  [
    dict(taps=BLOCKS),
    dict(form='paper'),
    dict(kind='max_pow', p=1.0),
    dict(kind='sum_abs'),
    dict(p=4.0),
    dict(taps=(('group1/block1', 'group1/block2'), ('group2', 'group2'))),
  ],
  ids=str,
)
def test_at_settings_and_taps(pair, settings):
  objective = build(pair.student, pair.teacher, at=at_term(**settings))
  loss, _, metrics = pair.loss(objective)
  _, ends, _, _, teacher_ends = pair.outputs
  settings = dict(settings)
  taps = settings.pop('taps', GROUPS)
  parts = {
    (own if own == other else f'{own}~{other}'): at_distance(
      ends[own], teacher_ends[other], **settings
    ).mean()
    for own, other in taps
  }
  close(loss, 100 * sum(parts.values()), rtol=1e-4)
  for name, part in parts.items():
    close(metrics[f'at/{name}'], part, rtol=1e-4)


def test_taps_of_configs_are_endpoints_of_a_wrn():
  ends = Networks(wrn_network(depth=16), None).shapes().student_ends
  groups, blocks = (
    networks.wrn_taps(common.parse_arg(f'taps={taps}', **DEFAULTS), 16)
    for taps in ('groups', 'blocks')
  )
  assert [own for own, _ in groups] == ['group1', 'group2', 'group3']
  assert len(blocks) == 6
  assert {name for tap in groups + blocks for name in tap} <= set(ends)


def test_schedule_moves_the_weight(pair):
  weight = common.linear(100.0, start=1.0, end=3.0)
  objective = build(
    pair.student, pair.teacher, ce=CE, at=at_term(weight=weight)
  )
  run = jax.jit(objective.loss)
  for step, want in ((0, 0), (10, 100), (15, 75), (20, 50), (30, 0)):
    loss, (_, metrics) = run(
      {'student': pair.own['params'], 'objective': {}},
      pair.own['batch_stats'],
      pair.others,
      pair.batch,
      jax.random.key(0),
      jnp.asarray(step),
    )
    close(metrics['weight/at'], want)
    close(loss, metrics['ce'] + want * metrics['at'])
    assert metrics['at'] > 1e-4  # logged also while its weight is 0
  assert run._cache_size() == 1


def test_maps_of_two_sizes_with_resize(pair):
  coarse = Setting(teacher=tiny_network(width=8, stride=2))
  objective = build(
    coarse.student, coarse.teacher, at=at_term(resize='bilinear')
  )
  _, ends, _, _, teacher_ends = coarse.outputs
  assert ends['group1'].shape[1] == 2 * teacher_ends['group1'].shape[1]
  want = at_distance(
    ends['group1'], teacher_ends['group1'], resize='bilinear'
  ).mean()
  close(coarse.loss(objective)[2]['at/group1'], want, rtol=1e-4)


def test_loss_does_not_depend_on_the_key(pair):
  objective = build(pair.student, pair.teacher, ce=CE, at=at_term())
  run = jax.jit(objective.loss)
  results = [
    run(
      {'student': pair.own['params'], 'objective': {}},
      pair.own['batch_stats'],
      pair.others,
      pair.batch,
      jax.random.key(seed),
      0,
    )
    for seed in (0, 1)
  ]
  assert_trees_equal(*results)

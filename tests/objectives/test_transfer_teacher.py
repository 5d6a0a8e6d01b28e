"""The teacher: eval mode, its own normalisation, no gradient, never in vain."""

import jax
import numpy as np
import pytest
from small_networks import (
  assert_trees_close,
  tiny_network,
)
from transfer_runs import (
  BLOCKS,
  CE,
  Setting,
  at_term,
  build,
  close,
)

from at_jax.losses import cross_entropy
from at_jax.maps import at_distance
from at_jax.objectives import make_objective
from configs import common


@pytest.fixture(scope='module')
def pair():
  return Setting()


def test_teacher_that_is_the_student_leaves_cross_entropy():
  """Without batch norm train and eval mode agree: at = kd = 0."""
  network = tiny_network(norm=False)
  same = Setting(network, network)
  objective = build(
    network,
    network,
    ce={'weight': common.constant(0.1)},
    kd={'weight': common.constant(0.9)},
    at=at_term(1000.0, taps=BLOCKS),
  )

  def loss(params):
    return objective.loss(
      {'student': params, 'objective': {}},
      {},
      same.own,
      same.batch,
      jax.random.key(0),
      0,
    )

  def plain(params):
    logits, _ = network.apply({'params': params}, same.batch['image'])
    return 0.1 * cross_entropy(logits, same.batch['label']).mean()

  (total, (_, metrics)), grads = jax.jit(
    jax.value_and_grad(loss, has_aux=True)
  )(same.own['params'])
  want, plain_grads = jax.jit(jax.value_and_grad(plain))(same.own['params'])
  np.testing.assert_allclose(metrics['at'], 0, atol=1e-12)
  np.testing.assert_allclose(metrics['kd'], 0, atol=1e-5)
  close(total, want, rtol=1e-4)
  assert_trees_close(grads, plain_grads, rtol=1e-3, atol=1e-5)


def test_teacher_runs_in_eval_mode_and_is_not_returned():
  """Equal variables, but the student normalises with its batch."""
  network = tiny_network()
  same = Setting(network, network)
  same.others = same.own
  objective = build(network, network, at=at_term(1.0))
  _, batch_stats, metrics = same.loss(objective)
  _, ends, stats, _, _ = same.outputs
  _, eval_ends = jax.jit(network.apply)(same.own, same.batch['image'])
  for name in ('group1', 'group2'):
    want = at_distance(ends[name], eval_ends[name]).mean()
    assert want > 1e-6
    close(metrics[f'at/{name}'], want, rtol=1e-4)
  assert_trees_close(batch_stats, stats, rtol=1e-5, atol=1e-6)


def test_no_gradient_reaches_the_teacher(pair):
  objective = build(
    pair.student,
    pair.teacher,
    ce=CE,
    kd={'weight': common.constant(1.0)},
    at=at_term(),
  )

  def loss(params, others):
    return objective.loss(
      {'student': params, 'objective': {}},
      pair.own['batch_stats'],
      others,
      pair.batch,
      jax.random.key(0),
      0,
    )[0]

  own, others = jax.jit(jax.grad(loss, argnums=(0, 1)))(
    pair.own['params'], pair.others
  )
  assert all(not np.any(leaf) for leaf in jax.tree.leaves(others))
  assert any(np.any(leaf) for leaf in jax.tree.leaves(own))


def test_teacher_sees_the_images_in_its_own_normalisation():
  other = tiny_network(width=8, mean=(100.0,), std=(40.0,))
  setting = Setting(teacher=other)
  objective = build(setting.student, other, at=at_term(1.0))
  metrics = setting.loss(objective)[2]
  # `outputs` normalises the raw images for the teacher directly.
  _, ends, _, _, teacher_ends = setting.outputs
  for name in ('group1', 'group2'):
    want = at_distance(ends[name], teacher_ends[name]).mean()
    close(metrics[f'at/{name}'], want, rtol=1e-4)
  _, wrong = jax.jit(other.apply)(setting.others, setting.batch['image'])
  wrong = at_distance(ends['group1'], wrong['group1']).mean()
  assert abs(float(wrong / metrics['at/group1']) - 1) > 1e-3


@pytest.mark.parametrize(
  'settings',
  [{'name': 'supervised'}, {'name': 'transfer', 'terms': {'ce': CE}}],
  ids=['supervised', 'only ce'],
)
def test_teacher_that_no_term_needs_is_not_run(pair, settings):
  objective = make_objective(
    settings,
    student=pair.student,
    teacher=pair.teacher,
    steps_per_epoch=10,
    epochs=4,
  )
  assert objective.teacher is None
  loss, batch_stats, metrics = pair.loss(objective, others={})
  want = cross_entropy(pair.outputs[0], pair.batch['label']).mean()
  close(loss, want)
  assert set(metrics) == {'loss', 'train_error', 'ce', 'weight/ce'}
  assert_trees_close(batch_stats, pair.outputs[2], rtol=1e-5, atol=1e-6)

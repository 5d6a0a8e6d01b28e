"""The term `activation` and its regressors, against floor 1 and NumPy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import assert_trees_close, tiny_network
from transfer_runs import (
  BLOCKS,
  CE,
  GROUPS,
  Setting,
  at_term,
  build,
  close,
)

from at_jax.losses import cross_entropy, kd_divergence
from at_jax.maps import activation_distance, at_distance
from at_jax.objectives.forward import Forward
from at_jax.objectives.terms import activation, regressors
from configs import common

KEY = jax.random.key(3)
CROSSED = (('group1/block1', 'group1/block2'), ('group2', 'group2/block1'))


def term(beta=100.0, **settings):
  defaults = dict(taps=GROUPS, form='code')
  return {'weight': common.constant(beta)} | defaults | settings


@pytest.fixture(scope='module')
def pair():
  """A student of width 4, a teacher of width 8."""
  return Setting()


@pytest.fixture(scope='module')
def forward(pair):
  """What the two made of a batch, on the host."""
  logits, ends, _, teacher_logits, teacher_ends = pair.outputs
  labels = pair.batch['label']
  return jax.device_get(
    Forward(labels, logits, ends, teacher_logits, teacher_ends)
  )


def with_kernels(forward, **settings):
  return dataclasses.replace(
    forward, parameters=regressors(KEY, forward, **settings)
  )


def regressed(features, kernel):
  """A 1x1 convolution without bias, in float64."""
  features, kernel = np.float64(features), np.float64(kernel)
  return sum(
    features[..., c, None] * kernel[c] for c in range(features.shape[-1])
  )


class Run:
  """An objective of all terms, compiled once; the weight falls to 0."""

  def __init__(self, pair):
    self.pair = pair
    self.objective = build(
      pair.student,
      pair.teacher,
      ce={'weight': common.constant(0.1)},
      kd={'weight': common.constant(0.9), 'temperature': 3.0},
      at=at_term(10.0),
      activation=term(weight=common.linear(200.0)),
    )
    self.own = self.objective.init(KEY)

    def loss(params, others, step):
      return self.objective.loss(
        params, pair.own['batch_stats'], others, pair.batch, KEY, step
      )

    self.differentiate = jax.jit(
      jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
    )

  def __call__(self, step, own=None):
    """(loss, metrics, gradients of params, gradients of the teacher)."""
    params = {'student': self.pair.own['params'], 'objective': own or self.own}
    (loss, (_, metrics)), grads = self.differentiate(
      params, self.pair.others, jnp.asarray(step)
    )
    return loss, metrics, *grads


@pytest.fixture(scope='module')
def run(pair):
  return Run(pair)


def test_sums_up_with_the_other_terms(run, forward):
  kernels = run.own['activation']
  loss, metrics, _, _ = run(0)
  ce = cross_entropy(forward.student_logits, forward.labels).mean()
  kd = kd_divergence(
    forward.student_logits, forward.teacher_logits, temperature=3.0
  ).mean()
  ends = [(forward.student_ends[n], forward.teacher_ends[n]) for n, _ in GROUPS]
  at = sum(at_distance(*two).mean() for two in ends)
  parts = [
    activation_distance(regressed(own, kernels[name]), other).mean()
    for (own, other), (name, _) in zip(ends, GROUPS, strict=True)
  ]
  assert min(map(float, [ce, kd, at, *parts])) > 1e-4  # none is trivially 0
  close(loss, 0.1 * ce + 0.9 * kd + 10 * at + 200 * sum(parts))
  # Logged without its weight.
  close(metrics['activation'], sum(parts))
  close(metrics['activation/group1'], parts[0])
  close(metrics['activation/group2'], parts[1])
  assert set(metrics) == {
    'loss', 'train_error', 'ce', 'kd', 'at', 'at/group1', 'at/group2',
    'activation', 'activation/group1', 'activation/group2',
    'weight/ce', 'weight/kd', 'weight/at', 'weight/activation',
  }  # fmt: skip


def test_weight_falls_in_a_straight_line(run):
  for step, want in ((0, 200), (10, 150), (40, 0)):
    loss, metrics, grads, _ = run(step)
    close(metrics['weight/activation'], want)
    rest = 0.1 * metrics['ce'] + 0.9 * metrics['kd'] + 10 * metrics['at']
    close(loss, rest + want * metrics['activation'])
    assert metrics['activation'] > 1e-4  # logged also while its weight is 0
    moved = [np.any(x) for x in jax.tree.leaves(grads['objective'])]
    assert moved == [want > 0] * 2
  assert run.differentiate._cache_size() == 1


def test_gradients_reach_student_and_kernels_and_no_teacher(run, forward):
  _, _, grads, others = run(0)
  assert all(not np.any(leaf) for leaf in jax.tree.leaves(others))

  def distance(kernels):
    total = 0.0
    for name, _ in GROUPS:
      own = jnp.dot(forward.student_ends[name], kernels[name])
      other = forward.teacher_ends[name]
      total += activation_distance(own, other).mean()
    return 200 * total

  want = jax.jit(jax.grad(distance))(run.own['activation'])
  got = grads['objective']['activation']
  assert_trees_close(got, want, rtol=1e-4, atol=1e-6)
  assert all((np.abs(leaf) > 1e-6).all() for leaf in jax.tree.leaves(got))
  # What the student gets from this term alone.
  with_term, without = run(0)[2]['student'], run(40)[2]['student']
  for layer in ('Conv_0', 'Conv_1', 'Conv_2'):
    change = with_term[layer]['kernel'] - without[layer]['kernel']
    assert np.abs(change).max() > 1e-3


def test_loss_reads_the_kernels(run):
  other = jax.tree.map(lambda x: x[::-1], run.own)
  assert abs(float(run(0)[0] - run(0, other)[0])) > 1e-3


@pytest.mark.parametrize('form', ['code', 'paper'])
@pytest.mark.parametrize('taps', [GROUPS, BLOCKS, CROSSED], ids=str)
def test_equals_numpy_under_every_name(forward, form, taps):
  settings = dict(taps=taps, form=form)
  full = with_kernels(forward, **settings)
  value, parts = activation(full, **settings)
  names = [own if own == other else f'{own}~{other}' for own, other in taps]
  assert list(parts) == names
  for name, (own, other) in zip(names, taps, strict=True):
    kernel = full.parameters[name.replace('/', '_')]
    features = regressed(forward.student_ends[own], kernel)
    rows = [
      x.reshape(len(x), -1) / np.sqrt((x**2).sum((1, 2, 3)))[:, None]
      for x in (features, np.float64(forward.teacher_ends[other]))
    ]
    squares = np.square(rows[0] - rows[1])
    want = squares.mean() if form == 'code' else np.sqrt(squares.sum(1)).mean()
    close(parts[name], want)
  close(value, sum(parts.values()))


def test_only_pairs_of_two_widths_have_a_kernel(forward):
  ends = dict(forward.teacher_ends)
  ends['group2'] = ends['group2'][..., :4]
  mixed = dataclasses.replace(forward, teacher_ends=ends)
  mixed = with_kernels(mixed, taps=GROUPS)
  assert jax.tree.map(jnp.shape, mixed.parameters) == {'group1': (4, 8)}
  _, parts = activation(mixed, taps=GROUPS)
  want = activation_distance(forward.student_ends['group2'], ends['group2'])
  close(parts['group2'], want.mean())


def test_equal_widths_have_no_parameters():
  same = Setting(teacher=tiny_network(width=4))
  objective = build(same.student, same.teacher, ce=CE, activation=term())
  assert objective.init(KEY) == {}
  loss, _, metrics = same.loss(objective)
  _, ends, _, _, teacher_ends = same.outputs
  want = sum(
    activation_distance(ends[name], teacher_ends[name]).mean()
    for name, _ in GROUPS
  )
  close(metrics['activation'], want)
  close(loss, metrics['ce'] + 100 * want)


def test_bfloat16_features_are_regressed_in_float32(forward):
  full = with_kernels(forward, taps=GROUPS)
  half = {k: jnp.bfloat16(v) for k, v in forward.student_ends.items()}
  wide = {k: np.float32(v) for k, v in half.items()}
  value, want = (
    jax.jit(lambda full: activation(full, taps=GROUPS)[0])(
      dataclasses.replace(full, student_ends=ends)
    )
    for ends in (half, wide)
  )
  assert value.dtype == jnp.float32
  np.testing.assert_allclose(value, want, rtol=1e-6)


def test_product_asks_for_the_highest_precision(forward):
  full = with_kernels(forward, taps=GROUPS)
  jaxpr = jax.make_jaxpr(lambda full: activation(full, taps=GROUPS))(full)
  products = [e for e in jaxpr.eqns if e.primitive.name == 'dot_general']
  assert len(products) == 2
  for product in products:
    assert set(product.params['precision']) == {jax.lax.Precision.HIGHEST}

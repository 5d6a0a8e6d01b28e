"""Gradients at endpoints, against networks cut in two."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import MEAN, STD, assert_trees_close
from transfer_runs import (
  Back,
  Front,
  Setting,
  build,
  gradient_of_one,
  mean_square,
  one_by_one,
  roughly,
  two_parts,
  weight,
)

from at_jax.data.augment import normalise
from at_jax.models import create_model
from at_jax.objectives import Network
from at_jax.objectives.gradients import differentiate
from at_jax.objectives.places import added
from configs import common


@pytest.fixture(scope='module')
def pair():
  """Endpoints of one shape, of networks and normalisations that differ."""
  teacher = two_parts(
    hidden=8, norm=True, mean=(100.0, 90.0, 125.0), std=(40.0, 50.0, 90.0)
  )
  return Setting(two_parts(), teacher)


def part(variables, name):
  return {kind: tree.get(name, {}) for kind, tree in variables.items()}


@functools.cache
def gradient_in_the_middle(network):
  """As `gradient_of_one`, at the endpoint of a network cut in two."""
  model = network.model
  front = Front(model.width, model.norm, jnp.float32)
  back = Back(model.hidden)

  def loss(features, variables, label):
    logits = back.apply(part(variables, 'back'), features)[0]
    return -jax.nn.log_softmax(logits)[label], logits

  def gradient(variables, image, label):
    features = front.apply(part(variables, 'front'), image[None], train=False)
    (gradient,), logits = jax.grad(loss, has_aux=True)(
      features, variables, label
    )
    return gradient, logits

  return jax.jit(gradient)


@pytest.fixture(scope='module')
def by_hand(pair):
  """(J of the student, of the teacher) at the endpoint, one by one."""
  return [
    one_by_one(
      gradient_in_the_middle(network),
      variables,
      normalise(pair.raw['image'], network.mean, network.std),
      pair.raw['label'],
    )[0]
    for network, variables in (
      (pair.student, pair.own),
      (pair.teacher, pair.others),
    )
  ]


@pytest.fixture(scope='module')
def run(pair):
  """((loss, metrics), gradients of student and teacher) at the endpoint."""
  objective = build(
    pair.student,
    pair.teacher,
    grad_at=weight(2.0) | dict(taps=common.same('middle')),
    min_l2=weight(0.0),  # pixels and endpoints in one pass
  )

  def loss(params, others):
    params = {'student': params, 'objective': {}}
    loss, (_, metrics) = objective.loss(params, {}, others, pair.batch, None, 0)
    return loss, metrics

  differentiate = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
  return jax.device_get(jax.jit(differentiate)(pair.own['params'], pair.others))


def test_grad_at_of_endpoints_is_that_of_networks_cut_in_two(
  pair, run, by_hand
):
  (loss, metrics), _ = run
  student, teacher = by_hand
  assert student.shape == teacher.shape == (6, 4, 4, 4)
  want = mean_square(student - teacher)
  roughly(metrics['grad_at'], want)
  roughly(metrics['grad_at/middle'], want)
  roughly(loss, 2 * want)
  images, alone = pair.batch['image'], gradient_of_one(pair.student)
  pixels, _ = one_by_one(alone, pair.own, images, pair.raw['label'])
  roughly(metrics['min_l2'], mean_square(pixels))


def test_gradient_is_that_of_a_loss_by_hand(pair, run, by_hand):
  teacher = jnp.float32(by_hand[1])

  def loss(params):
    gradient = functools.partial(
      gradient_in_the_middle(pair.student), {'params': params}
    )
    rows, _ = jax.vmap(gradient)(pair.batch['image'], pair.batch['label'])
    return 2 * jnp.sum((rows - teacher) ** 2) / len(rows)

  want = jax.device_get(jax.jit(jax.grad(loss))(pair.own['params']))
  _, (got, others) = run
  assert_trees_close(got, want, rtol=1e-3, atol=2e-6)
  assert all(np.abs(x).max() > 1e-4 for x in jax.tree.leaves(got))
  assert all(not np.any(x) for x in jax.tree.leaves(others))


class TwoEnds(nn.Module):
  """The endpoints `one` and `two` are each a Dense of 4."""

  dtype = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    one = nn.Dense(4, name='one')(images)
    two = nn.Dense(4, name='two')(nn.tanh(one))
    logits = nn.Dense(10, name='head')(jnp.mean(nn.tanh(two), axis=(1, 2)))
    return logits, {'one': one, 'two': two}


def test_parts_are_summed_up_under_the_names_of_their_pairs():
  network = Network(TwoEnds(), MEAN, STD, (2, 2, 3), 'TwoEnds')
  setting = Setting(network, network)
  taps = (('one', 'two'), ('two', 'two'))
  _, _, metrics = setting.loss(
    build(network, network, grad_at=weight(1.0) | dict(taps=taps))
  )
  own, others = (
    gradients_at(network, ('one', 'two'))(variables, setting.batch)[2]
    for variables in (setting.own, setting.others)
  )
  want = {
    'grad_at/one~two': mean_square(own['one'] - others['two']),
    'grad_at/two': mean_square(own['two'] - others['two']),
  }
  want['grad_at'] = sum(want.values())
  for name, value in want.items():
    roughly(metrics[name], value)
  assert set(want) == {name for name in metrics if name.startswith('grad_at')}


@functools.cache
def gradients_at(network, places):
  """(variables, batch) -> (logits, endpoints, gradients), in eval mode."""

  @jax.jit
  def run(variables, batch):
    (logits, ends), passed = differentiate(
      network, variables, batch['image'], batch['label'], places
    )
    return logits, ends, passed.gradients

  return lambda *args: jax.device_get(run(*args))


NIN = dict(widths=4, batch_norm=False, relu_before_pool=False)


@pytest.mark.parametrize(
  ('model', 'place'),
  [
    (create_model('nin', **NIN), 'group3/conv'),
    (create_model('wrn', depth=10, width=0.25), 'group3'),
  ],
  ids=['nin', 'wrn'],
)
def test_last_endpoint_of_our_models(model, place):
  """In closed form: a mean over positions and the head follow it."""
  network = Network(model, MEAN, STD, (8, 8, 3), 'model')
  setting = Setting(network, network)
  logits, ends, gradients = gradients_at(network, (place,))(
    setting.own, setting.batch
  )
  own, end = jax.device_get(setting.own), ends[place]
  share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
  error = share - np.eye(10)[setting.raw['label']]
  want = (error @ own['params']['head']['kernel'].T)[:, None, None]
  want = np.broadcast_to(want / (end.shape[1] * end.shape[2]), end.shape)
  if 'bn' in own['params']:  # in a WRN also batch norm and a ReLU
    params, stats = own['params']['bn'], own['batch_stats']['bn']
    slope = params['scale'] / np.sqrt(stats['var'] + 1e-5)
    active = (end - stats['mean']) * slope + params['bias'] > 0
    want = want * slope * active
  assert np.abs(want).max() > 1e-3
  np.testing.assert_allclose(gradients[place], want, rtol=1e-3, atol=1e-6)


def test_added_adds_there_alone(pair):
  network, extra = pair.student, np.zeros((6, 4, 4, 4), np.float32)
  extra[1] = np.random.RandomState(0).normal(size=extra[1].shape)

  @jax.jit
  def run(variables, images):
    plain, ends = network.apply(variables, images)
    with added({('front',): extra}):
      logits, moved = network.apply(variables, images)
    again, _ = network.apply(variables, images)  # outside of the context
    back = Back(network.model.hidden)
    want = back.apply(part(variables, 'back'), ends['middle'] + extra)
    return moved['middle'] - ends['middle'], (plain, logits), (again, want)

  difference, got, want = run(pair.own, pair.batch['image'])
  np.testing.assert_allclose(difference, extra, atol=1e-5)
  assert_trees_close(got, want, rtol=1e-4, atol=1e-5)
  assert np.abs(got[1] - got[0])[1].max() > 0.01


def test_added_keeps_the_dtype(pair):
  half = two_parts(dtype=jnp.bfloat16)

  def run(images):
    with added({('front',): jnp.zeros((6, 4, 4, 4))}):
      return half.apply(pair.own, images)

  logits, ends = jax.eval_shape(run, pair.batch['image'])
  assert logits.dtype == ends['middle'].dtype == jnp.bfloat16

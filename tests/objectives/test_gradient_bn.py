"""Batch norm under terms that read the student's gradient; its dtype."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import assert_trees_close
from transfer_runs import (
  CE,
  Setting,
  build,
  close,
  gradient_of_one,
  mean_square,
  one_by_one,
  roughly,
  two_parts,
  weight,
)

TERMS = dict(ce=CE, min_l2=weight(2.0), symmetry=weight(0.5))
# Which term to differentiate with either setting: half the time to compile.
CASES = dict(running='min_l2', batch='symmetry')


@pytest.fixture(scope='module')
def student():
  """A student with batch norm, its variables and a batch."""
  return Setting(two_parts(norm=True), two_parts())


def by_hand(student, train, term):
  """params -> (loss, (new statistics, term)); `train`: of the gradients."""
  images, labels = student.batch['image'], student.batch['label']

  def apply(params, images, train):
    variables = student.own | {'params': params}
    (logits, _), changed = student.student.model.apply(
      variables, images, train=train, mutable=['batch_stats']
    )
    chosen = jnp.eye(10)[labels]
    losses = -jnp.sum(jax.nn.log_softmax(logits) * chosen, axis=-1)
    return losses, logits, changed['batch_stats']

  def gradient(params, images):
    def summed(images):
      losses, logits, _ = apply(params, images, train)
      return losses.sum(), logits

    return jax.grad(summed, has_aux=True)(images)

  def loss(params):
    losses, _, batch_stats = apply(params, images, True)
    one, logits = gradient(params, images)
    if term == 'min_l2':
      value = jnp.sum(one**2) / len(images)
      return losses.mean() + 2 * value, (batch_stats, value)
    other, mirrored = gradient(params, images[:, :, ::-1])
    value = jnp.sum((one - other[:, :, ::-1]) ** 2)
    value = (value + jnp.sum((logits - mirrored) ** 2)) / len(images)
    return losses.mean() + 0.5 * value, (batch_stats, value)

  return loss


@pytest.fixture(scope='module', params=CASES)
def case(request, student):
  """(gradient_bn, what the objective gives, what it is by hand)."""
  name, term = request.param, CASES[request.param]
  terms = {key: TERMS[key] for key in ('ce', term)}
  objective = build(student.student, None, name, **terms)

  def loss(params):
    loss, (batch_stats, metrics) = objective.loss(
      {'student': params, 'objective': {}},
      student.own['batch_stats'],
      {},
      student.batch,
      None,
      0,
    )
    return loss, (batch_stats, metrics[term])

  return name, *(
    jax.device_get(
      jax.jit(jax.value_and_grad(loss, has_aux=True))(student.own['params'])
    )
    for loss in (loss, by_hand(student, name == 'batch', term))
  )


def test_value(case):
  _, ((loss, (_, value)), _), ((want_loss, (_, want)), _) = case
  assert want > 1e-2
  roughly(value, want)
  roughly(loss, want_loss)


def test_gradient(case):
  _, (_, got), (_, want) = case
  assert_trees_close(got, want, rtol=1e-3, atol=2e-6)


def test_running_statistics_move_by_the_one_pass_in_train_mode(case):
  _, ((_, (got, _)), _), ((_, (want, _)), _) = case
  assert_trees_close(got, want, rtol=1e-5)


def alone(network, variables, batch):
  """{term: value} of images one by one, and their gradients."""
  images, labels = jax.device_get((batch['image'], batch['label']))
  (one, logits), (other, mirrored) = (
    one_by_one(gradient_of_one(network), variables, pixels, labels)
    for pixels in (images, images[:, :, ::-1])
  )
  values = {
    'min_l2': mean_square(one),
    'symmetry': mean_square(one - other[:, :, ::-1])
    + mean_square(logits - mirrored),
  }
  return values, one


def test_only_running_statistics_leave_each_image_its_gradient(student, case):
  name, ((_, (_, value)), _), _ = case
  values, _ = alone(student.student, student.own, student.batch)
  want = values[CASES[name]]
  if name == 'running':
    roughly(value, want)
  else:
    assert abs(float(value) / want - 1) > 0.05


def in_float32(network):
  model = network.model.clone(dtype=jnp.float32)
  return dataclasses.replace(network, model=model)


def test_gradients_of_bfloat16_networks_are_taken_in_float32():
  half = Setting(
    two_parts(dtype=jnp.bfloat16, norm=True), two_parts(dtype=jnp.bfloat16)
  )
  terms = TERMS | dict(grad_at=weight(1.0))
  objective = build(half.student, half.teacher, 'running', **terms)
  _, batch_stats, metrics = half.loss(objective)
  want, one = alone(in_float32(half.student), half.own, half.batch)
  _, other = alone(in_float32(half.teacher), half.others, half.batch)
  for name, value in (want | {'grad_at': mean_square(one - other)}).items():
    assert metrics[name].dtype == jnp.float32
    roughly(metrics[name], value)
  # The other terms, and the statistics, are of the bfloat16 network.
  apply = jax.jit(functools.partial(half.student.apply, train=True))
  (logits, _), want_stats = apply(half.own, half.batch['image'])
  rows = np.float64(logits)[np.arange(len(logits)), half.raw['label']]
  lost = np.log(np.exp(np.float64(logits)).sum(1)) - rows
  close(metrics['ce'], lost.mean(), rtol=3e-4)
  assert_trees_close(batch_stats, want_stats, rtol=2e-5)


@pytest.mark.parametrize('term', ['grad_at', 'min_l2', 'symmetry'])
def test_batch_norm_needs_a_word(student, term):
  with pytest.raises(ValueError) as error:
    build(student.student, student.teacher, ce=CE, **{term: weight(0.0)})
  for word in (
    'TwoParts', 'batch norm', 'config.objective.gradient_bn',
    "'running'", "'batch'",
  ):  # fmt: skip
    assert word in str(error.value)


def test_batch_norm_needs_no_word_where_no_term_reads_gradients(student):
  build(student.student, None, ce=CE)


def test_batch_norm_of_the_teacher_needs_no_word(student):
  build(two_parts(), student.student, grad_at=weight(1.0))


def test_without_batch_norm_all_are_one_program():
  plain = Setting(two_parts())
  params = {'student': plain.own['params'], 'objective': {}}

  def program(gradient_bn):
    objective = build(plain.student, None, gradient_bn, **TERMS)
    loss = jax.value_and_grad(
      lambda params: objective.loss(params, {}, {}, plain.batch, None, 0),
      has_aux=True,
    )
    return jax.jit(loss).lower(params).as_text()

  text = program('')
  assert program('running') == text
  assert program('batch') == text


def test_unknown_value_is_named(student):
  with pytest.raises(ValueError) as error:
    build(student.student, None, 'runing', **TERMS)
  for word in (
    'config.objective.gradient_bn', "'runing'", "mean 'running'", 'batch',
  ):  # fmt: skip
    assert word in str(error.value)

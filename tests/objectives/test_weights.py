"""Weights of terms over training, against values worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from at_jax.objectives.weights import check_weight, weight_at
from configs import common

STEPS, EPOCHS = 4, 10  # a run of 40 steps


def at_epoch(weight, *epochs):
  steps = [round(epoch * STEPS) for epoch in epochs]
  values = [
    weight_at(weight, jnp.asarray(s), steps_per_epoch=STEPS, epochs=EPOCHS)
    for s in steps
  ]
  return [round(float(value), 5) for value in values]


def test_constant():
  assert at_epoch(common.constant(3), 0, 5, 9.75) == [3, 3, 3]


def test_constant_from_start_to_end():
  weight = common.constant(3, start=2, end=5)
  assert at_epoch(weight, 0, 1.75, 2, 4.75, 5, 9.75) == [0, 0, 3, 3, 0, 0]


def test_constant_with_end_zero_lasts_to_the_end_and_beyond():
  assert at_epoch(common.constant(3, start=2), 1.75, 2, 9.75, 10) == [
    0,
    3,
    3,
    3,
  ]


def test_linear_falls_to_zero_at_the_end_of_the_run():
  weight = common.linear(8)
  assert at_epoch(weight, 0, 2.5, 5, 9.75, 10) == [8, 6, 4, 0.2, 0]


def test_linear_from_start_to_end():
  weight = common.linear(8, start=2, end=6)
  assert at_epoch(weight, 1.75, 2, 3, 5, 6, 9) == [0, 8, 6, 2, 0, 0]


def test_cosine_falls_to_zero_at_the_end_of_the_run():
  weight = common.cosine(8)
  # 4 (1 + cos 60 deg) = 6; 4 (1 + cos 36 deg) = 7.23607
  assert at_epoch(weight, 0, 2, 5, 10) == [8, 7.23607, 4, 0]


def test_cosine_from_start_to_end():
  weight = common.cosine(8, start=2, end=8)
  assert at_epoch(weight, 1.75, 2, 4, 5, 8, 9) == [0, 8, 6, 4, 0, 0]


def test_steps_drop_at_the_start_of_epochs_counted_from_one():
  weight = common.steps(8, at=(3, 6), factor=0.5)
  # Epoch 3, counted from 1, begins when two epochs are over.
  assert at_epoch(weight, 0, 1.75, 2, 4.75, 5, 10) == [8, 8, 4, 4, 2, 2]


def test_steps_from_start_to_end():
  weight = common.steps(8, at=(3,), factor=0.5, start=1, end=4)
  assert at_epoch(weight, 0.75, 1, 2, 3.75, 4) == [0, 8, 4, 4, 0]


@pytest.mark.parametrize('steps_per_epoch', [3, 41, 47, 55, 97, 390])
def test_boundaries_fall_on_the_exact_step_inside_jit(steps_per_epoch):
  """XLA may turn x / 41 into x * (1 / 41), which is below 1 at x = 41."""
  epochs = 60
  steps = np.arange(epochs * steps_per_epoch)

  def values(weight):
    run = dict(steps_per_epoch=steps_per_epoch, epochs=epochs)
    return jax.jit(lambda s: weight_at(weight, s, **run))(steps)

  begun = steps >= 7 * steps_per_epoch
  ended = steps >= 30 * steps_per_epoch
  np.testing.assert_array_equal(
    values(common.constant(1, start=7, end=30)), begun & ~ended
  )
  np.testing.assert_array_equal(
    values(common.steps(1, at=(8,), factor=0.5)), np.where(begun, 0.5, 1)
  )


def test_weight_is_a_float32_scalar():
  for weight in (common.constant(3), common.linear(3), common.cosine(3)):
    value = weight_at(weight, 0, steps_per_epoch=4, epochs=2)
    assert value.dtype == jnp.float32 and value.shape == ()


@pytest.mark.parametrize(
  'weight',
  [
    common.constant(1),
    common.linear(1, start=1, end=2),
    common.cosine(1),
    common.steps(1, at=(2,), factor=0.1),
  ],
)
def test_weights_of_configs_pass_the_check(weight):
  check_weight('at', weight)


def test_unknown_schedule_names_the_nearest_and_all():
  weight = common.constant(1) | {'schedule': 'cosin'}
  with pytest.raises(ValueError) as error:
    check_weight('at', weight)
  for word in ("'at'", "'cosin'", "mean 'cosine'", 'linear', 'steps'):
    assert word in str(error.value)


def test_unknown_field_names_the_nearest_and_all():
  with pytest.raises(ValueError) as error:
    check_weight('at', common.constant(1) | {'strat': 1.0})
  for word in ("'at'", "'strat'", "mean 'start'", 'schedule', 'factor'):
    assert word in str(error.value)


@pytest.mark.parametrize('end', [1.0, 2.0])
def test_end_not_after_start(end):
  with pytest.raises(ValueError, match="'kd' ends .* before it starts"):
    check_weight('kd', common.constant(1, start=2, end=end))


@pytest.mark.parametrize('field', ['value', 'schedule', 'start', 'end'])
def test_missing_field(field):
  weight = common.constant(1)
  del weight[field]
  with pytest.raises(ValueError, match=f"'kd' has no '{field}'"):
    check_weight('kd', weight)


@pytest.mark.parametrize('field', ['at', 'factor'])
def test_missing_field_of_steps(field):
  weight = common.steps(1, at=(2,), factor=0.1)
  del weight[field]
  with pytest.raises(ValueError, match=f"'kd' has no '{field}'"):
    check_weight('kd', weight)

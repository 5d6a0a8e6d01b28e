"""SGD as the attention transfer authors' code runs it, and Adam, out of optax.

Weight decay is coupled: added to the gradient before the momentum, on every
parameter, batch-norm scales and biases included, and before Adam's moments,
too. A learning rate drop can set the momentum to zero, because their code makes
a new optimizer at each drop.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from at_jax._arrays import unknown
from at_jax.objectives.paths import covered, covers, names_of

SCHEDULES = ('constant', 'steps', 'cosine')
OPTIMIZERS = ('sgd', 'adam')


def learning_rate(settings, *, steps_per_epoch, epochs):
  """step -> learning rate, float32.

  `steps`: lr * factor^(drops begun). A drop at epoch e takes effect at the
  start of epoch e counted from 1, so drops (60, 120, 160) give lr in epochs 1
  to 59; at 60.5 halfway through epoch 60. `cosine`: half a cosine to zero.
  `warmup` epochs of a straight line from zero come first.
  """
  schedule = settings['schedule']
  if schedule not in SCHEDULES:
    raise ValueError(unknown('optimizer.schedule', schedule, SCHEDULES))
  lr, warmup = settings['lr'], round(settings['warmup'] * steps_per_epoch)
  if schedule == 'cosine':
    main = optax.cosine_decay_schedule(lr, epochs * steps_per_epoch - warmup)
  else:
    drops = settings['drops'] if schedule == 'steps' else ()
    rates = [lr * settings['factor'] ** k for k in range(len(drops) + 1)]
    starts = _drop_steps(drops, steps_per_epoch)

    def main(step):
      begun = sum((step + warmup >= s for s in starts), jnp.zeros((), int))
      return jnp.asarray(rates, jnp.float32)[begun]

  if not warmup:
    return main
  ramp = optax.linear_schedule(0.0, lr, warmup)
  return optax.join_schedules([ramp, main], [warmup])


def make_optimizer(settings, *, steps_per_epoch, epochs, freeze=()):
  """An optax transformation and its learning rate schedule.

  Args:
    settings: `config.optimizer`: name, lr, momentum (of `adam` for the first
      moment; the second has 0.999), nesterov, weight_decay, schedule, drops,
      factor, warmup, reset_momentum, rates, undecayed.
    steps_per_epoch: int.
    epochs: int.
    freeze: paths of the student's parameters that stay what they are, weight
      decay included.

  Raises:
    ValueError: an unknown optimizer or schedule.
  """
  if settings['name'] not in OPTIMIZERS:
    raise ValueError(unknown('optimizer', settings['name'], OPTIMIZERS))
  schedule = learning_rate(
    settings, steps_per_epoch=steps_per_epoch, epochs=epochs
  )
  rates = settings['rates']
  kind = optax.trace if settings['name'] == 'sgd' else optax.scale_by_adam
  momentum = kind(settings['momentum'], nesterov=settings['nesterov'])
  if settings['reset_momentum'] and settings['schedule'] == 'steps':
    starts = _drop_steps(settings['drops'], steps_per_epoch)
    momentum = reset_at(momentum, starts)
  optimizer = optax.chain(
    optax.add_decayed_weights(
      settings['weight_decay'], _decayed(settings['undecayed'])
    ),
    momentum,
    optax.scale_by_learning_rate(schedule),
    *([scale_by_path(rates)] if rates else []),
  )
  if freeze:
    optimizer = optax.partition(
      {False: optimizer, True: optax.set_to_zero()},
      lambda params: covered([_in_student(path) for path in freeze], params),
    )
  return optimizer, schedule


def _decayed(patterns):
  """params -> True where weight decay applies; None for everywhere."""
  if not patterns:
    return None
  patterns = [_in_student(pattern) for pattern in patterns]
  return lambda params: jax.tree.map(
    lambda held: not held, covered(patterns, params)
  )


def _in_student(path):
  return f'student/{path}' if path else 'student'


def scale_by_path(rates):
  """Multiplies updates by {path of the student's parameters: factor}.

  Where two paths cover a parameter both factors count.
  """

  def scale(path, update):
    for pattern, factor in rates.items():
      if covers([_in_student(pattern)], names_of(path)):
        update = factor * update
    return update

  return optax.stateless(
    lambda updates, _: jax.tree.map_with_path(scale, updates)
  )


class ResetState(NamedTuple):
  count: jax.Array
  inner: Any


def reset_at(transformation, steps):
  """The transformation, its state set to zeros before each of `steps`."""

  def init(params):
    return ResetState(jnp.zeros((), jnp.int32), transformation.init(params))

  def update(updates, state, params=None):
    again = sum((state.count == step for step in steps), jnp.zeros((), bool))
    inner = jax.tree.map(lambda x: jnp.where(again, 0, x), state.inner)
    updates, inner = transformation.update(updates, inner, params)
    return updates, ResetState(state.count + 1, inner)

  return optax.GradientTransformation(init, update)


def _drop_steps(drops, steps_per_epoch):
  return [round((epoch - 1) * steps_per_epoch) for epoch in drops]

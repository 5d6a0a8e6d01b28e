"""The weight of a term over the course of training.

A weight is a mapping `value`, `schedule`, `start`, `end` (in epochs, counted
from 0 at the first step) and for `steps` also `at` and `factor`:

| schedule | weight in epoch t |
|---|---|
| `constant` | value |
| `linear` | value, falling in a straight line from `start` to 0 at `end` |
| `cosine` | the same along half a cosine |
| `steps` | value times `factor` for every entry of `at` that has begun |

Entries of `at` count epochs from 1, as learning rate drops do. Before `start`
the weight is 0, after `end` too; `end` = 0 means the end of the run.
"""

import jax.numpy as jnp

from at_jax._arrays import unknown

FIELDS = ('value', 'schedule', 'start', 'end', 'at', 'factor')
SCHEDULES = ('constant', 'linear', 'cosine', 'steps')


def check_weight(name, weight):
  """Raises ValueError unless `weight` is a weight as described above."""
  for field in weight:
    if field not in FIELDS:
      raise ValueError(
        unknown(f'field of the weight of {name!r}', field, FIELDS)
      )
  steps = ('at', 'factor') if weight.get('schedule') == 'steps' else ()
  for field in ('value', 'schedule', 'start', 'end', *steps):
    if field not in weight:
      raise ValueError(
        f'The weight of {name!r} has no {field!r}: use common.constant(x), '
        'common.linear(x), common.cosine(x) or common.steps(x, ...).'
      )
  if weight['schedule'] not in SCHEDULES:
    what = f'schedule of the weight of {name!r}'
    raise ValueError(unknown(what, weight['schedule'], SCHEDULES))
  if weight['end'] and weight['end'] <= weight['start']:
    raise ValueError(
      f'The weight of {name!r} ends (epoch {weight["end"]}) before it starts '
      f'(epoch {weight["start"]}); end=0 means the end of the run.'
    )


def weight_at(weight, step, *, steps_per_epoch, epochs):
  """The weight in the given step, a float32 scalar.

  Args:
    weight: mapping, see above.
    step: number of the step from 0, integer array.
    steps_per_epoch: int.
    epochs: length of the run, where `end` is 0.
  """
  # Boundaries are whole steps: epochs in float32 could miss one by rounding.
  start, end = (
    round(epoch * steps_per_epoch)
    for epoch in (weight['start'], weight['end'] or epochs)
  )
  step = jnp.asarray(step)
  share = jnp.clip((step - start) / max(end - start, 1), 0.0, 1.0)
  schedule = weight['schedule']
  if schedule == 'linear':
    factor = 1 - share
  elif schedule == 'cosine':
    factor = (1 + jnp.cos(jnp.pi * share)) / 2
  elif schedule == 'steps':
    begun = [
      step >= round((epoch - 1) * steps_per_epoch) for epoch in weight['at']
    ]
    factor = weight['factor'] ** sum(begun, jnp.zeros(()))
  else:
    factor = 1.0
  active = (step >= start) & ((step < end) | (weight['end'] == 0))
  return jnp.where(active, weight['value'] * factor, 0.0)

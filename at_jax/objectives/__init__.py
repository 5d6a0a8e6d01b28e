"""What is minimised, by name.

An objective is built once and then pure:

  parameters = objective.init(key)   # its own, usually none
  loss, (batch_stats, metrics) = objective.loss(
    params, batch_stats, teacher_variables, batch, key, step)

with `params = {'student': ..., 'objective': parameters}`.
"""

import inspect

from at_jax._arrays import unknown
from at_jax.objectives.network import Network as Network
from at_jax.objectives.sampling import tasn
from at_jax.objectives.transfer import supervised, transfer

OBJECTIVES = {
  'supervised': supervised,
  'transfer': transfer,
  'tasn': tasn,
}


def make_objective(settings, *, student, teacher, steps_per_epoch, epochs):
  """Builds the objective that `config.objective` describes.

  Args:
    settings: a mapping with `name`, a key of `OBJECTIVES`, and its arguments.
    student: a `Network`.
    teacher: a `Network`, or None.
    steps_per_epoch: int, to turn steps into epochs for weight schedules.
    epochs: int, the length of the run.

  Raises:
    ValueError: an unknown name or argument, terms that do not fit the networks.
  """
  settings = dict(settings)
  name = settings.pop('name')
  if name not in OBJECTIVES:
    raise ValueError(unknown('objective', name, OBJECTIVES))
  build = OBJECTIVES[name]
  known = [
    key
    for key, parameter in inspect.signature(build).parameters.items()
    if key not in ('student', 'teacher', 'steps_per_epoch', 'epochs')
  ]
  for key in settings:
    if key not in known:
      raise ValueError(unknown(f'argument of objective {name!r}', key, known))
  return build(
    **settings,
    student=student,
    teacher=teacher,
    steps_per_epoch=steps_per_epoch,
    epochs=epochs,
  )

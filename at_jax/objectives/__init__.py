"""What is minimised, by name.

An objective is built once and then pure:

  parameters = objective.init(key)   # its own, usually none
  loss, (batch_stats, metrics) = objective.loss(
    params, batch_stats, teacher_variables, batch, key, step)

with `params = {'student': ..., 'objective': parameters}`.
"""

import inspect

from at_jax._arrays import unknown
from at_jax.objectives.counts import LabelCounts as LabelCounts
from at_jax.objectives.counts import count_labels as count_labels
from at_jax.objectives.multi_label import multi_label
from at_jax.objectives.network import Network as Network
from at_jax.objectives.sampling import tasn
from at_jax.objectives.transfer import supervised, transfer

OBJECTIVES = {
  'supervised': supervised,
  'transfer': transfer,
  'tasn': tasn,
  'multi_label': multi_label,
}
COUNTS = 'label_counts'
MULTI_HOT = ('multi_label',)  # what multi-hot labels are for


def reads_label_counts(name):
  """Whether `make_objective` wants label counts for the objective `name`."""
  return name in OBJECTIVES and COUNTS in _parameters(name)


def make_objective(
  settings,
  *,
  student,
  teacher,
  steps_per_epoch,
  epochs,
  label_counts=None,
  multi_label=False,
):
  """Builds the objective that `config.objective` describes.

  Args:
    settings: a mapping with `name`, a key of `OBJECTIVES`, and its arguments.
    student: a `Network`.
    teacher: a `Network`, or None.
    steps_per_epoch: int, to turn steps into epochs for weight schedules.
    epochs: int, the length of the run.
    label_counts: `LabelCounts` of the training set, for an objective that
      `reads_label_counts`; others are not told.
    multi_label: whether the labels are multi-hot.

  Raises:
    ValueError: an unknown name or argument, terms that do not fit the networks,
      an objective that does not fit the labels.
  """
  settings = dict(settings)
  name = settings.pop('name')
  if name not in OBJECTIVES:
    raise ValueError(unknown('objective', name, OBJECTIVES))
  if multi_label and name not in MULTI_HOT:
    raise ValueError(
      f'The objective {name!r} has a softmax cross-entropy, for one label an '
      'image, and the labels of these data are multi-hot: set '
      "config.objective=dict(name='multi_label', loss='sigmoid')."
    )
  given = dict(
    student=student,
    teacher=teacher,
    steps_per_epoch=steps_per_epoch,
    epochs=epochs,
  )
  if reads_label_counts(name):
    given[COUNTS] = label_counts
  known = [key for key in _parameters(name) if key not in given]
  for key in settings:
    if key not in known:
      raise ValueError(unknown(f'argument of objective {name!r}', key, known))
  return OBJECTIVES[name](**settings, **given)


def _parameters(name):
  return inspect.signature(OBJECTIVES[name]).parameters

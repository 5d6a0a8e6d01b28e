"""Transfer from a teacher: any weighted sum of the terms of `terms.py`."""

import dataclasses
import functools
import inspect
import zlib
from typing import Any

import jax
import jax.numpy as jnp

from at_jax._arrays import unknown
from at_jax.objectives.forward import Networks
from at_jax.objectives.gradients import Wanted
from at_jax.objectives.terms import TERMS
from at_jax.objectives.weights import check_weight, weight_at

PLAIN_CE = {
  'ce': {
    'weight': {'value': 1.0, 'schedule': 'constant', 'start': 0.0, 'end': 0.0}
  }
}


def supervised(*, student, teacher, steps_per_epoch, epochs):
  """Cross-entropy with the labels; a teacher, if there is one, is not asked."""
  del teacher
  return transfer(
    terms=PLAIN_CE,
    student=student,
    teacher=None,
    steps_per_epoch=steps_per_epoch,
    epochs=epochs,
  )


def transfer(
  *, terms, student, teacher, steps_per_epoch, epochs, gradient_bn=''
):
  """Builds a `Transfer`; raises ValueError where the terms do not fit.

  Args:
    terms: {name of a term: {'weight': a weight, **its settings}}.
    student: a `Network`.
    teacher: a `Network` or None.
    steps_per_epoch: int.
    epochs: int.
    gradient_bn: how the student's batch norm behaves where a term reads its
      input gradient. 'running' takes a second pass, with running statistics;
      'batch' the statistics of the batch, on which its gradients then depend
      (mirrored images have their own); '' is for networks without batch norm,
      where this changes nothing.
  """
  terms = {name: dict(settings) for name, settings in terms.items()}
  if not terms:
    raise ValueError(f'The objective has no terms; there are: {list(TERMS)}.')
  weights = {}
  for name, settings in terms.items():
    _check_term(name, settings, teacher)
    weights[name] = dict(settings.pop('weight'))
    check_weight(name, weights[name])
  if not any(TERMS[name].needs_teacher for name in terms):
    teacher = None  # its forward pass would be for nothing
  wanted = Wanted()
  for name, settings in terms.items():
    wanted |= TERMS[name].wants(settings)
  networks = Networks(student, teacher, wanted, gradient_bn)
  networks.check()
  objective = Transfer(networks, terms, weights, steps_per_epoch, epochs)
  objective.check()
  return objective


@dataclasses.dataclass(frozen=True, eq=False)
class Transfer:
  """Sum of `weight(step) * term(...)`. Build it with `transfer`."""

  networks: Networks
  terms: dict[str, dict[str, Any]]
  weights: dict[str, dict[str, Any]]
  steps_per_epoch: int
  epochs: int

  @property
  def teacher(self):
    """The `Network` that is asked, or None."""
    return self.networks.teacher

  @property
  def reads_gradients(self):
    """Whether a term reads a gradient of the networks."""
    return bool(self.networks.wanted.student)

  def init(self, key):
    """Parameters of the terms' own, by term; most have none."""
    own = {}
    for name, settings in self.terms.items():
      if TERMS[name].init:
        term_key = jax.random.fold_in(key, zlib.crc32(name.encode()))
        own[name] = TERMS[name].init(term_key, self._shapes, **settings)
    return {name: parameters for name, parameters in own.items() if parameters}

  def loss(self, params, batch_stats, teacher_variables, batch, key, step):
    """One batch's loss, new batch statistics and metrics; see the package."""
    del key  # these networks draw nothing
    variables = {'params': params['student'], 'batch_stats': batch_stats}
    forward, batch_stats = self.networks(
      variables, teacher_variables, batch['image'], batch['label']
    )
    total, metrics = self._sum(forward, params['objective'], step)
    wrong = jnp.argmax(forward.student_logits, axis=-1) != forward.labels
    metrics = {
      'loss': total,
      'train_error': 100.0 * jnp.mean(wrong.astype(jnp.float32)),
      **metrics,
    }
    return total, (batch_stats, metrics)

  def check(self):
    """Traces the terms on shapes alone: what does not fit is said at once."""
    own = jax.eval_shape(self.init, jax.random.key(0))
    jax.eval_shape(self._sum, self._shapes, own, jnp.zeros(()))

  @functools.cached_property
  def _shapes(self):
    """A `Forward` of shapes; both networks are traced for it, once."""
    return self.networks.shapes()

  def _sum(self, forward, own, step):
    total, metrics = jnp.zeros(()), {}
    for name, settings in self.terms.items():
      forward = dataclasses.replace(forward, parameters=own.get(name, {}))
      value, parts = TERMS[name].function(forward, **settings)
      weight = weight_at(
        self.weights[name],
        step,
        steps_per_epoch=self.steps_per_epoch,
        epochs=self.epochs,
      )
      total += weight * value
      metrics |= {name: value, f'weight/{name}': weight}
      metrics |= {f'{name}/{part}': number for part, number in parts.items()}
    return total, metrics


def _check_term(name, settings, teacher):
  if name not in TERMS:
    raise ValueError(unknown('term', name, TERMS))
  term = TERMS[name]
  known = ['weight', *list(inspect.signature(term.function).parameters)[1:]]
  for key in settings:
    if key not in known:
      raise ValueError(unknown(f'setting of the term {name!r}', key, known))
  if 'weight' not in settings:
    raise ValueError(
      f'The term {name!r} has no weight: weight=common.constant(1.0).'
    )
  if term.needs_teacher and teacher is None:
    raise ValueError(
      f'The term {name!r} needs a teacher, and there is none: set '
      "config.teacher.config (say 'configs/wrn.py:depth=16;width=2') or "
      'config.teacher.weights (a weights folder).'
    )

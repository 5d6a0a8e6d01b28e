"""A student, a teacher and a batch, for the tests of the transfer objective."""

import functools

import jax
import jax.numpy as jnp
from small_networks import random_split, tiny_network, variables_of

from at_jax.data.augment import normalise
from at_jax.objectives import make_objective
from configs import common

BATCH = 6
GROUPS = common.same('group1', 'group2')
BLOCKS = common.same('group1/block1', 'group1/block2', 'group2/block1')
CE = {'weight': common.constant(1.0)}


def at_term(beta=100.0, **settings):
  defaults = dict(taps=GROUPS, form='code', kind='sum_pow', p=2.0, resize='')
  return {'weight': common.constant(beta)} | defaults | settings


def build(student, teacher, **terms):
  return make_objective(
    {'name': 'transfer', 'terms': terms},
    student=student,
    teacher=teacher,
    steps_per_epoch=10,
    epochs=4,
  )


class Setting:
  """A student, a teacher twice as wide, their variables and one batch."""

  def __init__(self, student=None, teacher=None):
    self.student = student or tiny_network(width=4)
    self.teacher = teacher or tiny_network(width=8)
    self.own = variables_of(self.student, 1)
    self.others = variables_of(self.teacher, 2)
    self.raw = random_split(BATCH)
    self.batch = {
      'image': normalise(
        self.raw['image'], self.student.mean, self.student.std
      ),
      'label': jnp.asarray(self.raw['label']),
    }

  def loss(self, objective, step=0, others=None):
    """(loss, batch_stats, metrics)."""
    loss, (batch_stats, metrics) = jax.jit(objective.loss)(
      {'student': self.own['params'], 'objective': {}},
      self.own['batch_stats'],
      self.others if others is None else others,
      self.batch,
      jax.random.key(0),
      jnp.asarray(step),
    )
    return loss, batch_stats, metrics

  @functools.cached_property
  def outputs(self):
    """What the networks give, student in train mode, teacher in eval."""
    raw = self.raw['image']
    ((logits, ends), stats) = jax.jit(
      functools.partial(self.student.apply, train=True)
    )(self.own, normalise(raw, self.student.mean, self.student.std))
    teacher_logits, teacher_ends = jax.jit(self.teacher.apply)(
      self.others, normalise(raw, self.teacher.mean, self.teacher.std)
    )
    return logits, ends, stats, teacher_logits, teacher_ends

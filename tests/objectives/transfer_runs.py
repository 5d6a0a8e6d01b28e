"""A student, a teacher and a batch, for the tests of the transfer objective."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from small_networks import MEAN, STD, random_split, tiny_network, variables_of

from at_jax.data.augment import normalise
from at_jax.objectives import Network, make_objective
from configs import common

BATCH = 6
GROUPS = common.same('group1', 'group2')
BLOCKS = common.same('group1/block1', 'group1/block2', 'group2/block1')


def close(got, want, rtol=2e-5):
  np.testing.assert_allclose(float(got), float(want), rtol=rtol)


def roughly(got, want):
  """For gradients, of which other orders of summing round further apart."""
  close(got, want, rtol=1e-4)


def weight(value):
  return {'weight': common.constant(value)}


CE = weight(1.0)


def at_term(beta=100.0, **settings):
  defaults = dict(taps=GROUPS, form='code', kind='sum_pow', p=2.0, resize='')
  return weight(beta) | defaults | settings


def build(student, teacher, gradient_bn='', **terms):
  return make_objective(
    {'name': 'transfer', 'terms': terms, 'gradient_bn': gradient_bn},
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
    self.raw = random_split(BATCH, self.student.input_shape)
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


class Front(nn.Module):
  """A convolution, with or without batch norm, to half the size."""

  width: int
  norm: bool
  dtype: Any

  @nn.compact
  def __call__(self, x, *, train):
    x = nn.Conv(self.width, (3, 3), 2, dtype=self.dtype)(x)
    if self.norm:
      x = nn.BatchNorm(not train, momentum=0.9, dtype=self.dtype)(x)
    return self.doubled(x)

  def doubled(self, x):
    """A method beside `__call__`: what it returns, the module does too."""
    return 2 * x


class Back(nn.Module):
  """From features to logits; smooth, so that second derivatives count."""

  hidden: int
  num_classes: int = 10
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x):
    x = nn.Conv(self.hidden, (3, 3), dtype=self.dtype)(nn.tanh(x))
    x = jnp.mean(nn.tanh(x), axis=(1, 2))
    return nn.Dense(self.num_classes, dtype=self.dtype)(x)


class TwoParts(nn.Module):
  """Endpoints: `middle`, which a submodule returns, and `active`."""

  width: int = 4
  hidden: int = 5
  num_classes: int = 10
  norm: bool = False
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    front = Front(self.width, self.norm, self.dtype, name='front')
    back = Back(self.hidden, self.num_classes, self.dtype, name='back')
    x = front(images, train=train)
    return back(x), {'middle': x, 'active': nn.tanh(x)}


def two_parts(mean=MEAN, std=STD, shape=(8, 8, 3), **kwargs):
  return Network(TwoParts(**kwargs), mean, std, shape, 'TwoParts')


def loss_of_one(network):
  """(variables, image, label) -> (cross-entropy, logits), in eval mode."""

  def loss(variables, image, label):
    logits = network.model.apply(variables, image[None], train=False)[0][0]
    return -jax.nn.log_softmax(jnp.float32(logits))[label], logits

  return loss


@functools.cache
def gradient_of_one(network):
  """(variables, image, label) -> (gradient, logits), compiled once."""
  return jax.jit(jax.grad(loss_of_one(network), argnums=1, has_aux=True))


def one_by_one(gradient, variables, images, labels):
  """(gradients, logits) of images that do not see each other, in float64."""
  results = [
    gradient(variables, image, label)
    for image, label in zip(np.asarray(images), labels, strict=True)
  ]
  results = zip(*jax.device_get(results), strict=True)
  return tuple(np.stack(rows).astype(np.float64) for rows in results)


def mean_square(differences):
  """The mean over the batch of sums of squares."""
  return np.square(differences).reshape(len(differences), -1).sum(1).mean()

"""What the tests of the training step share: a set-up, compiled once each."""

import functools
import types

import jax
import jax.numpy as jnp
import optax
from small_networks import (
  MEAN,
  STD,
  random_split,
  tiny_network,
  variables_of,
  wrn_network,
)

from at_jax.data.augment import augment, normalise
from at_jax.data.in_memory import epoch_order
from at_jax.objectives import make_objective
from at_jax.train.feed import taker
from at_jax.train.mesh import data_mesh, replicated
from at_jax.train.optimizer import make_optimizer
from at_jax.train.state import TrainState, init_state, named_key, step_key
from at_jax.train.step import make_chunk, make_step
from configs import common

BATCH = 16
COUNT = 40  # two steps an epoch, 8 images left out
STEPS = COUNT // BATCH
TAKE = taker(
  types.SimpleNamespace(in_memory=True),
  batch_size=BATCH,
  steps_per_epoch=STEPS,
)
DATA = dict(
  pad=2, pad_mode='reflect', flip=True, colour=0.0, jitter=0.0, rotate=0.0
)


def terms(taps):
  return dict(
    ce=dict(weight=common.constant(0.1)),
    kd=dict(weight=common.constant(0.9), temperature=4.0),
    at=dict(weight=common.constant(10.0), taps=common.same(*taps)),
  )


def placer(mesh):
  """Copies a tree onto all devices: steps donate what they are given."""
  return functools.partial(
    jax.device_put, device=replicated(mesh), may_alias=False
  )


class Setup:
  """Networks, data and a compiled chunk on the first `devices` devices."""

  def __init__(
    self,
    student,
    teacher,
    taps,
    *,
    devices=1,
    bn='global',
    scan=False,
    optimizer=None,
    data=DATA,
    freeze=(),
    gradient_bn='',
    **settings,
  ):
    self.mesh = data_mesh(jax.devices()[:devices])
    self.student, self.teacher = student, teacher
    self.optimizer, schedule = make_optimizer(
      common.base().optimizer.to_dict() | dict(drops=(2,)) | settings,
      steps_per_epoch=STEPS,
      epochs=4,
      freeze=freeze,
    )
    self.optimizer = optimizer or self.optimizer
    self.objective = make_objective(
      dict(name='transfer', terms=terms(taps), gradient_bn=gradient_bn),
      student=student,
      teacher=teacher,
      steps_per_epoch=STEPS,
      epochs=4,
    )
    self.place = placer(self.mesh)
    self.teacher_variables = self.place(variables_of(teacher, 7))
    self.split = self.place(random_split(COUNT))
    step = make_step(
      self.objective,
      self.optimizer,
      schedule,
      take=TAKE,
      data=data,
      normalisation=(MEAN, STD),
      mesh=self.mesh,
      bn=bn,
      freeze=freeze,
    )
    self.chunk = make_chunk(
      step, mesh=self.mesh, precision='float32', scan=scan
    )

  def state(self, seed=0):
    """The state before the first step, from NumPy: nothing to compile."""
    variables = variables_of(self.student, 11)
    params = {'student': variables['params'], 'objective': {}}
    return self.place(
      TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=variables['batch_stats'],
        opt_state=self.optimizer.init(params),
        key=jax.random.key(seed),
      )
    )

  def initialised(self, seed=0):
    """The state before the first step as a run makes it."""
    init = functools.partial(
      init_state,
      student=self.student,
      objective=self.objective,
      optimizer=self.optimizer,
    )
    return jax.jit(init, out_shardings=replicated(self.mesh))(
      jax.random.key(seed)
    )

  def order(self, epoch, seed=0):
    key = named_key(jax.random.key(seed), 'order')
    return self.place(epoch_order(key, epoch, COUNT))

  def run(self, steps, *, length=1, state=None):
    """(state, the metrics of every step)."""
    state, history = state or self.state(), []
    for step in range(0, steps, length):
      state, metrics = self.chunk(
        state,
        self.teacher_variables,
        self.split,
        self.order(step // STEPS),
        length=length,
      )
      history += [
        {k: v[i] for k, v in jax.device_get(metrics).items()}
        for i in range(length)
      ]
    return state, history


@functools.cache
def tiny_setup(dtype=jnp.float32, **kwargs):
  return Setup(
    tiny_network(width=4, dtype=dtype),
    tiny_network(width=8, dtype=dtype),
    ('group1', 'group2'),
    **kwargs,
  )


@functools.cache
def wrn_setup(**kwargs):
  return Setup(
    wrn_network(width=1),
    wrn_network(width=2),
    ('group1', 'group2', 'group3'),
    **kwargs,
  )


@jax.jit
def augmented(key, step, images):
  """What the step makes of its uint8 images."""
  images = augment(
    step_key(key, step, 'augment'),
    images,
    pad=DATA['pad'],
    pad_mode=DATA['pad_mode'],
    flip=DATA['flip'],
  )
  return normalise(images, MEAN, STD)


def keep_gradients():
  """An optimizer that moves nothing and keeps the gradient as its state."""
  zeros = functools.partial(jax.tree.map, jnp.zeros_like)
  return optax.GradientTransformation(
    zeros, lambda grads, state, params=None: (zeros(grads), grads)
  )


class Recorder:
  """An objective that hands out what a step gave it, as metrics."""

  teacher = None

  def loss(self, params, batch_stats, teacher_variables, batch, key, step):
    metrics = {
      'image': batch['image'],
      'label': batch['label'],
      'key': jax.random.key_data(key),
      'step': step,
    }
    return 0.0 * params['student'], (batch_stats, metrics)


def recorder(devices=1, data=DATA):
  """(seed, steps) -> what `Recorder` recorded in every step."""
  mesh = data_mesh(jax.devices()[:devices])
  place = placer(mesh)
  chunk = make_chunk(
    make_step(
      Recorder(),
      optax.sgd(0.0),
      lambda step: 0.0 * step,
      take=TAKE,
      data=data,
      normalisation=(MEAN, STD),
      mesh=mesh,
      bn='global',
    ),
    mesh=mesh,
    precision='float32',
    scan=False,
  )
  split = place(random_split(COUNT))

  def run(seed, steps):
    params, zero = {'student': jnp.zeros(())}, jnp.zeros((), jnp.int32)
    opt_state = optax.sgd(0.0).init(params)
    state = TrainState(zero, params, {}, opt_state, jax.random.key(seed))
    state, history = place(state), []
    for step in range(steps):
      key = named_key(jax.random.key(seed), 'order')
      order = epoch_order(key, step // STEPS, COUNT)
      state, seen = chunk(state, {}, split, place(order), length=1)
      history.append({k: v[0] for k, v in jax.device_get(seen).items()})
    return history

  return run

"""What a run carries from step to step, and where its randomness comes from."""

import zlib
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp


@flax.struct.dataclass
class TrainState:
  """All that a checkpoint holds. The teacher is not in it.

  Attributes:
    step: number of finished steps, int32.
    params: {'student': ..., 'objective': ...}.
    batch_stats: of the student.
    opt_state: of optax.
    key: the root of all randomness; never used directly, see `named_key`.
  """

  step: jax.Array
  params: Any
  batch_stats: Any
  opt_state: Any
  key: jax.Array


def named_key(key, use):
  """A key of its own for every use: 'init', 'order', 'augment', ..."""
  return jax.random.fold_in(key, zlib.crc32(use.encode()))


def step_key(key, step, use):
  """The key of one use in one step."""
  return jax.random.fold_in(named_key(key, use), step)


def init_state(key, *, student, objective, optimizer):
  """The state before the first step: a function of the key alone."""
  variables = student.init(named_key(key, 'student'))
  params = {
    'student': variables['params'],
    'objective': objective.init(named_key(key, 'objective')),
  }
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    batch_stats=variables['batch_stats'],
    opt_state=optimizer.init(params),
    key=key,
  )

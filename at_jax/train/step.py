"""One training step, and a chunk of them in one dispatch.

A step takes its batch from the data, augments, normalises, differentiates and
updates: one jitted function of the state, the teacher's variables and the data.
"""

import functools

import jax
import optax
from jax.sharding import PartitionSpec as P

from at_jax._arrays import unknown
from at_jax.data.augment import augment, normalise
from at_jax.objectives.paths import covered
from at_jax.train.mesh import AXIS, replicated, split
from at_jax.train.state import step_key

AUGMENTATION = ('pad', 'pad_mode', 'flip', 'colour', 'jitter', 'rotate')
BATCH_NORMS = ('global', 'per_device', 'frozen')


def make_step(
  objective,
  optimizer,
  schedule,
  *,
  take,
  data,
  normalisation,
  mesh,
  bn,
  freeze=(),
):
  """(state, teacher_variables, *data) -> (state, metrics).

  Args:
    objective: see `at_jax.objectives`.
    optimizer: optax transformation.
    schedule: step -> learning rate, for the metrics.
    take: (step, *data) -> a batch of uint8 images; see `at_jax.train.feed`.
    data: `config.data`, of which `AUGMENTATION` is read here.
    normalisation: (mean, std), see `augment.normalise`.
    mesh: see `at_jax.train.mesh`.
    bn: 'global' normalises over the whole batch, 'per_device' over each
      device's share, as data-parallel PyTorch does; with 'frozen' the student's
      `Network` normalises by running statistics.
    freeze: paths of the student's parameters that get no gradient.
  """
  if bn not in BATCH_NORMS:
    raise ValueError(unknown('bn', bn, BATCH_NORMS))

  def loss(params, *rest):
    return objective.loss(_held(params, freeze), *rest)

  differentiate = jax.value_and_grad(loss, has_aux=True)
  if bn == 'per_device':
    differentiate = _on_each_device(differentiate, mesh)

  def step(state, teacher_variables, *arrays):
    batch = take(state.step, *arrays)
    batch = jax.lax.with_sharding_constraint(batch, split(mesh))
    images = augment(
      step_key(state.key, state.step, 'augment'),
      batch['image'],
      **{name: data[name] for name in AUGMENTATION},
    )
    batch = batch | {'image': normalise(images, *normalisation)}
    (_, (batch_stats, metrics)), grads = differentiate(
      state.params,
      state.batch_stats,
      teacher_variables,
      batch,
      step_key(state.key, state.step, 'objective'),
      state.step,
    )
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    new_state = state.replace(
      step=state.step + 1,
      params=_moved(state.params, updates, freeze),
      batch_stats=batch_stats,
      opt_state=opt_state,
    )
    # Not finite gradients show one step before the loss does: in time for no
    # checkpoint to be written of what they did.
    metrics |= {
      'grad_norm': optax.tree.norm(grads),
      'lr': schedule(state.step),
    }
    return new_state, metrics

  return step


def _held(params, freeze):
  """The parameters, those of the student under `freeze` as constants."""
  student = jax.tree.map(
    lambda x, held: jax.lax.stop_gradient(x) if held else x,
    params['student'],
    covered(freeze, params['student']),
  )
  return params | {'student': student}


def _moved(params, updates, freeze):
  """The updated parameters; those under `freeze` bit by bit as they were.

  Adding zero would not do: XLA flushes the smallest numbers to 0.
  """
  moved = optax.apply_updates(params, updates)
  student = jax.tree.map(
    lambda old, new, held: old if held else new,
    params['student'],
    moved['student'],
    covered(freeze, params['student']),
  )
  return moved | {'student': student}


def make_chunk(step, *, mesh, precision, scan):
  """Jits `length` steps: one dispatch with `scan`, else only one step.

  On the CPU a loop inside the compiled program would put convolutions on
  XLA's slow path (75 times slower, jax 0.10.2), so there length is 1.

  Returns:
    (state, teacher_variables, *data, length) ->
    (state, metrics stacked over the steps). The state is donated.
  """

  @functools.partial(
    jax.jit,
    static_argnames='length',
    donate_argnames='state',
    out_shardings=replicated(mesh),
  )
  def chunk(state, teacher_variables, *data, length):
    def body(state, _):
      with jax.default_matmul_precision(precision):
        return step(state, teacher_variables, *data)

    if scan:
      return jax.lax.scan(body, state, length=length)
    state, metrics = body(state, None)
    return state, jax.tree.map(lambda x: x[None], metrics)

  return chunk


def _on_each_device(differentiate, mesh):
  """Every device differentiates its share; the results are averaged."""

  def local(*args):
    (loss, (batch_stats, metrics)), grads = differentiate(*args)
    return jax.lax.pmean(((loss, (batch_stats, metrics)), grads), AXIS)

  return jax.shard_map(
    local,
    mesh=mesh,
    in_specs=(P(), P(), P(), P(AXIS), P(), P()),
    out_specs=P(),
    check_vma=False,  # so that gradients stay local until the pmean
  )

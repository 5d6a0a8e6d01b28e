"""What a device is checked by: arrays that another one must compute alike.

`python -m benchmarks.paper_gpu.values FILE.npz BATCH STEP CHECK ...` writes
them, or what went wrong, of the device that jax chooses. STEP is a key of
`benchmarks.workload.CONFIGS`.
"""

import sys

import numpy as np

STEPS = 3  # of each way in the checks of one device


def networks(batch, _):
  """Logits, endpoints and statistics of WRN-16-1."""
  import jax

  from at_jax.models import create_model

  model = create_model('wrn', depth=16, width=1)
  images = _normal(0, batch, 32, 32, 3)
  with jax.default_matmul_precision('highest'):
    variables = jax.jit(lambda key: model.init(key, images, train=False))(
      jax.random.key(0)
    )
    evaluated = jax.jit(lambda v: model.apply(v, images, train=False))
    trained = jax.jit(
      lambda v: model.apply(v, images, train=True, mutable=['batch_stats'])
    )
    return {'eval': evaluated(variables), 'train': trained(variables)}


def distances(batch, _):
  """AT, KD and activation distances of random features."""
  return {name: f(*args) for name, f, args in _distances(batch)}


def distance_gradients(batch, _):
  """Their derivatives for the student's side."""
  import jax

  return {
    name: jax.jit(jax.grad(lambda x, y, f=f: f(x, y).sum()))(*args)
    for name, f, args in _distances(batch)
  }


def _distances(batch):
  from at_jax import activation_distance, at_distance, kd_divergence

  features = [_normal(seed, batch, 16, 16, 32) for seed in (1, 2)]
  logits = [_normal(seed, batch, 10) for seed in (3, 4)]
  yield 'at', at_distance, features
  yield 'kd', kd_divergence, logits
  yield 'activation', activation_distance, features


def one_step(batch, step):
  """What one step makes of the weights, by `Program.advance`."""
  import jax

  program = _program(batch, step, log_every=1)
  before = jax.device_get(program.init(0))
  after, metrics = _advanced(program, 1)
  return {
    'update': jax.tree.map(np.subtract, after.params, before.params),
    'batch_stats': after.batch_stats,
    'metrics': metrics,
  }


def scan_and_stepwise(batch, step):
  """A few steps in one dispatch, and the same one by one."""
  return tuple(
    _advanced(_program(batch, step, log_every=length), STEPS)[0].params
    for length in (STEPS, 1)
  )


def bfloat16(batch, step):
  """The losses of a few steps, and those of float32."""
  return tuple(
    _advanced(_program(batch, step, log_every=1, dtype=dtype), STEPS)[1]['loss']
    for dtype in ('bfloat16', 'float32')
  )


def _normal(seed, *shape):
  rng = np.random.default_rng(seed)
  return rng.standard_normal(shape).astype(np.float32)


def _program(batch, step, *, log_every, dtype='float32'):
  """A step with exact products (bfloat16 has its own)."""
  from at_jax.train.config import without
  from at_jax.train.program import Program
  from benchmarks.workload import our_program

  plain = our_program(step, batch=batch, dtype=dtype, devices=1)
  config = without(plain.config)
  config.update(precision='highest', log_every=log_every)
  program = Program(config.lock(), plain.bench, teacher=plain.objective.teacher)
  program.set_teacher(plain.teacher_variables)
  return program


def _advanced(program, steps):
  """(state, metrics of all steps) on the host."""
  import jax

  state, done, rows = program.init(0), 0, []
  feed = program.feed(0, 0)
  while done < steps:
    state, metrics, length = program.advance(state, feed, done)
    rows.append(jax.device_get(metrics))
    done += length
  rows = jax.tree.map(lambda *parts: np.concatenate(parts), *rows)
  return jax.device_get(state), rows


# Compared between devices.
EVERYWHERE = {
  'networks': networks,
  'distances': distances,
  'gradients of distances': distance_gradients,
  'one step': one_step,
}
# Compared on one device: these give what is checked, and what it should be.
ON_ONE = {
  'scan against stepwise': scan_and_stepwise,
  'bfloat16 loss': bfloat16,
}


def compute(path, batch, step, names):
  """Writes all arrays: 'check|here or there|where' is each one's name."""
  import jax

  device = jax.devices()[0]
  found = {
    'platform': device.platform,
    'device': f'{device.device_kind}, jax {jax.__version__}',
  }
  for name in names:
    try:
      if name in ON_ONE:
        sides = ON_ONE[name](batch, step)
      else:
        sides = (EVERYWHERE[name](batch, step),)
      for side, tree in zip(('here', 'there'), sides, strict=False):
        leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(tree))
        for where, leaf in leaves:
          key = f'{name}|{side}|{jax.tree_util.keystr(where)}'
          found[key] = np.asarray(leaf, np.float64)
    except Exception as error:  # whatever it is, the others must go on
      found[f'{name}|error'] = f'{type(error).__name__}: {error}'[:500]
    print(f'{name}: computed on {device.platform}', flush=True)
  np.savez(path, **found)


if __name__ == '__main__':
  compute(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])

"""What the engine costs over the bare training step.

Three ways to do the same steps of WRN-16-1 taught by WRN-16-2, in one process,
in turn:

  bare    forward, backward and update of one ready batch, again and again
  data    `Program.advance`: also gathers, crops, flips, normalises, and counts
          the metrics
  engine  `train`: also fetches and checks the metrics, writes their rows,
          draws the progress, and watches for signals

  python -m benchmarks.engine                   # nothing else may run
  python -m benchmarks.engine --step=ce --batch=128 --rounds=5 --out=FILE.json

Evaluation and checkpoints are left out: `eval_every` and `checkpoint_seconds`
decide how often they happen.
"""

import argparse
import functools
import json
import pathlib
import statistics
import tempfile
import time

import jax
import optax

from at_jax.data.augment import normalise
from at_jax.train import mesh as meshes
from at_jax.train.config import load_config
from at_jax.train.console import Console
from at_jax.train.loop import train
from at_jax.train.stopping import StopFlag
from at_jax.train.writer import read_rows
from benchmarks.workload import CONFIGS, about_at_jax, our_program

WAYS = 'bare', 'data', 'engine'


def bare(program, steps):
  """Seconds of `steps` updates with one batch that is ready."""
  objective, optimizer = program.objective, program.optimizer
  size = program.config.batch_size
  split = program.bench.dataset.train.take(slice(size))
  network = program.network
  batch = meshes.put(
    {
      'image': jax.device_get(
        normalise(split.images, network.mean, network.std)
      ),
      'label': split.labels,
    },
    meshes.split(program.bench.mesh),
  )
  # As many in one dispatch as the engine has.
  scan = jax.devices()[0].platform != 'cpu'
  length = program.next_boundary(0) if scan else 1
  chunk = bare_chunk(objective, optimizer, program.bench.mesh, length)
  state = program.init(0)
  state = chunk(state, program.teacher_variables, batch)  # compiles
  jax.block_until_ready(state)
  begin, done = time.perf_counter(), 0
  while done < steps:
    state = chunk(state, program.teacher_variables, batch)
    done += length
  jax.block_until_ready(state)
  return (time.perf_counter() - begin) * steps / done


@functools.cache
def bare_chunk(objective, optimizer, mesh, length):
  """Compiles `length` updates with one batch."""

  def step(state, teacher_variables, batch):
    grads, (batch_stats, _) = jax.grad(objective.loss, has_aux=True)(
      state.params,
      state.batch_stats,
      teacher_variables,
      batch,
      state.key,
      state.step,
    )
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    return state.replace(
      step=state.step + 1,
      params=optax.apply_updates(state.params, updates),
      batch_stats=batch_stats,
      opt_state=opt_state,
    )

  @functools.partial(
    jax.jit, donate_argnums=0, out_shardings=meshes.replicated(mesh)
  )
  def chunk(state, teacher_variables, batch):
    if length == 1:  # a loop would slow a CPU's convolutions down
      return step(state, teacher_variables, batch)
    return jax.lax.fori_loop(
      0, length, lambda _, s: step(s, teacher_variables, batch), state
    )

  return chunk


def data(program, steps):
  """Seconds of `steps` steps of `Program.advance`; a whole number of chunks."""
  state = program.init(0)
  feed, done = program.feed(0, 0), 0
  state, _, length = program.advance(state, feed, done)  # compiles
  jax.block_until_ready(state)
  begin, first = time.perf_counter(), length
  while done < steps:
    state, _, length = program.advance(state, feed, first + done)
    done += length
  jax.block_until_ready(state)
  return (time.perf_counter() - begin) * steps / done


def engine(program, steps):
  """Seconds of `steps` steps of `train`, by the rates that it writes."""
  with tempfile.TemporaryDirectory() as folder, StopFlag() as stop:
    train(
      program,
      seed=0,
      folder=folder,
      title='engine',
      console=Console(),
      stop=stop,
    )
    rows = read_rows(pathlib.Path(folder) / 'metrics.jsonl')
  rates = [r['images_per_second'] for r in rows if 'images_per_second' in r]
  per_image = statistics.fmean(1 / rate for rate in rates)
  return steps * program.config.batch_size * per_image


def table(found, images):
  """Markdown of {way: [seconds, ...]} for `images` each."""
  base = statistics.median(found['bare'])
  lines = ['| | images/s: median (min–max) | over bare |', '|---|---:|---:|']
  for way in WAYS:
    rates = sorted(images / seconds for seconds in found[way])
    middle = statistics.median(found[way])
    lines.append(
      f'| {way} | {images / middle:,.0f} ({rates[0]:,.0f}–{rates[-1]:,.0f}) | '
      f'{100 * (middle / base - 1):+.1f} % |'
    )
  return '\n'.join(lines)


def main(arguments=None):
  """The command."""
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.engine',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--step', default='at', choices=list(CONFIGS))
  parser.add_argument('--batch', type=int, default=128)
  parser.add_argument('--rounds', type=int, default=3)
  parser.add_argument('--steps', type=int, default=40, help='in each round')
  parser.add_argument('--out', help='a JSON file for all that was measured')
  flags = parser.parse_args(arguments)
  config = load_config(CONFIGS[flags.step])
  config.batch_size = flags.batch
  meshes.split_cpu([config])
  program = our_program(flags.step, batch=flags.batch, log_every=20)
  ways = {'bare': bare, 'data': data, 'engine': engine}
  found = {way: [] for way in WAYS}
  for number in range(flags.rounds):
    for way, measure in ways.items():
      found[way].append(measure(program, flags.steps))
      print(
        f'round {number + 1} of {flags.rounds}, {way}: {found[way][-1]:.2f} s',
        flush=True,
      )
  print(f'\n{table(found, flags.steps * flags.batch)}')
  if flags.out:
    settings = {k: v for k, v in vars(flags).items() if k != 'out'}
    whole = dict(flags=settings, at_jax=about_at_jax(), seconds=found)
    pathlib.Path(flags.out).write_text(json.dumps(whole, indent=1) + '\n')


if __name__ == '__main__':
  main()

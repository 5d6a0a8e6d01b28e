"""One measurement in a process of its own; `benchmarks.step` starts it.

`python -m benchmarks.workload '{"engine": "at_jax", ...}'` prints JSON. It
imports the engine that it measures and no other, so that neither's threads or
memory disturb.
"""

import dataclasses
import json
import math
import os
import platform
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.catalogue import WORK

CONFIGS = {step: work.config for step, work in WORK.items()}
LR = 1e-3  # small: random labels teach nothing, and nothing may diverge
WARM_UP = 3


@dataclasses.dataclass
class Run:
  """An engine at work.

  Attributes:
    advance: dispatches steps, returns how many.
    wait: returns the last step's loss once everything is done.
    peak_memory: bytes on the accelerator, None on a CPU.
    devices: how many share a batch.
  """

  advance: Callable[[], int]
  wait: Callable[[], float]
  peak_memory: Callable[[], int | None]
  devices: int = 1


def random_examples(step, batch):
  """An epoch's uint8 images `[N, H, W, 3]` and int32 labels, always the same.

  Args:
    step: a key of `CONFIGS`.
    batch: images in a step.
  """
  rng, work = np.random.default_rng(0), WORK[step]
  count = work.batches * batch
  shape = (count, work.size, work.size, 3)
  images = rng.integers(0, 256, shape, dtype=np.uint8)
  return images, rng.integers(0, work.classes, count).astype(np.int32)


def timed(run, batch, seconds, clock=time.perf_counter):
  """Warms up, then runs for about `seconds`; returns what was measured.

  Raises:
    FloatingPointError: the loss is not finite: the time of nonsense.
  """
  begin = clock()
  for _ in range(WARM_UP):
    run.advance()
  run.wait()
  warm, tries = clock(), 0
  while not tries or clock() - warm < seconds / 10:
    run.advance()
    run.wait()
    tries += 1
  # The number of calls is fixed beforehand: to ask the clock after each, each
  # would have to be waited for.
  calls = max(1, round(seconds * tries / (clock() - warm)))
  start = clock()
  steps = sum(run.advance() for _ in range(calls))
  loss = run.wait()
  elapsed = clock() - start
  if not math.isfinite(loss):
    raise FloatingPointError(f'The loss after {steps} steps is {loss}.')
  return {
    'images_per_second': batch * steps / elapsed,
    'steps': steps,
    'seconds': elapsed,
    'warm_up_seconds': warm - begin,
    'loss': loss,
  }


def our_program(step, *, batch, dtype='float32', devices=None, log_every=100):
  """The `Program` of a step, on data in memory and with an untrained teacher.

  Args:
    step: a key of `CONFIGS`.
    batch: images in a step.
    dtype: of the activations.
    devices: how many to use, by default all.
    log_every: steps, as in a config.
  """
  import jax

  from at_jax.data.dataset import Dataset, Split
  from at_jax.train.bench import Bench, make_network
  from at_jax.train.config import load_config, row_config, teacher_config
  from at_jax.train.mesh import data_mesh
  from at_jax.train.program import Program

  config = load_config(CONFIGS[step])
  with config.unlocked():
    config.update(batch_size=batch, dtype=dtype, epochs=1, log_every=log_every)
    config.optimizer.update(lr=LR, warmup=0.0)
    config.data.colour = 0.0
  config = row_config(config, 'main')
  train = Split(*random_examples(step, batch))
  names = tuple(f'class {k}' for k in range(WORK[step].classes))
  dataset = Dataset('random', 'random', names, train, None, train)
  mesh = data_mesh(jax.devices()[:devices])
  bench = Bench(dataset, mesh, config.eval_batch_size, config.precision)
  teacher = None
  if config.teacher.config:
    teacher = make_network(teacher_config(config), dataset)
  program = Program(config, bench, teacher=teacher)
  if teacher:
    program.set_teacher(jax.jit(teacher.init)(jax.random.key(1)))
  return program


def prepare_at_jax(settings):
  """The `Run` of `train.py`'s own step."""
  import jax

  program = our_program(
    settings['step'],
    batch=settings['batch'],
    dtype=settings['dtype'],
    devices=settings['devices'],
  )
  state, step = program.init(0), 0
  feed, metrics = program.feed(0, step), None

  def advance():
    nonlocal state, metrics, step
    state, metrics, length = program.advance(state, feed, step)
    step += length
    return length

  def wait():
    jax.block_until_ready(state)
    return float(metrics['loss'][-1])

  def peak_memory():
    return (jax.devices()[0].memory_stats() or {}).get('peak_bytes_in_use')

  return Run(advance, wait, peak_memory, program.bench.mesh.size)


def about_at_jax():
  """Versions and devices, as JSON."""
  import jax

  from at_jax.train.versions import git_commit, versions

  device = jax.devices()[0]
  name = f'{cpu_model()}, {os.cpu_count()} cores'
  if device.platform != 'cpu':
    name = f'{device.device_kind}; {name}'
  return {
    'platform': device.platform,
    'name': name,
    'versions': versions(),
    'commit': git_commit(),
  }


def about_torch():
  """Versions and the GPU's name, '' without one, as JSON."""
  import torch

  gpu = torch.cuda.is_available() and torch.cuda.get_device_name(0)
  return {
    'gpu': gpu or '',
    'threads': torch.get_num_threads(),
    'versions': {
      'python': sys.version.split()[0],
      'torch': torch.__version__,
      'cuda': torch.version.cuda,
      'cudnn': torch.backends.cudnn.version(),
    },
  }


def cpu_model():
  try:
    with open('/proc/cpuinfo') as file:
      names = [line for line in file if line.startswith('model name')]
    return names[0].partition(':')[2].strip()
  except (OSError, IndexError):
    return platform.processor() or platform.machine()


def process_memory():
  """Largest resident memory of this process so far, in bytes."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return peak if sys.platform == 'darwin' else 1024 * peak


def huge_page_memory():
  """Bytes of this process in huge pages; None where nobody says."""
  try:
    with open('/proc/self/smaps_rollup') as file:
      lines = [line.split() for line in file if 'AnonHugePages' in line]
    return 1024 * int(lines[0][1])
  except (OSError, IndexError):
    return None


def measure(settings):
  """The numbers of one measurement, as JSON."""
  prepare = prepare_at_jax
  if settings['engine'] == 'torch':
    from benchmarks.torch_step import prepare
  run = prepare(settings)
  result = timed(run, settings['batch'], settings['seconds'])
  return result | {
    'devices_used': run.devices,
    'peak_memory': run.peak_memory() or process_memory(),
    'huge_page_memory': huge_page_memory(),
  }


def main(settings):
  if 'step' in settings:
    return measure(settings)
  return {'at_jax': about_at_jax, 'torch': about_torch}[settings['engine']]()


if __name__ == '__main__':
  print(json.dumps(main(json.loads(sys.argv[1]))))

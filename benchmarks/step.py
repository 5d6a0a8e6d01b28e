"""Images per second of one training step, here and in plain PyTorch.

The steps: `ce`, WRN-16-1 alone; `kd` and `at`, taught by WRN-16-2 with the
losses of configs/wrn_kd.py and wrn_at.py; `nin`, NIN-thin alone under the
conditions of configs/nin_plain.py; `min_l2`, the same with double
backpropagation; `grad_at`, taught by NIN-wide's input gradients; `ran56_cifar`,
Attention-56 by the recipe of configs/ran_cifar.py; `ran56`, Attention-56 for
ImageNet by that of ran_imagenet.py, but augmented by mirroring alone. Each
takes a batch of random images from the device's memory, augments and
normalises it, runs the networks forward, the student backward, and updates it.

Batches are of 32x32 images: 128, of NINs and `ran56_cifar` 64. `ran56` has 8 of
224x224 (on a GPU 64) and takes seconds a step: it is measured only if it is
named.

  python -m benchmarks.step                      # CPU: nothing else may run
  python -m benchmarks.step --torch_python=~/torch/bin/python --out=step.json
  python -m benchmarks.step --steps=at --all     # further settings of both
  python -m benchmarks.step --steps=ran56_cifar,ran56 --seconds=30

On a machine with a GPU that jax sees, the same commands measure there, on one
GPU. PyTorch is optional (`pip install torch`, in this or another environment).
at_jax runs through `at_jax.train.program`, as `train.py` does; its step also
computes the metrics, which PyTorch's does not. Every measurement is a process
of its own, and rounds interleave all of them, so that a slow minute of the
machine hits everyone.

Peak memory: on a CPU of the whole process, compilation included; on a GPU of
the arrays that each framework's allocator handed out.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from benchmarks.catalogue import USUAL, WORK
from benchmarks.table import costs, shown, summarise, table
from benchmarks.variants import VARIANTS, is_bfloat16

ROOT = pathlib.Path(__file__).resolve().parents[1]
HUGE_PAGES = 'glibc.malloc.hugetlb'
PATHS = ('torch_python', 'out', 'folder')  # flags that say nothing elsewhere


def parse(arguments):
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.step',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--rounds', type=int, default=3)
  parser.add_argument(
    '--seconds', type=float, default=5.0, help='of each measurement'
  )
  parser.add_argument('--batch', type=int, default=0, help='of every step')
  parser.add_argument(
    '--steps', default=','.join(USUAL), help=f'of {", ".join(WORK)}'
  )
  parser.add_argument('--all', action='store_true', help='further settings')
  parser.add_argument(
    '--only', default='', help='a regular expression on the names of variants'
  )
  parser.add_argument(
    '--torch_python',
    default=sys.executable,
    help='a python that has torch; default: this one',
  )
  parser.add_argument('--out', help='a JSON file for all that was measured')
  flags = parser.parse_args(arguments)
  flags.torch_python = os.path.expanduser(flags.torch_python)
  flags.steps = flags.steps.split(',')
  for step in flags.steps:
    if step not in WORK:
      parser.error(f'unknown step {step!r}, there are {", ".join(WORK)}')
  if flags.rounds < 1 or flags.batch < 0 or flags.seconds <= 0:
    parser.error('--rounds, --batch and --seconds must be positive')
  return flags


def environment(settings, base):
  """Environment variables of a measurement."""
  new = dict(base)
  tunables = [
    item
    for item in new.pop('GLIBC_TUNABLES', '').split(':')
    if item and not item.startswith(HUGE_PAGES)
  ]
  if settings.get('huge_pages'):
    tunables.append(f'{HUGE_PAGES}=1')
  if tunables:
    new['GLIBC_TUNABLES'] = ':'.join(tunables)
  new.pop('JAX_NUM_CPU_DEVICES', None)
  count = settings.get('devices', 1)
  count = f'--xla_force_host_platform_device_count={count}'
  new['XLA_FLAGS'] = f'{new.get("XLA_FLAGS", "")} {count}'.strip()
  return new


def run(settings, python=sys.executable, base=os.environ):
  """What `benchmarks.workload` says, or {'failed': why}."""
  return run_module('benchmarks.workload', settings, python, base)


def run_module(module, settings, python=sys.executable, base=os.environ):
  """What a module prints of JSON settings, or {'failed': why}."""
  command = [python, '-m', module, json.dumps(settings)]
  done = subprocess.run(
    command,
    cwd=ROOT,
    env=environment(settings, base),
    capture_output=True,
    text=True,
  )
  if done.returncode:
    return {'failed': reason(done.stderr) or f'code {done.returncode}'}
  return json.loads(done.stdout.splitlines()[-1])


def reason(traceback):
  """The last line of an output that names an exception, or its last line."""
  lines = traceback.strip().splitlines() or ['']
  named = [
    line for line in lines if re.match(r'[\w.]+(Error|Exception):', line)
  ]
  return (named or lines)[-1]


def look_at_torch(flags, device):
  """(what PyTorch there is, '') or (None, why it is not measured)."""
  try:
    found = run({'engine': 'torch'}, flags.torch_python)
  except OSError as error:
    found = {'failed': str(error)}
  if 'failed' in found:
    problem = f'No PyTorch in {flags.torch_python} ({found["failed"]})'
  elif device == 'gpu' and not found['gpu']:
    problem = f'The PyTorch of {flags.torch_python} sees no GPU, jax does'
  else:
    return found, ''
  return None, (
    f'{problem}: only at_jax is measured. To compare, pip install torch, or '
    'name a python that has it with --torch_python=PATH.'
  )


def write(flags, **found):
  """Writes what was found, and under which flags, if `--out` names a file."""
  if flags.out:
    said = {k: v for k, v in vars(flags).items() if k not in PATHS}
    text = json.dumps(dict(flags=said, **found), indent=1)
    pathlib.Path(flags.out).write_text(text + '\n')


def measure_all(flags, variants, device, save):
  """Measures everything, round by round; `save(measurements)` after each."""
  measurements = []
  with tempfile.TemporaryDirectory(prefix='at_jax_benchmark_') as cache:
    base = {'JAX_COMPILATION_CACHE_DIR': cache, **os.environ}
    for number in range(1, flags.rounds + 1):
      for step in flags.steps:
        for variant in variants:
          if WORK[step].float32 and is_bfloat16(variant):
            continue
          settings = variant | dict(
            step=step,
            batch=flags.batch or WORK[step].batch_on(device),
            seconds=flags.seconds,
            device=device,
          )
          ours = variant['engine'] == 'at_jax'
          python = sys.executable if ours else flags.torch_python
          found = run(settings, python, base)
          measurements.append(settings | dict(round=number) | found)
          text = found.get('failed') or (
            f'{shown(found["images_per_second"])} images/s'
          )
          head = f'round {number} of {flags.rounds}, {step}, {variant["name"]}'
          print(f'{head}: {text}', flush=True)
      save(measurements)
  return measurements


def main(arguments=None):
  """The command; returns its exit code: 1 where a measurement failed."""
  flags = parse(arguments)
  about = run({'engine': 'at_jax'})
  if 'failed' in about:
    sys.exit(f'jax does not start: {about["failed"]}')
  device = 'cpu' if about['platform'] == 'cpu' else 'gpu'
  torch, problem = look_at_torch(flags, device)
  print(f'{about["name"]}. {problem}'.strip(), flush=True)
  variants = [
    variant
    for variant in VARIANTS[device]
    if (torch or variant['engine'] == 'at_jax')
    and (flags.all or flags.only or not variant['extra'])
    and re.search(flags.only, variant['name'])
  ]

  def save(measurements):
    write(
      flags,
      at_jax=about,
      torch=torch or problem,
      rows=summarise(measurements),
      measurements=measurements,
    )

  measurements = measure_all(flags, variants, device, save)
  rows = summarise(measurements)
  print(f'\n{table(rows)}')
  for line in costs(rows):
    print(line)
  return int(any('failed' in one for one in measurements))


if __name__ == '__main__':
  sys.exit(main())

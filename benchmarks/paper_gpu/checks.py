"""Whether a device computes what a CPU does, and what it did before.

  python -m benchmarks.paper_gpu.checks --out=checks.json

The same arrays are computed on the default device and by a process that sees
only a CPU. A difference is the largest one in an array over the largest value
of the array that it should be. A run that was stopped and resumed must have
the weights of one that was not, bitwise.
"""

import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

from at_jax.train.checkpoint import read_json, write_json
from at_jax.train.writer import read_rows
from benchmarks.paper_gpu.values import EVERYWHERE, ON_ONE

ROOT = pathlib.Path(__file__).resolve().parents[2]
# float32 rounds by 1e-7, and sums here are long; TF32 in its place makes 1e-3.
# Weights that differ by 3e-7 make steps that differ by 2e-4, and three of them
# 1.5e-3 (measured on a CPU).
BOUNDS = {
  'networks': 1e-4,
  'distances': 1e-5,
  'gradients of distances': 1e-4,
  'one step': 5e-3,
  'scan against stepwise': 2e-2,
  'bfloat16 loss': 0.05,
}
RESUMED = 'stopped and resumed'
CONFIG = 'configs/wrn_at_kd.py:tiny'
EPOCHS = 400  # of four steps: long enough to be stopped in the middle


def compare(name, device, cpu):
  """One check as JSON.

  Args:
    name: of the check.
    device: what `values.compute` wrote there.
    cpu: likewise.
  """
  check = {'name': name, 'difference': None, 'bound': BOUNDS[name], 'ok': False}
  here = _of(device, f'{name}|here|')
  there = _of(
    *((device, f'{name}|there|') if name in ON_ONE else (cpu, f'{name}|here|'))
  )
  for found in (device, cpu):
    if f'{name}|error' in found:
      return check | {'error': str(found[f'{name}|error'])}
  if not here or here.keys() != there.keys():
    return check | {'error': 'not computed, or not the same arrays'}
  differences = {}
  for where, want in there.items():
    scale = max(np.max(np.abs(want)), 1e-30)
    difference = np.max(np.abs(here[where] - want)) / scale
    differences[where] = float(
      difference if difference == difference else np.inf
    )
  worst = max(differences, key=differences.get)
  finite = np.isfinite(differences[worst])
  return check | {
    'difference': differences[worst] if finite else 'not finite',
    'where': worst,
    'ok': differences[worst] <= BOUNDS[name],
  }


def _of(found, prefix):
  return {
    key.removeprefix(prefix): value
    for key, value in found.items()
    if key.startswith(prefix)
  }


def computed(folder, batch, step):
  """What the device and the CPU made, as two dicts of arrays."""
  wanted = {
    'device': [*EVERYWHERE, *ON_ONE],
    'cpu': list(EVERYWHERE),
  }
  processes = {}
  for side, names in wanted.items():
    command = [sys.executable, '-m', 'benchmarks.paper_gpu.values']
    env = {'JAX_PLATFORMS': 'cpu'} if side == 'cpu' else {}
    processes[side] = subprocess.Popen(
      [*command, str(folder / f'{side}.npz'), str(batch), step, *names],
      cwd=ROOT,
      env=os.environ | env,
    )
  found = {}
  for side, process in processes.items():
    process.wait()
    path = folder / f'{side}.npz'
    found[side] = dict(np.load(path)) if path.exists() else {}
  return found['device'], found['cpu']


def resumed(folder, epochs, env):
  """Whether a run that SIGTERM stopped ends with the weights of a whole one."""
  check = {'name': RESUMED, 'difference': None, 'bound': 0.0, 'ok': False}
  whole, parts = folder / 'whole', folder / 'parts'
  code = _train(whole, epochs, env).wait()
  if code:
    return check | {'error': f'a whole run ended with code {code}'}
  process = _train(parts, epochs, env)
  metrics = parts / 'main' / 'seed0' / 'metrics.jsonl'
  while process.poll() is None and len(read_rows(metrics)) < epochs // 10:
    time.sleep(0.02)
  process.send_signal(signal.SIGTERM)
  if (code := process.wait()) != 143:
    return check | {'error': f'not stopped in the middle, but code {code}'}
  stopped = len(read_rows(metrics))
  if code := _train(parts, epochs, env).wait():
    return check | {'error': f'the resumed run ended with code {code}'}
  runs = [path / 'main' / 'seed0' for path in (whole, parts)]
  hashes = [read_json(run / 'weights' / 'model.json')['digest'] for run in runs]
  losses = [read_json(run / 'result.json')['test_loss'] for run in runs]
  return check | {
    'difference': abs(losses[0] - losses[1]),
    'where': f'test loss; digests of weights {hashes[0][:8]}, {hashes[1][:8]}; '
    f'stopped after {stopped} of {len(read_rows(metrics))} rows of metrics',
    'ok': hashes[0] == hashes[1],
  }


def _train(workdir, epochs, env):
  return subprocess.Popen(
    [
      sys.executable,
      'train.py',
      f'--config={CONFIG}',
      f'--workdir={workdir}',
      '--config.deterministic=True',
      f'--config.epochs={epochs}',
      '--config.eval_every=20',
    ],
    cwd=ROOT,
    env=env,
  )


def told(check):
  """A check in a line."""
  what = check.get('error') or f'{check["difference"]} at {check["where"]}'
  head = 'ok' if check['ok'] else 'FAILED'
  return f'{head}: {check["name"]}: {what} (bound {check["bound"]:g})'


def main(arguments=None):
  """The command; returns its exit code: 1 where a check failed."""
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.paper_gpu.checks',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    '--tiny', action='store_true', help='small, without a teacher'
  )
  parser.add_argument('--out', help='a JSON file for all checks')
  flags = parser.parse_args(arguments)
  # So that the temporary folder goes.
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
  with tempfile.TemporaryDirectory(prefix='at_jax_checks_') as folder:
    folder = pathlib.Path(folder)
    size = (4, 'ce') if flags.tiny else (128, 'at')
    device, cpu = computed(folder, *size)
    checks = [compare(name, device, cpu) for name in BOUNDS]
    env = dict(os.environ)
    if not flags.tiny:
      # Both runs compile themselves, as they would on two days.
      env.pop('JAX_COMPILATION_CACHE_DIR', None)
    checks.append(resumed(folder, 12 if flags.tiny else EPOCHS, env))
  for check in checks:
    print(told(check), flush=True)
  if flags.out:
    about = {k: str(device.get(k, 'unknown')) for k in ('platform', 'device')}
    write_json(flags.out, about | {'checks': checks})
  return int(not all(check['ok'] for check in checks))


if __name__ == '__main__':
  sys.exit(main())

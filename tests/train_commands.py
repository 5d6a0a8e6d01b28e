"""Starts training as a user does, for the tests of the command line."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
# As users run it, where the other tests' settings make XLA optimise less.
QUICK = {
  k: v for k, v in os.environ.items() if k != 'JAX_DISABLE_MOST_OPTIMIZATIONS'
}
OPTIMISED = {k: v for k, v in QUICK.items() if k != 'XLA_FLAGS'}
# Small steps, a checkpoint after each of them.
SMALL = [
  str(ROOT / 'tests' / 'small_train.py'),
  '--config=configs/wrn_at.py:tiny',
  '--config.epochs=3',
  '--config.checkpoint_seconds=0.0',
]


def start(workdir, *arguments, environment=OPTIMISED):
  """A process of `small_train.py`: the command, but for a small network."""
  return subprocess.Popen(
    [sys.executable, *SMALL, f'--workdir={workdir}', *arguments],
    cwd=ROOT,
    env=environment | {'PYTHONPATH': str(ROOT)},
    text=True,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
  )


def finish(workdir, *arguments):
  """(exit status, output), once it is there."""
  process = start(workdir, *arguments)
  output, _ = process.communicate(timeout=300)
  return process.returncode, output

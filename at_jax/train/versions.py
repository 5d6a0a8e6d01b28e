"""Versions and commit: what a number was computed with."""

import functools
import importlib.metadata
import subprocess
import sys

import at_jax
from at_jax.train.config import ROOT

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


def versions():
  """Versions of everything that computes."""
  known = {'python': sys.version.split()[0], 'at_jax': at_jax.__version__}
  return known | {name: importlib.metadata.version(name) for name in PACKAGES}


@functools.cache
def git_commit():
  """The short commit of the code, '+' where files differ; '' outside git."""
  try:
    changed = _git('status', '--porcelain', '--untracked-files=no')
    return _git('rev-parse', '--short', 'HEAD') + ('+' if changed else '')
  except (OSError, subprocess.CalledProcessError):
    return ''


def _git(*arguments):
  command = ['git', '-C', str(ROOT), *arguments]
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  return done.stdout.strip()

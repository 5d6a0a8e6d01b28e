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
  git = ['git', '-C', str(ROOT)]
  try:
    commit = subprocess.run(
      [*git, 'rev-parse', '--short', 'HEAD'],
      capture_output=True,
      text=True,
      check=True,
    ).stdout.strip()
    changed = subprocess.run(
      [*git, 'status', '--porcelain', '--untracked-files=no'],
      capture_output=True,
      text=True,
      check=True,
    ).stdout.strip()
  except (OSError, subprocess.CalledProcessError):
    return ''
  return commit + ('+' if changed else '')

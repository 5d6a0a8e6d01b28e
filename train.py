"""Trains a config: `python train.py --config=configs/wrn_at.py --workdir=DIR`.

Without arguments it runs `configs/digits_at.py`: no download, under three
minutes on two CPU cores. The same command again resumes, or, when everything is
finished, prints the table.
"""

import os
import pathlib
import sys
import warnings

from absl import app, flags, logging
from ml_collections import config_flags

DEFAULT = pathlib.Path(__file__).resolve().parent / 'configs' / 'digits_at.py'
_CONFIG = config_flags.DEFINE_config_file(
  'config',
  str(DEFAULT),
  'a file of configs/, with :arguments',
  lock_config=True,
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'where everything goes; default runs/CONFIG[-ARGUMENTS]'
)
_MULTIHOST = flags.DEFINE_bool(
  'multihost', False, 'call jax.distributed.initialize() first'
)


def main(argv):
  logging.set_verbosity(logging.WARNING)  # Orbax tells every step of its work
  if len(argv) > 1:
    sys.exit(
      f'Unknown argument {argv[1]!r}. Flags begin with --: --config=configs/'
      'NAME.py:ARGUMENTS --config.FIELD=VALUE --workdir=DIR'
    )
  if _CONFIG.value.deterministic:  # must be set before jax starts
    flag = ' --xla_gpu_deterministic_ops=true'
    os.environ['XLA_FLAGS'] = os.environ.get('XLA_FLAGS', '') + flag
  import jax

  if _MULTIHOST.value:
    jax.distributed.initialize()
  from at_jax import report
  from at_jax.train import mesh
  from at_jax.train.stopping import Stopped
  from at_jax.train.study import run_study

  path, arguments = _config_name()
  workdir = _WORKDIR.value or _default_workdir(path, arguments)
  try:
    run_study(
      _CONFIG.value,
      workdir,
      name=path.stem,
      arguments=arguments,
    )
    if mesh.is_first_host():
      print(f'\n{report.write_report(workdir)}\n\nPictures: {workdir}')
  except Stopped as stopped:
    print(stopped)
    sys.exit(128 + stopped.number)
  except (ValueError, FloatingPointError, OSError) as error:
    sys.exit(f'{type(error).__name__}: {error}')


def _config_name():
  """(path of the config file, its arguments)."""
  name, _, arguments = flags.FLAGS['config'].config_filename.partition(':')
  return pathlib.Path(name), arguments


def _default_workdir(path, arguments):
  """runs/<config>[-arguments][-overrides], for all that changes results."""
  from at_jax.train.config import HARMLESS

  parts = [p for p in arguments.split(',') if p and not p.startswith('seeds=')]
  overrides = config_flags.get_override_values(flags.FLAGS['config'])
  parts += [f'{k}={v}' for k, v in overrides.items() if k not in HARMLESS]
  safe = [part.replace('/', '_').replace(' ', '') for part in parts]
  return str(pathlib.Path('runs') / '-'.join([path.stem, *safe]))


if __name__ == '__main__':
  warnings.filterwarnings('ignore', module='orbax')
  app.run(main)

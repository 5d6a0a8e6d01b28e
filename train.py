"""Trains a config: `python train.py --config=configs/wrn_at.py --workdir=DIR`.

Without arguments it runs `configs/digits_at.py`: no download, under three
minutes on two CPU cores. The same command again resumes, or, when everything is
finished, prints the table.
"""

import contextlib
import errno
import os
import pathlib
import re
import sys
import warnings

HUGE_PAGES = pathlib.Path('/sys/kernel/mm/transparent_hugepage/enabled')


def _restart_with_huge_pages():
  """Lets XLA's buffers on a CPU have pages of 2 MB where Linux allows it.

  They are mapped anew in every step, which pages of 4 kB make slow. The C
  library reads the setting only when a process starts, and what jax will find
  is not known by then: on a GPU or TPU it is done for nothing.
  """
  own = sys.argv[0] in sys.orig_argv  # not inside a notebook's process
  if not own or 'GLIBC_TUNABLES' in os.environ or not HUGE_PAGES.is_file():
    return
  if '[madvise]' in HUGE_PAGES.read_text():
    os.environ['GLIBC_TUNABLES'] = 'glibc.malloc.hugetlb=1'
    with contextlib.suppress(OSError):  # then without
      os.execv(sys.executable, sys.orig_argv)


if __name__ == '__main__':
  _restart_with_huge_pages()

try:
  from absl import app, flags, logging
  from ml_collections import config_flags
except ModuleNotFoundError as missing:
  sys.exit(
    f'{missing}. Install what training needs: pip install -r requirements.txt '
    '(and mind which python this is: .venv/bin/python?).'
  )

DEFAULT = pathlib.Path(__file__).resolve().parent / 'configs' / 'digits_at.py'
ROOM = (
  'Make room and run the same command again: it goes on from the last whole '
  'checkpoint.'
)
_CONFIG = config_flags.DEFINE_config_file(
  'config',
  str(DEFAULT),
  'a file of configs/, with :arguments',
  lock_config=True,
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'where everything goes; default runs/CONFIG[-ARGUMENTS]'
)
_MULTIHOST = flags.DEFINE_string(
  'multihost',
  None,
  'auto (TPU VMs, Slurm, Kubernetes), or ADDRESS:PORT,PROCESSES,INDEX',
)


def main(argv):
  # Orbax tells every step of its work, and each error before we can.
  logging.set_verbosity(logging.FATAL)
  if len(argv) > 1:
    sys.exit(
      f'Unknown argument {argv[1]!r}. Flags begin with --: --config=configs/'
      'NAME.py:ARGUMENTS --config.FIELD=VALUE --workdir=DIR'
    )
  if _CONFIG.value.deterministic:  # must be set before jax starts
    flag = ' --xla_gpu_deterministic_ops=true'
    os.environ['XLA_FLAGS'] = os.environ.get('XLA_FLAGS', '') + flag
  import jax

  if _MULTIHOST.value == 'auto':
    jax.distributed.initialize()
  elif _MULTIHOST.value:
    address, count, index = _MULTIHOST.value.split(',')
    jax.distributed.initialize(address, int(count), int(index))
  from at_jax import report
  from at_jax.train import mesh
  from at_jax.train.config import all_configs, forget_paper
  from at_jax.train.stopping import Stopped
  from at_jax.train.study import run_study

  path, arguments = _config_name()
  if _overrides():
    forget_paper(_CONFIG.value)
  workdir = _WORKDIR.value or _default_workdir(path, arguments)
  try:
    if not _MULTIHOST.value:
      mesh.split_cpu(all_configs(_CONFIG.value))
    run_study(
      _CONFIG.value,
      workdir,
      name=path.stem,
      arguments=','.join(_changes(arguments)),
    )
    if mesh.is_first_host():
      print(
        f'\n{report.write_report(workdir)}\n\n'
        f'With pictures: {workdir}/report.html\n'
        'Where the networks look, on any photo: python -m at_jax.visualize '
        f'--workdir={workdir}'
      )
  except Stopped as stopped:
    print(stopped, flush=True)
    if stopped.at_once:
      # Not sys.exit: XLA's threads may be compiling, and do not like Python to
      # take itself apart around them. Everything that is saved is closed.
      os._exit(128 + stopped.number)
    sys.exit(128 + stopped.number)
  except OSError as error:
    text = f'{type(error).__name__}: {error}'
    if error.errno == errno.ENOSPC and 'make room' not in text:
      text += f'. {ROOM}'
    sys.exit(text)
  except (ValueError, FloatingPointError) as error:
    sys.exit(f'{type(error).__name__}: {error}')


def _config_name():
  """(path of the config file, its arguments)."""
  name, _, arguments = flags.FLAGS['config'].config_filename.partition(':')
  return pathlib.Path(name), arguments


def _changes(arguments):
  """The config's arguments and overrides, but for those without effect."""
  own = [part for part in arguments.split(',') if part]
  return own + [f'{name}={value}' for name, value in _overrides().items()]


def _overrides():
  """{field: value} of --config.FIELD=VALUE, for all that changes results."""
  from at_jax.train.differences import HARMLESS

  found = config_flags.get_override_values(flags.FLAGS['config'])
  return {k: v for k, v in found.items() if k not in HARMLESS}


def _default_workdir(path, arguments):
  """runs/<config>[-arguments][-overrides], for all that changes results."""
  parts = [p for p in _changes(arguments) if not p.startswith('seeds=')]
  safe = [part.replace('/', '_').replace(' ', '') for part in parts]
  return str(pathlib.Path('runs') / '-'.join([path.stem, *safe]))


def _checked(argv):
  """The arguments, with the path of the config made absolute.

  A mistake in a config's name, arguments or fields is said in one line here;
  config_flags would show it as a traceback.
  """
  from at_jax.train.config import check_path, find_config, load_config

  # `--config X` and `--config=X` are the same.
  argv = '\0'.join(argv).replace('\0--config\0', '\0--config=').split('\0')
  spec = str(DEFAULT)
  for index, text in enumerate(argv):
    if text.startswith('--config='):
      spec = text.removeprefix('--config=')
      path, arguments = find_config(spec)
      colon = ':' if arguments else ''
      argv[index] = f'--config={path.resolve()}{colon}{arguments}'
  config = load_config(spec)
  for text in argv:
    if text.startswith('--config.'):
      field = text.removeprefix('--config.').partition('=')[0]
      check_path(config, re.sub(r'\[.*?\]', '', field))
  return argv


if __name__ == '__main__':
  warnings.filterwarnings('ignore', module='orbax')
  try:
    arguments = _checked(sys.argv)
  except (ValueError, OSError) as mistake:
    sys.exit(f'{type(mistake).__name__}: {mistake}')
  app.run(main, arguments)

"""`python train.py` before it trains: huge pages, two halves of a CPU."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
SETTING = 'glibc.malloc.hugetlb=1'


@pytest.fixture(scope='module')
def train():
  """train.py as a module, which by itself must not restart anything."""
  spec = importlib.util.spec_from_file_location('train', ROOT / 'train.py')
  module = importlib.util.module_from_spec(spec)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(os, 'execv', lambda *_: pytest.fail('importing it restarts'))
    patch.delenv('GLIBC_TUNABLES', raising=False)
    spec.loader.exec_module(module)
  return module


@pytest.fixture
def restart(train, tmp_path, monkeypatch):
  """A function: (text of the setting, environment) -> (calls, environment)."""

  def of(text, environment=(), argv0='train.py'):
    calls, environment = [], dict(environment)
    path = tmp_path / 'enabled'
    if text is not None:
      path.write_text(text)
    monkeypatch.setattr(train, 'HUGE_PAGES', path)
    monkeypatch.setattr(sys, 'argv', [argv0])
    monkeypatch.setattr(sys, 'orig_argv', ['python', 'train.py', '--x'])
    monkeypatch.setattr(os, 'environ', environment)
    monkeypatch.setattr(
      os, 'execv', lambda *call: calls.append((*call, dict(os.environ)))
    )
    train._restart_with_huge_pages()
    return calls, environment

  return of


def test_where_linux_asks_who_wants_them_it_restarts(restart):
  calls, environment = restart('always [madvise] never\n', {'HOME': '/x'})
  wanted = {'HOME': '/x', 'GLIBC_TUNABLES': SETTING}
  assert calls == [(sys.executable, sys.orig_argv, wanted)]
  # In a notebook (`%run train.py`) this is not the process to start again.
  assert restart('[madvise]', {}, argv0='/launcher.py') == ([], {})
  # The process that follows sees the setting, and does not restart again.
  assert restart('always [madvise] never\n', environment) == ([], environment)


@pytest.mark.parametrize(
  'text',
  [
    '[always] madvise never\n',
    'always madvise [never]\n',
    'madvise\n',
    '',
    None,
  ],
)
def test_elsewhere_it_goes_on(restart, text):
  assert restart(text, {'HOME': '/x'}) == ([], {'HOME': '/x'})


@pytest.mark.parametrize('own', ['glibc.malloc.hugetlb=2', 'x=1', ''])
def test_a_setting_of_the_user_stays(restart, own):
  environment = {'GLIBC_TUNABLES': own}
  assert restart('[madvise]', environment) == ([], environment)


def test_it_asks_linux(train):
  path = '/sys/kernel/mm/transparent_hugepage/enabled'
  assert str(train.HUGE_PAGES) == path


# Says what it was started with; `train.py` then finds [madvise] on any machine.
WITNESS = """
import os, pathlib, runpy, sys
print(os.environ.get('GLIBC_TUNABLES'), sys.orig_argv[1:3], sys.argv[2:])
if 'GLIBC_TUNABLES' in os.environ:
  sys.exit(7)
sys.stdout.flush()
pathlib.Path.is_file = lambda self: True
pathlib.Path.read_text = lambda self: 'always [madvise] never'
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_the_second_process_gets_the_same_arguments():
  environment = dict(os.environ)
  environment.pop('GLIBC_TUNABLES', None)
  arguments = ['--config=configs/a.py:b', '--workdir=a  b', "it's"]
  done = subprocess.run(
    [sys.executable, '-X', 'utf8', '-c', WITNESS, 'train.py', *arguments],
    cwd=ROOT,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 7, done.stdout + done.stderr
  seen = f"['-X', 'utf8'] {arguments}"
  assert done.stdout.splitlines() == [f'None {seen}', f'{SETTING} {seen}']


@pytest.mark.parametrize(('size', 'devices'), [(400, 2), (401, 1)])
def test_a_cpu_is_split_where_batches_are_even(tmp_path, size, devices):
  environment = dict(os.environ) | {'JAX_PLATFORMS': 'cpu'}
  for name in ('XLA_FLAGS', 'JAX_NUM_CPU_DEVICES'):
    environment.pop(name, None)
  # More than the 200 images there are: it ends once it has said its devices.
  done = subprocess.run(
    [
      sys.executable,
      'train.py',
      '--config=configs/wrn_at.py:tiny',
      f'--config.batch_size={size}',
      f'--workdir={tmp_path / "work"}',
    ],
    cwd=ROOT,
    env=environment,
    capture_output=True,
    text=True,
  )
  assert f'batch_size={size} of the student' in done.stderr, done.stderr
  text = 'cpu in 2 parts' if devices == 2 else 'cpu'
  assert re.search(rf'jax [\d.]+\S*, {text}$', done.stdout, re.M), done.stdout

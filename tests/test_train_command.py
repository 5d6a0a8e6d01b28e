"""`python train.py` as a user runs it: to the end, again, mistaken."""

import json
import os
import subprocess
import sys
import time

import pytest
from train_commands import OPTIMISED, ROOT

REAL = ['--config=configs/wrn_at.py:tiny,seeds=1', '--config.epochs=1']


@pytest.fixture(scope='module')
def train(tmp_path_factory):
  """A function: runs the command, without a workdir, and gives both."""
  folder = tmp_path_factory.mktemp('elsewhere')

  def run():
    done = subprocess.run(
      [sys.executable, str(ROOT / 'train.py'), *REAL],
      cwd=folder,
      env=OPTIMISED,
      text=True,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      timeout=300,
    )
    assert done.returncode == 0, done.stdout
    # Named by all that changes results, which more seeds do not.
    return folder / 'runs' / 'wrn_at-tiny-epochs=1', done.stdout

  return run


@pytest.fixture(scope='module')
def whole(train):
  return train()


def test_standard_output_ends_with_the_table(whole):
  workdir, output = whole
  assert 'Total: ' in output and 'teacher WRN-10-2: test error' in output
  table = [line for line in output.splitlines() if line.startswith('| ')]
  assert table[-1].startswith('| AT ')
  assert (workdir / 'report.md').read_text().count(table[-1]) == 1
  for name in ('curves.png', 'attention.png', 'result.json', 'about.json'):
    assert (workdir / name).exists()
  for word in ('Warning', 'warning', 'Traceback', 'I1', 'W1'):
    assert word not in output
  about = json.loads((workdir / 'about.json').read_text())
  assert about['arguments'] == 'tiny,seeds=1,epochs=1'
  assert about['config'] == 'wrn_at'


def test_running_it_again_prints_the_table_at_once(whole, train):
  _, output = whole
  _, again = train()
  assert 'are finished' in again
  table = [line for line in output.splitlines() if line.startswith('| AT')]
  assert table[0] in again.splitlines()


MISTAKES = {
  'unknown config': (
    ['--config=configs/wrn_ta.py'],
    ["Did you mean 'configs/wrn_at.py'?", 'configs/digits_at.py'],
  ),
  'unknown argument': (
    ['--config=configs/wrn_at.py:bta=3'],
    ["Did you mean 'beta'?", 'tiny, seeds'],
  ),
  'argument of another type': (
    ['--config=configs/wrn_at.py:beta=much'],
    ['beta=much', 'wanted float'],
  ),
  'unknown field': (
    ['--config=configs/wrn_at.py:tiny', '--config.optimizer.lrr=1'],
    ["Unknown field of config.optimizer 'lrr'", "mean 'lr'?", 'momentum'],
  ),
  'unknown model': (
    ['--config=configs/wrn_at.py:tiny', '--config.model.name=wnr'],
    ["Unknown model 'wnr'", "mean 'wrn'?"],
  ),
  'unknown dataset': (
    ['--config=configs/wrn_at.py:tiny', '--config.data.name=cifra10'],
    ["mean 'cifar10'?", 'digits', 'mnist'],
  ),
  'unknown kind': (
    ['--config=configs/wrn_at.py:tiny,kind=sum_pov'],
    ["mean 'sum_pow'?", 'max_pow'],
  ),
  'unknown form': (
    ['--config=configs/wrn_at.py:tiny,form=codes'],
    ["mean 'code'?", 'paper'],
  ),
  'unknown row': (
    ['--config=configs/digits_at.py:tiny,rows=alone+tat'],
    ["Unknown row 'tat'", 'at_kd'],
  ),
  'batch larger than the data': (
    ['--config=configs/wrn_at.py:tiny', '--config.batch_size=300'],
    ['batch_size=300 of the student', '200 images', ':batch=200'],
  ),
  'maps of different size': (
    [
      '--config=configs/wrn_at.py:tiny',
      "--config.objective.terms.at.taps=(('group1','group2'),)",
    ],
    ["student's 'group1' is 8x8", "teacher's 'group2' 4x4", "resize='bilin"],
  ),
  'unknown dtype': (
    ['--config=configs/wrn_at.py:tiny', '--config.dtype=float16'],
    ["Unknown config.dtype 'float16'", 'bfloat16'],
  ),
  'a stray word': (['digits'], ["Unknown argument 'digits'", '--config=']),
}


# Imports once what every command does; each runs in a process of its own.
EACH_IN_A_PROCESS = """
import json, os, pathlib, runpy, sys
import sklearn.datasets
import at_jax.report, at_jax.train.study
folder, commands = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])
for name, arguments in commands.items():
  process = os.fork()
  if not process:
    with open(folder / f'{name}.txt', 'w') as output:
      os.dup2(output.fileno(), 1)
      os.dup2(output.fileno(), 2)
    sys.argv = ['train.py', f'--workdir={folder / name}', *arguments]
    runpy.run_path('train.py', run_name='__main__')
    sys.exit()
  code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
  (folder / f'{name}.code').write_text(str(code))
"""


@pytest.fixture(scope='module')
def mistaken(tmp_path_factory):
  folder = tmp_path_factory.mktemp('mistaken')
  commands = {name: arguments for name, (arguments, _) in MISTAKES.items()}
  subprocess.run(
    [sys.executable, '-c', EACH_IN_A_PROCESS, folder, json.dumps(commands)],
    cwd=ROOT,
    env=OPTIMISED,
    check=True,
    timeout=300,
  )
  return folder


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_said_in_a_line(name, mistaken):
  output = (mistaken / f'{name}.txt').read_text()
  assert (mistaken / f'{name}.code').read_text() == '1', output
  assert 'Traceback' not in output
  for text in MISTAKES[name][1]:
    assert text in output, output
  # Nothing was claimed: the right command can follow in the same workdir.
  assert not (mistaken / name / 'config.json').exists()


def test_absent_cifar_is_said_within_ten_seconds(tmp_path):
  begin = time.monotonic()
  environment = os.environ | {
    'https_proxy': 'http://127.0.0.1:9',  # nobody is there, nor in a sandbox
    'http_proxy': 'http://127.0.0.1:9',
  }
  done = subprocess.run(
    [
      sys.executable,
      'train.py',
      f'--workdir={tmp_path / "work"}',
      '--config=configs/wrn_at.py',
      f'--config.data.dir={tmp_path}',
    ],
    cwd=ROOT,
    env=environment,
    text=True,
    capture_output=True,
    timeout=60,
  )
  output = done.stdout + done.stderr
  assert done.returncode == 1 and 'Traceback' not in output
  for text in ('cifar-10-binary.tar.gz', str(tmp_path), 'Three ways out'):
    assert text in output
  assert '--config=configs/digits_at.py' in output
  # The error itself comes within ten; this includes starting Python and jax
  # on a busy machine.
  assert time.monotonic() - begin < 20

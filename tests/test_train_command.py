"""`python train.py` as a user runs it: killed, stopped, mistaken, finished."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Small steps, a checkpoint after each of them.
TINY = [
  '--config=configs/wrn_at.py:tiny',
  '--config.epochs=3',
  '--config.checkpoint_seconds=0.0',
]
# As users run it, where the other tests' settings make XLA optimise less.
QUICK = {
  k: v for k, v in os.environ.items() if k != 'JAX_DISABLE_MOST_OPTIMIZATIONS'
}
OPTIMISED = {k: v for k, v in QUICK.items() if k != 'XLA_FLAGS'}


def command(workdir, *arguments, script=(str(ROOT / 'train.py'),)):
  return [sys.executable, *script, f'--workdir={workdir}', *arguments]


def start(workdir, *arguments, environment=OPTIMISED, **kwargs):
  return subprocess.Popen(
    command(workdir, *arguments, **kwargs),
    cwd=ROOT,
    env=environment,
    text=True,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
  )


def finish(workdir, *arguments):
  process = start(workdir, *arguments)
  output, _ = process.communicate(timeout=300)
  return process.returncode, output


def numbers(folder):
  rows = (folder / 'metrics.jsonl').read_text().splitlines()
  rows = [json.loads(row) for row in rows]
  for row in rows:
    row.pop('images_per_second', None)
  return rows


def outcome(workdir):
  folder = workdir / 'main' / 'seed0'
  result = json.loads((folder / 'result.json').read_text())
  digest = json.loads((folder / 'weights' / 'model.json').read_text())['digest']
  return result['test_error'], result['test_loss'], digest, numbers(folder)


def wait_for_step(workdir, step, process):
  """Returns once the student's metrics have reached a step."""
  path = workdir / 'main' / 'seed0' / 'metrics.jsonl'
  deadline = time.monotonic() + 200
  while time.monotonic() < deadline:
    assert process.poll() is None, process.stdout.read()
    if path.exists() and f'"step": {step}' in path.read_text():
      return
    time.sleep(0.005)
  raise TimeoutError(f'no step {step} in {path}')


def copy_teacher(whole, workdir):
  """Only the student is left to be trained."""
  name = 'teachers'
  shutil.copytree(whole[0].parent / name, workdir.parent / name)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('whole') / 'work'
  code, output = finish(workdir, *TINY)
  assert code == 0, output
  return workdir, output


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
  assert about['arguments'] == 'tiny,epochs=3'
  assert about['config'] == 'wrn_at'


def test_running_it_again_prints_the_table_at_once(whole):
  workdir, output = whole
  code, again = finish(workdir, *TINY)
  assert code == 0 and 'are finished' in again
  table = [line for line in output.splitlines() if line.startswith('| AT')]
  assert table[0] in again.splitlines()


def test_kill_9_then_the_same_command(whole, tmp_path):
  workdir = tmp_path / 'work'
  copy_teacher(whole, workdir)
  for step in (2, 8):
    process = start(workdir, *TINY)
    wait_for_step(workdir, step, process)
    process.kill()
    process.wait()
    assert not (workdir / 'main' / 'seed0' / 'result.json').exists()
  code, output = finish(workdir, *TINY)
  assert code == 0 and 'resuming from step' in output
  assert outcome(workdir) == outcome(whole[0])


# Renaming is what makes a checkpoint whole: this dies just before the fifth.
KILLED_WHILE_WRITING = """
import os, re, runpy, signal, sys
rename, count = os.rename, 0
def dying(source, target, **kwargs):
  global count
  if re.search(r'main/seed0/checkpoints/\\d+$', str(target)):
    count += 1
    if count == 5:
      os.kill(os.getpid(), signal.SIGKILL)
  return rename(source, target, **kwargs)
os.rename = dying
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def test_kill_9_during_a_checkpoint_write(whole, tmp_path):
  workdir = tmp_path / 'work'
  script = ('-c', KILLED_WHILE_WRITING, str(ROOT / 'train.py'))
  process = start(workdir, *TINY, script=script)
  process.communicate(timeout=300)
  assert process.returncode == -signal.SIGKILL
  (teacher,) = (tmp_path / 'teachers').iterdir()
  names = [p.name for p in (teacher / 'main/seed0/checkpoints').iterdir()]
  assert any(not name.isdigit() for name in names), 'no half-written one'
  code, output = finish(workdir, *TINY)
  assert code == 0 and 'resuming from step 4' in output
  assert outcome(workdir) == outcome(whole[0])


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves(whole, tmp_path, number):
  workdir = tmp_path / 'work'
  copy_teacher(whole, workdir)
  process = start(workdir, *TINY)
  wait_for_step(workdir, 4, process)
  process.send_signal(number)
  output, _ = process.communicate(timeout=60)
  assert process.returncode == 128 + number, output
  assert f'{number.name}: finishing the step and saving' in output
  step = int(re.search(r'stopped and saved at step (\d+) of 12', output)[1])
  assert 'Run the same command again' in output and 'Traceback' not in output
  code, output = finish(workdir, *TINY)
  assert code == 0 and f'resuming from step {step}' in output
  assert outcome(workdir) == outcome(whole[0])


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
    ['batch_size=300', '200 images'],
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


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_said_in_a_line(name, tmp_path):
  arguments, texts = MISTAKES[name]
  code, output = finish(tmp_path / 'work', *arguments)
  assert code == 1, output
  assert 'Traceback' not in output
  for text in texts:
    assert text in output, output
  # Nothing was claimed: the right command can follow in the same workdir.
  assert not (tmp_path / 'work' / 'config.json').exists()


def test_absent_cifar_is_said_within_ten_seconds(tmp_path):
  begin = time.monotonic()
  environment = os.environ | {
    'https_proxy': 'http://127.0.0.1:9',  # nobody is there, nor in a sandbox
    'http_proxy': 'http://127.0.0.1:9',
  }
  done = subprocess.run(
    command(
      tmp_path / 'work',
      '--config=configs/wrn_at.py',
      f'--config.data.dir={tmp_path}',
    ),
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


def test_the_default_workdir_names_what_changes_results(tmp_path):
  arguments = ['--config=configs/wrn.py:tiny,seeds=1', '--config.epochs=1']
  done = subprocess.run(
    [sys.executable, str(ROOT / 'train.py'), *arguments],
    cwd=tmp_path,
    env=QUICK,
    text=True,
    capture_output=True,
    timeout=200,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  assert (tmp_path / 'runs' / 'wrn-tiny-epochs=1' / 'report.md').exists()


def free_port():
  with socket.socket() as listener:
    listener.bind(('localhost', 0))
    return listener.getsockname()[1]


def test_two_hosts_train_one_run(whole, tmp_path):
  workdir, port = tmp_path / 'work', free_port()
  hosts = [
    start(
      workdir,
      *TINY[:2],
      f'--multihost=localhost:{port},2,{index}',
      environment=QUICK,  # each host compiles for itself: sooner
    )
    for index in range(2)
  ]
  outputs = [host.communicate(timeout=300)[0] for host in hosts]
  assert [host.returncode for host in hosts] == [0, 0], outputs
  assert 'cpu in 2 parts (2 hosts)' in outputs[0]
  # Only the first host speaks, and each row is written once.
  assert '| AT ' in outputs[0] and '| AT ' not in outputs[1]
  rows, single = numbers(workdir / 'main' / 'seed0'), outcome(whole[0])[3]
  assert [row['step'] for row in rows] == [row['step'] for row in single]
  for name in ('loss', 'at/group1', 'grad_norm'):
    assert rows[0][name] == pytest.approx(single[0][name], rel=1e-3)

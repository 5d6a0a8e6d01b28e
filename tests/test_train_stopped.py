"""`python train.py`, killed, stopped, and on two hosts: one outcome."""

import json
import re
import shutil
import signal
import socket
import time

import pytest
from train_commands import OPTIMISED, QUICK, finish, start


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
  """(workdir, output) of a run that nothing disturbs."""
  workdir = tmp_path_factory.mktemp('whole') / 'work'
  code, output = finish(workdir)
  assert code == 0, output
  return workdir, output


def test_kill_9_then_the_same_command(whole, tmp_path):
  workdir = tmp_path / 'work'
  copy_teacher(whole, workdir)
  process = start(workdir)
  wait_for_step(workdir, 8, process)
  process.kill()
  process.wait()
  assert not (workdir / 'main' / 'seed0' / 'result.json').exists()
  code, output = finish(workdir)
  assert code == 0 and 'resuming from step' in output
  assert outcome(workdir) == outcome(whole[0])


def test_kill_9_during_a_checkpoint_write(whole, tmp_path):
  workdir = tmp_path / 'work'
  process = start(workdir, environment=OPTIMISED | {'AT_JAX_TESTS_DIE': '5'})
  process.communicate(timeout=300)
  assert process.returncode == -signal.SIGKILL
  (teacher,) = (tmp_path / 'teachers').iterdir()
  names = [p.name for p in (teacher / 'main/seed0/checkpoints').iterdir()]
  assert any(not name.isdigit() for name in names), 'no half-written one'
  code, output = finish(workdir)
  assert code == 0 and 'resuming from step 4' in output
  assert outcome(workdir) == outcome(whole[0])


def test_a_signal_saves_and_leaves(whole, tmp_path):
  """SIGTERM; test_stopping.py has SIGINT, too."""
  workdir, number = tmp_path / 'work', signal.SIGTERM
  copy_teacher(whole, workdir)
  process = start(workdir)
  wait_for_step(workdir, 4, process)
  process.send_signal(number)
  output, _ = process.communicate(timeout=60)
  assert process.returncode == 128 + number, output
  assert f'{number.name}: finishing the step and saving' in output
  step = int(re.search(r'stopped and saved at step (\d+) of 12', output)[1])
  assert 'Run the same command again' in output and 'Traceback' not in output
  code, output = finish(workdir)
  assert code == 0 and f'resuming from step {step}' in output
  assert outcome(workdir) == outcome(whole[0])


def free_port():
  with socket.socket() as listener:
    listener.bind(('localhost', 0))
    return listener.getsockname()[1]


def test_two_hosts_train_one_run(whole, tmp_path):
  workdir, port = tmp_path / 'work', free_port()
  hosts = [
    start(
      workdir,
      f'--multihost=localhost:{port},2,{index}',
      '--config.checkpoint_seconds=120.0',
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

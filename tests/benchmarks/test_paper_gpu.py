"""`benchmarks.paper_gpu`: what is kept, what is said, how processes end.

The whole command takes minutes: `python -m benchmarks.paper_gpu --tiny`.
"""

import json
import signal
import subprocess
import sys
import tarfile
import time
import types

import numpy as np
import pytest

from benchmarks.paper_gpu import checks, pack, parallel, phases, summary, train
from benchmarks.paper_gpu.__main__ import parse
from benchmarks.paper_gpu.jobs import Job
from benchmarks.paper_gpu.processes import ROOT, Process, Time, locked

ALONE = Job('table1', 'wrn_16_1', 2, 10)
AT = Job('table1', 'wrn_16_1_from_wrn_16_2_at', 2, 10, 'configs/wrn.py')
KD = Job('table1', 'wrn_16_1_from_wrn_16_2_kd', 2, 10, 'configs/wrn.py')


def write(path, value):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(value if isinstance(value, str) else json.dumps(value))


def test_archives_hold_what_is_needed_to_go_on(tmp_path):
  workdir, out = tmp_path / 'work', tmp_path / 'out'
  run = f'jobs/{AT.name}/{AT.row}'
  write(workdir / run / 'seed0' / 'result.json', {})
  teacher = 'jobs/teachers/wrn-1/main/seed0'
  write(workdir / teacher / 'result.json', {})
  kept = [f'{run}/seed1/checkpoints/8/state', f'{teacher}/weights/model.json']
  kept += ['checks.json', 'logs/a.log', 'step/at_1.json']
  left = [f'{run}/seed0/{kind}/8/state' for kind in ('checkpoints', 'weights')]
  left += [f'{teacher}/checkpoints/8/state', 'cache/program', '.lock']
  left += [f'{run}/seed1/events.out.tfevents.1', 'x.json.part']
  rng = np.random.default_rng(0)
  for name in kept + left:
    write(workdir / name, '')
    (workdir / name).write_bytes(rng.bytes(3000))
  write(out / 'state-9.tar.gz', 'of an earlier call')
  archives = pack.pack(workdir, out, limit=9000)
  assert sorted(out.iterdir()) == archives and len(archives) > 1
  assert all(path.stat().st_size <= 9000 + 1024 for path in archives)
  found = []
  for path in archives:
    with tarfile.open(path) as tar:
      found += tar.getnames()
      tar.extractall(tmp_path / 'again', filter='data')
  assert set(kept) <= set(found) and not set(left) & set(found)
  assert f'{run}/seed0/result.json' in found
  for name in kept:
    again = (tmp_path / 'again' / name).read_bytes()
    assert again == (workdir / name).read_bytes()


def call(tmp_path, *arguments, left=lambda: 60.0, fresh=True):
  """A `Call` whose time is what the test says."""
  flags = parse([f'--workdir={tmp_path}', '--tiny', *arguments])
  time = types.SimpleNamespace(
    left=left, fresh=lambda: fresh, spent=lambda: 0.0, stopped=None
  )
  return phases.Call(flags, time)


def test_a_measurement_is_made_once(tmp_path):
  one = call(tmp_path)
  code = (
    'import sys; print("made", flush=True); '
    'open(sys.argv[1][6:], "w").write(\'{"a": 1}\')'
  )
  for _ in range(2):
    phases.measure(one, 'it', ['-c', code])
  assert json.loads((tmp_path / 'it.json').read_text()) == {'a': 1}
  assert (tmp_path / 'logs' / 'it.log').read_text().count('made\n') == 1
  phases.measure(one, 'bad', ['-c', 'raise ValueError("why")'])
  assert not (tmp_path / 'bad.json').exists()
  (problem,) = one.problems
  assert 'bad: FAILED' in problem and 'ValueError: why' in problem


SLEEP = ['-c', 'import time; time.sleep(60)']


def test_out_of_time(tmp_path):
  late = call(tmp_path, left=lambda: 0.0, fresh=False)
  phases.measure(late, 'it', SLEEP)
  assert not (tmp_path / 'it.json').exists() and not late.problems
  # All of a call was not enough: a next one would be no better.
  early = call(tmp_path, left=lambda: 0.0)
  phases.measure(early, 'long', SLEEP)
  failed = json.loads((tmp_path / 'long.json').read_text())['failed']
  assert 'longer than a whole call' in failed
  stopped = call(tmp_path, left=lambda: 0.0)
  stopped.time.stopped = signal.SIGTERM
  phases.measure(stopped, 'it', SLEEP)
  assert not (tmp_path / 'it.json').exists() and not stopped.problems


def test_time():
  numbers = signal.SIGINT, signal.SIGTERM
  before = [signal.getsignal(number) for number in numbers]
  try:
    ours = Time(minutes=2.0, margin=20.0)
    assert 95 < ours.left() <= 100 and ours.fresh()
    ours.begin, ours.end = ours.begin - 30, ours.end - 30
    assert 65 < ours.left() <= 70 and not ours.fresh()
    signal.raise_signal(signal.SIGTERM)
    assert ours.left() == 0 and ours.stopped == signal.SIGTERM
  finally:
    for number, handler in zip(numbers, before, strict=True):
      signal.signal(number, handler)


SAVES = """
import pathlib, signal, sys, time
def save(number, _):
  pathlib.Path(sys.argv[1]).write_text('saved')
  sys.exit(143)
signal.signal(signal.SIGTERM, save)
print('ready', flush=True)
time.sleep(60)
"""


def test_jobs_fail_alone_and_save_when_time_is_up(tmp_path, monkeypatch):
  made = call(tmp_path, '--parallel=2')
  scripts = {ALONE: 'raise ValueError("why")', AT: SAVES, KD: SAVES}
  monkeypatch.setattr(phases.Call, 'jobs', list(scripts))
  monkeypatch.setattr(
    train,
    'command',
    lambda job, workdir, data_dir: [
      '-c',
      scripts[job],
      str(tmp_path / job.row),
    ],
  )
  log = tmp_path / 'logs' / f'{AT.name}.log'

  def left():
    ready = log.exists() and log.read_text().endswith('ready\n')
    return 0.0 if ready and made.problems else 60.0

  made.time.left = left
  train.train(made)
  (problem,) = made.problems
  assert ALONE.name in problem and 'ValueError: why' in problem
  assert (tmp_path / AT.row).read_text() == 'saved'
  assert not (tmp_path / KD.row).exists()  # it waited for AT's teacher
  failed = (tmp_path / 'logs' / f'{ALONE.name}.log').read_text()
  assert failed.count('Traceback') == 1  # not tried again


def test_children_end_with_a_killed_parent_and_keep_the_lock(tmp_path):
  if sys.platform != 'linux':
    pytest.skip('only Linux tells children')
  script = f"""
import pathlib, sys, time
from benchmarks.paper_gpu.processes import Process, locked
with locked(pathlib.Path({str(tmp_path)!r})) as lock:
  Process([sys.executable, '-c', {SAVES!r}, {str(tmp_path / 'saved')!r}],
    pathlib.Path({str(tmp_path / 'log')!r}), lock=lock)
  time.sleep(60)
"""
  parent = subprocess.Popen([sys.executable, '-c', script], cwd=ROOT)
  log, end = tmp_path / 'log', time.monotonic() + 60
  while not (log.exists() and log.read_text().endswith('ready\n')):
    assert time.monotonic() < end
    time.sleep(0.05)
  parent.kill()
  parent.wait()
  with locked(tmp_path):  # waits for the child
    assert (tmp_path / 'saved').exists()


def test_last_lines_are_of_this_process(tmp_path):
  for text in ('one', 'two'):
    process = Process(
      [sys.executable, '-c', f'print("{text}")'], tmp_path / 'l'
    )
    assert process.wait(lambda: True) == 0
  assert process.last_lines() == 'two'


def test_more_at_once_must_be_faster():
  def measured(**sums):
    return [dict(count=int(k[1:]), sum=v) for k, v in sums.items()]

  assert parallel.best(measured(n1=100.0, n2=104.0, n4=104.0)) == 1
  assert parallel.best(measured(n1=100.0, n2=150.0, n4=156.0)) == 2
  assert parallel.best([*measured(n1=9.0), dict(count=2, failed='no')]) == 1
  assert parallel.best([]) == 1


def test_checks_see_differences():
  name, where = 'networks', "['eval'][0]"
  same = {f'{name}|here|a': np.ones(2)}
  cpu = same | {f'{name}|here|{where}': np.array([0.0, -4.0])}
  near = same | {f'{name}|here|{where}': np.array([2e-4, -4.0])}
  got = checks.compare(name, near, cpu)
  assert got['ok'] and got['difference'] == pytest.approx(5e-5)
  for bad in (np.array([0.0, -4.1]), np.array([0.0, np.nan])):
    got = checks.compare(name, same | {f'{name}|here|{where}': bad}, cpu)
    assert not got['ok'] and 'FAILED' in checks.told(got)
    json.dumps(got, allow_nan=False)
  assert 'why' in checks.told(
    checks.compare(name, {f'{name}|error': 'why'}, cpu)
  )
  assert not checks.compare(name, {}, {})['ok']
  one = 'bfloat16 loss'
  device = {f'{one}|here|': np.array([1.04]), f'{one}|there|': np.array([1.0])}
  assert checks.compare(one, device, {})['ok']


def test_what_failed_before_is_said_again(tmp_path):
  check = dict(name='one step', difference=1.0, where='x', bound=0.1)
  checked = [check | {'ok': False}, check | {'ok': True}]
  slow = dict(step='at', name='PyTorch', failed='why', engine='torch')
  step = dict(at_jax={'name': 'a device'}, rows=[], measurements=[slow])
  write(tmp_path / 'checks.json', {'checks': checked})
  write(tmp_path / 'step' / 'ce_1.json', {'failed': 'too long'})
  write(tmp_path / 'step.json', step)
  one = call(tmp_path)
  text = '\n'.join(summary.measured(one))
  assert 'a device' in text and 'FAILED: one step' in text
  assert one.problems == [
    'step/ce_1: too long',
    'FAILED: one step: 1.0 at x (bound 0.1)',
    'step at, PyTorch: why',
  ]


@pytest.mark.parametrize(
  ('flag', 'words'),
  [('--phases=chekcs', 'unknown phase'), ('--minutes=0', 'must be positive')],
)
def test_mistakes(flag, words, capsys):
  with pytest.raises(SystemExit):
    parse([flag])
  assert words in capsys.readouterr().err

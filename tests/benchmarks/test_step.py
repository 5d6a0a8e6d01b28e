"""The benchmark's command in a tiny form, and its parts on known numbers."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from benchmarks import step, variants, workload
from benchmarks.table import costs, shown, summarise, table

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
  """(printed, JSON) of the command where PyTorch cannot be imported."""
  folder = tmp_path_factory.mktemp('step')
  (folder / 'torch.py').write_text(
    'raise ModuleNotFoundError("No module named \'torch\'")'
  )
  out = folder / 'step.json'
  command = [sys.executable, '-m', 'benchmarks.step', f'--out={out}']
  done = subprocess.run(
    command + '--batch=8 --seconds=0.1 --rounds=1 --steps=ce'.split(),
    cwd=ROOT,
    env=os.environ | {'PYTHONPATH': str(folder)},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stdout + done.stderr
  return done.stdout, json.loads(out.read_text())


def test_the_command_measures_our_step(tiny):
  printed, whole = tiny
  (one,) = whole['measurements']
  assert one['name'] == 'at_jax, 2 devices, huge pages'
  assert (one['step'], one['batch'], one['round']) == ('ce', 8, 1)
  assert one['images_per_second'] == pytest.approx(
    8 * one['steps'] / one['seconds']
  )
  assert 0.02 < one['seconds'] < 5  # 0.1 were asked for
  assert one['devices_used'] == 2
  assert 1e8 < one['peak_memory'] < 1e10
  assert 0 < one['loss'] < 20
  assert whole['flags']['steps'] == ['ce']
  assert set(whole['at_jax']) >= {'name', 'versions', 'commit', 'platform'}
  assert f'round 1 of 1, ce, {one["name"]}: ' in printed
  speed = shown(one['images_per_second'])
  row = printed.splitlines()[-1]
  assert row.startswith(f'| ce | {one["name"]} | {speed} ({speed}–{speed}, 1)')


def test_the_command_says_how_to_get_pytorch(tiny):
  printed, whole = tiny
  for words in ("No module named 'torch'", 'pip install torch', 'torch_python'):
    assert words in printed and words in whole['torch']


def measurement(name, speed, step='at', engine='at_jax', memory=2**20):
  one = dict(step=step, name=name, engine=engine)
  if speed is None:
    return one | {'failed': 'RuntimeError: no'}
  return one | {'images_per_second': speed, 'peak_memory': memory}


MEASURED = [
  measurement('ours', 300.0),
  measurement('plain', 100.0, engine='torch'),
  measurement('fast', 200.0, engine='torch'),
  measurement('ours', 5000.0, memory=3 * 2**20),
  measurement('plain', 110.0, engine='torch'),
  measurement('fast', None, engine='torch'),
  measurement('ours', 400.0, memory=2**21),
  measurement('plain', 60.0, engine='torch'),
  measurement('fast', 400.0, engine='torch'),
  measurement('ours', 7.0, step='ce'),
  measurement('plain', None, step='ce', engine='torch'),
]


def test_table():
  assert table(summarise(MEASURED)).splitlines() == [
    '| step | variant | images/s: median (min–max, rounds) | ÷ plain | ÷ fast '
    '| peak memory, MiB |',
    '| --- | --- | ---: | ---: | ---: | ---: |',
    '| at | ours | 400 (300–5,000, 3) | 4.00 | 1.33 | 3 |',
    '| at | plain | 100 (60–110, 3) | 1.00 | 0.33 | 1 |',
    '| at | fast | 300 (200–400, 2) | 3.00 | 1.00 | 1 |',
    '| ce | ours | 7 (7–7, 1) |  |  | 1 |',
    '| ce | plain | failed |  |  |  |',
  ]


def test_slow_steps_keep_their_digits():
  speeds = 0.8437, 9.876, 12.3, 1234.5
  assert [shown(speed) for speed in speeds] == ['0.844', '9.88', '12', '1,234']


def test_rows_are_plain_json():
  rows = summarise(MEASURED)
  assert json.loads(json.dumps(rows, allow_nan=False)) == rows
  assert rows[0]['ratios'] == {'plain': 4.0, 'fast': pytest.approx(4 / 3)}


class Clock:
  """A second a step; waiting costs what is left to do."""

  def __init__(self, loss=1.0):
    self.now, self.pending, self.steps, self.loss = 0.0, 0, 0, loss

  def advance(self):
    self.pending += 2
    self.steps += 2
    return 2

  def wait(self):
    self.now += self.pending
    self.pending = 0
    return self.loss

  def run(self):
    return workload.Run(self.advance, self.wait, lambda: None)


def test_timing_counts_steps_that_are_done():
  clock = Clock()
  got = workload.timed(clock.run(), 16, 40.0, clock=lambda: clock.now)
  # 3 calls to warm up, 2 to see how long one takes, 20 that count.
  assert clock.steps == 2 * (3 + 2 + 20)
  assert got == {
    'images_per_second': 16.0,
    'steps': 40,
    'seconds': 40.0,
    'warm_up_seconds': 6.0,
    'loss': 1.0,
  }


def test_a_loss_that_is_no_number_is_no_measurement():
  clock = Clock(loss=float('nan'))
  with pytest.raises(FloatingPointError, match='loss .* nan'):
    workload.timed(clock.run(), 16, 4.0, clock=lambda: clock.now)


def test_environment():
  base = {
    'GLIBC_TUNABLES': 'glibc.malloc.check=1:glibc.malloc.hugetlb=2',
    'XLA_FLAGS': '--xla_dump_to=x',
    'JAX_NUM_CPU_DEVICES': '8',
    'HOME': '/h',
  }
  two = variants.at_jax('two', devices=2, huge_pages=True)
  assert step.environment(two, base) == {
    'GLIBC_TUNABLES': 'glibc.malloc.check=1:glibc.malloc.hugetlb=1',
    'XLA_FLAGS': '--xla_dump_to=x --xla_force_host_platform_device_count=2',
    'HOME': '/h',
  }
  one = step.environment(variants.at_jax('one'), {'GLIBC_TUNABLES': ''})
  assert one == {'XLA_FLAGS': '--xla_force_host_platform_device_count=1'}


def test_names_say_what_is_set():
  for ways in variants.VARIANTS.values():
    assert len({variant['name'] for variant in ways}) == len(ways)
    for variant in ways:
      name = variant['name']
      assert ('huge pages' in name) == variant['huge_pages']
      if variant['engine'] == 'torch':
        assert ('channels_last' in name) == variant['channels_last']
        assert ('bf16' in name) == variant['bf16']
        assert bool(re.search('compiled|graphs', name)) == bool(
          variant['compiled']
        )
      else:
        assert ('2 devices' in name) == (variant['devices'] == 2)
        assert ('bfloat16' in name) == (variant['dtype'] == 'bfloat16')


def test_reason_of_a_failure():
  text = 'Traceback\n  x\nfoo.InductorError: why\n\nSet TORCHDYNAMO_VERBOSE=1\n'
  assert step.reason(text) == 'foo.InductorError: why'
  assert step.reason('/bin/sh: killed\n') == '/bin/sh: killed'
  failed = step.run({'engine': 'nobody'})
  assert failed == {'failed': "KeyError: 'nobody'"}


def test_a_failed_measurement_does_not_end_the_others(monkeypatch, capsys):
  def run(settings, python=None, base=None):
    if 'step' not in settings:
      return {'platform': 'cpu', 'name': 'a cpu', 'gpu': ''}
    if settings['name'].startswith('at_jax'):
      return {'images_per_second': 30.0, 'peak_memory': 2**20}
    return {'failed': 'RuntimeError: why'}

  monkeypatch.setattr(step, 'run', run)
  assert step.main(['--rounds=2', '--steps=kd']) == 1
  printed = capsys.readouterr().out
  assert printed.count(': RuntimeError: why') == 8
  assert '| kd | at_jax, 2 devices, huge pages | 30 (30–30, 2) |' in printed


@pytest.mark.parametrize(
  ('flag', 'words'),
  [
    ('--steps=ce,ak', "unknown step 'ak', there are ce, kd, at"),
    ('--rounds=0', 'must be positive'),
  ],
)
def test_mistakes(flag, words, capsys):
  with pytest.raises(SystemExit):
    step.main([flag])
  assert words in capsys.readouterr().err


def test_another_python_that_is_not_there():
  flags = step.parse(['--torch_python=/no/such/python'])
  found, problem = step.look_at_torch(flags, 'cpu')
  assert found is None
  assert '/no/such/python' in problem and 'pip install torch' in problem


def test_pytorch_without_the_gpu_of_jax_is_not_compared(monkeypatch):
  monkeypatch.setattr(step, 'run', lambda *args: {'gpu': '', 'threads': 2})
  flags = step.parse([])
  assert step.look_at_torch(flags, 'gpu')[0] is None
  assert 'sees no GPU' in step.look_at_torch(flags, 'gpu')[1]
  assert step.look_at_torch(flags, 'cpu') == ({'gpu': '', 'threads': 2}, '')


def test_costs_are_times_in_plain_steps():
  speeds = {('nin', 'a'): 600, ('min_l2', 'a'): 200, ('grad_at', 'b'): 50}
  rows = summarise(
    [
      dict(step=s, name=n, engine='x', images_per_second=v, peak_memory=1)
      for (s, n), v in speeds.items()
    ]
  )
  assert costs(rows) == ['A step of min_l2 takes, in steps of nin: 3.00 (a).']
  assert costs(rows[1:]) == []

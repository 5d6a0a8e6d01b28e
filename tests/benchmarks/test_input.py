"""The input benchmark: its command in a tiny form, its table on numbers."""

import json

import pytest

from benchmarks import input as input_benchmark


def test_the_command_measures_our_pipeline(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(input_benchmark, 'COUNT', 4)
  monkeypatch.setattr(
    input_benchmark, 'look_at_torch', lambda *_: (None, 'No PyTorch.')
  )
  monkeypatch.setattr(input_benchmark, 'WAYS', input_benchmark.WAYS[:1])
  out = tmp_path / 'input.json'
  arguments = '--rounds=1 --seconds=0.1 --batch=2 --size=32'.split()
  assert input_benchmark.main([*arguments, f'--out={out}']) == 0
  whole = json.loads(out.read_text())
  (one,) = whole['measurements']
  assert one['images'] % 2 == 0 and one['images'] >= 2
  assert one['images_per_second'] == one['images'] / one['seconds']
  assert one['per_core'] == one['images'] / one['processor_seconds']
  assert 'folder' not in one and whole['files'] == 'made'
  printed = capsys.readouterr().out
  assert 'round 1 of 1, at_jax, threads: ' in printed
  assert '| at_jax, threads |' in printed.splitlines()[-1]


def measured(name, *rates):
  return [
    dict(name=name, images_per_second=2 * rate, per_core=rate) for rate in rates
  ]


def test_medians_and_ratios_by_hand():
  rows = input_benchmark.summarise(
    [
      *measured('at_jax, threads', 400.0),
      *measured('at_jax, 1 worker', 300.0, 600.0, 450.0),
      *measured('DataLoader, 1 worker', 150.0, 100.0),
      dict(name='DataLoader, 2 workers', failed='why'),
    ]
  )
  ours = rows['at_jax, 1 worker']
  assert (ours['images_per_second'], ours['per_core']) == (900.0, 450.0)
  assert ours['ratio'] == pytest.approx(3.6)
  assert 'ratio' not in rows['at_jax, threads']
  lines = input_benchmark.table(rows).splitlines()
  assert lines[3] == '| at_jax, 1 worker | 900 | 450 | 3.60 |'
  assert lines[5] == '| DataLoader, 2 workers | – | – | – |'


def test_flags_must_be_positive(capsys):
  with pytest.raises(SystemExit):
    input_benchmark.parse(['--rounds=0'])
  assert 'must be positive' in capsys.readouterr().err

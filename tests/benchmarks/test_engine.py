"""`python -m benchmarks.engine` on a few tiny steps."""

import json

import pytest

from benchmarks import engine


def test_the_three_ways_are_measured(small_wrn, tmp_path, capsys):
  out = tmp_path / 'engine.json'
  engine.main(f'--step=ce --batch=8 --rounds=2 --steps=3 --out={out}'.split())
  seconds = json.loads(out.read_text())['seconds']
  assert list(seconds) == list(engine.WAYS)
  for found in seconds.values():
    assert len(found) == 2 and min(found) > 0
  table = capsys.readouterr().out.split('\n\n')[-1]
  assert [line.split()[1] for line in table.splitlines()[2:]] == [*engine.WAYS]


def test_table_compares_medians_with_the_bare_step():
  found = {'bare': [2.0, 1.0, 9.0], 'data': [2.1] * 3, 'engine': [2.5] * 3}
  lines = engine.table(found, images=100).splitlines()[2:]
  assert lines[0] == '| bare | 50 (11–100) | +0.0 % |'
  assert lines[1].endswith('| +5.0 % |') and lines[2].endswith('| +25.0 % |')


def test_an_unknown_step_is_refused():
  with pytest.raises(SystemExit):
    engine.main(['--step=grad'])

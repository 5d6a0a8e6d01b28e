"""The benchmark of many photos: a tiny form, its table on numbers."""

import json

import pytest

from at_jax.visualize.__main__ import main as visualize
from benchmarks import seeing


def test_the_command_sees_all_photos(small_wrn, monkeypatch, tmp_path, capsys):
  seen = []

  def run(arguments):
    visualize(arguments)
    photos = arguments[arguments.index('--images') + 1 :]
    seen.append(len(photos))
    return dict(seconds=2.0, processor_seconds=3.0, peak_memory=2**20)

  model = dict(name='wrn', depth=10, num_classes=3)
  monkeypatch.setattr(seeing, 'MODEL', model)
  monkeypatch.setattr(seeing, 'apart', lambda function, *args: function(*args))
  monkeypatch.setattr(seeing, 'run', run)
  monkeypatch.setattr(seeing, 'run_module', lambda *_: {'name': 'a cpu'})
  out = tmp_path / 'seeing.json'
  flags = '--counts=3,1 --size=32 --rounds=2'.split()
  assert seeing.main([*flags, f'--out={out}']) == 0
  assert seen == [1, 3, 1, 3]
  whole = json.loads(out.read_text())
  one, three = (whole['rows'][count] for count in '13')
  assert three['page_bytes'] > 2 * one['page_bytes'] > 1e4
  assert len(whole['measurements']) == 4 and 'out' not in whole['flags']
  lines = capsys.readouterr().out.splitlines()
  assert 'round 1 of 2, photos: 3: 2.0 s' in lines
  assert lines[-1].startswith('| 3 | 2.0 | 0.0 | 3.0 | 0.0 | 1 | 0 |')


def test_a_process_is_measured():
  found = seeing.run(['--help'])
  assert 0.1 < found['processor_seconds'] and 0.1 < found['seconds'] < 100
  assert 2**24 < found['peak_memory'] < 2**33
  assert 'unrecognized' in seeing.run(['--workdir=x', '--none'])['failed']


def measured(count, seconds, memory):
  return dict(
    count=count,
    seconds=seconds,
    processor_seconds=2 * seconds,
    peak_memory=memory * 2**20,
    page_bytes=count * 10**6,
  )


def test_medians_and_what_lies_beyond_the_fewest():
  rows = seeing.summarise(
    [
      measured(1, 3.0, 400),
      measured(100, 20.0, 430),
      measured(1, 4.0, 500),
      measured(100, 24.0, 450),
      measured(1, 9.0, 410),
      dict(count=100, failed='why'),
    ]
  )
  assert seeing.table(rows).splitlines()[2:] == [
    '| 1 | 4.0 | 0.0 | 8.0 | 0.0 | 410 | 0 | 1.0 |',
    '| 100 | 22.0 | 18.0 | 44.0 | 36.0 | 440 | 30 | 100.0 |',
  ]


@pytest.mark.parametrize('flag', ['--counts=1,0', '--counts=x', '--rounds=0'])
def test_flags_are_checked(flag, capsys):
  with pytest.raises(SystemExit):
    seeing.parse([flag])
  assert flag.partition('=')[0] in capsys.readouterr().err


def test_a_failure_shows_in_the_exit_code(monkeypatch, capsys):
  def make_files(folder, count, size):
    (folder / 'photos').mkdir()

  monkeypatch.setattr(seeing, 'apart', lambda _, *args: make_files(*args))
  monkeypatch.setattr(seeing, 'run', lambda _: {'failed': 'OSError: why'})
  assert seeing.main(['--counts=1', '--rounds=1']) == 1
  assert 'photos: 1: OSError: why' in capsys.readouterr().out

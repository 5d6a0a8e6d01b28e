"""What the report makes of running, damaged and missing files."""

import json

from report_workdir import (
  ERRORS,
  ROWS,
  cells,
  lines_of,
  workdir,
  write,
  write_maps,
)

from at_jax import report
from at_jax.report.read import read_study


def test_running_workdir(tmp_path):
  rows = ROWS | {'kd': {}}
  errors = {'alone': ERRORS['alone'], 'at': {0: 7.0}}
  folder = workdir(tmp_path / 'a', rows=rows, errors=errors)
  run = folder / 'at' / 'seed1'
  run.mkdir()
  (run / 'metrics.jsonl').write_text(lines_of('at', 5) + '{"step": 6, "epo')
  write_maps(run / 'attention.npz', after=False)
  found = cells(report.write_report(folder))
  assert 'student + AT (1 of 3 runs done, seed 1 at epoch 2/4)' in found
  assert found['kd (0 of 3 runs done)'] == [
    *['not yet measured'] * 2,
    '0',
    'not yet measured',
    '–',
    'not yet measured',
  ]
  page = (folder / 'report.md').read_text()
  assert 'at/seed1/metrics.jsonl: its last line is half-written' in page
  assert 'No maps yet of: kd.' in page


def test_barely_started_workdir(tmp_path):
  write(tmp_path / 'config.json', dict(rows={}, seeds=2, epochs=3))
  table = report.write_report(tmp_path)
  assert f'{tmp_path.name} (0 of 2 runs done)' in table
  page = (tmp_path / 'report.md').read_text()
  assert 'about.json is missing' in page and 'No attention maps yet' in page
  assert (tmp_path / 'curves.png').is_file()
  assert not (tmp_path / 'attention.png').exists()


def test_teacher_in_training_is_not_yet_measured(tmp_path):
  folder = workdir(tmp_path, errors={}, teacher='')
  (folder / 'teachers.json').unlink()
  config = json.loads((folder / 'config.json').read_text())
  config['teacher'] = {'config': 'configs/wrn.py', 'weights': ''}
  write(folder / 'config.json', config)
  line = cells(report.write_report(folder))['*teacher*, one run']
  assert line[:3] == ['not yet measured', '–', '0']


def test_damaged_files_are_left_out_and_said(tmp_path):
  folder = workdir(tmp_path / 'a')
  (folder / 'at/seed2/result.json').write_text('{"test_error": 6')
  (folder / 'alone/seed2/result.json').write_text('{"test_error": NaN}')
  (folder / 'alone/seed0/attention.npz').write_bytes(b'PK\x03\x04 half')
  lines = (folder / 'alone/seed0/metrics.jsonl').read_text()
  (folder / 'alone/seed0/metrics.jsonl').write_text('\0\0\n[1]\n' + lines)
  found = cells(report.write_report(folder))
  assert found['student + AT (2 of 3 runs done, seed 2 at epoch 4/4)'][2] == '2'
  page = (folder / 'report.md').read_text()
  for words in (
    'at/seed2/result.json is damaged',
    'alone/seed2/result.json holds no test_error',
    'alone/seed0/attention.npz is damaged',
    'alone/seed0/metrics.jsonl: damaged lines left out: [1, 2]',
  ):
    assert words in page, words


def test_a_step_written_twice_counts_as_last_written(tmp_path):
  folder = workdir(tmp_path)
  with (folder / 'at/seed0/metrics.jsonl').open('a') as file:
    file.write('{"step": 8, "epoch": 4.0, "test_error": 1.5}\n')
  run = read_study(folder).rows['at'].runs[0]
  assert run.series['test_error'] == ([1, 2, 3, 4], [30, 15, 10, 1.5])


def test_a_run_of_another_teacher_is_said(tmp_path):
  folder = workdir(tmp_path)
  write(
    folder / 'at/seed1/result.json', {'test_error': 9.5, 'teacher_hash': 'x'}
  )
  report.write_report(folder)
  page = (folder / 'report.md').read_text()
  assert 'at/seed1 learned from another teacher (x)' in page
  assert page.count('another teacher') == 1

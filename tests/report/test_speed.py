"""What training took: images a second, memory, time."""

import json

import pytest
from report_workdir import ERRORS, ROWS, amend, cells, workdir

from at_jax import report
from at_jax.report.read import read_study
from at_jax.report.table import speed, summarise

pytestmark = pytest.mark.usefixtures('no_pictures')


def write_rates(run, *rates):
  """metrics.jsonl with these rates; None is a row that has none."""
  lines = [
    dict(step=step, epoch=float(step), loss=1.0)
    | ({} if rate is None else dict(images_per_second=rate))
    for step, rate in enumerate(rates, 1)
  ]
  run.mkdir(parents=True, exist_ok=True)
  text = ''.join(json.dumps(line) + '\n' for line in lines)
  (run / 'metrics.jsonl').write_text(text)


def speeds(folder):
  """The table of speeds: in report.md, and by itself."""
  report.write_report(folder)
  page = (folder / 'report.md').read_text()
  text = page.split('\n## Speed\n\n')[1].split('\n\n')[0]
  assert text == speed(summarise(read_study(folder)))
  assert cells(text)[''] == ['images/s', 'peak memory', 'time per run']
  return {k: v for k, v in cells(text).items() if k.startswith('student')}


def result(folder, row):
  return json.loads((folder / 'result.json').read_text())['rows'][row]


def test_medians_over_metrics_then_over_runs(tmp_path):
  folder = workdir(tmp_path)
  # Medians 300, 2000 and 1500; of all their rows together it is 900.
  write_rates(folder / 'at/seed0', None, 100, 300, 5, 400, 900)
  write_rates(folder / 'at/seed1', 2000, 1, 90000)
  write_rates(folder / 'at/seed2', 1000, 9000, 1500)
  for seed, peak in enumerate((1000.0, 3000.5, 2049.4)):
    amend(folder / f'at/seed{seed}/result.json', peak_memory_mb=peak)
    amend(folder / f'alone/seed{seed}/result.json', peak_memory_mb=512)
  assert speeds(folder) == {
    'student alone': ['900', '512 MB', '1.5 min'],
    'student + AT': ['1,500', '2,049 MB', '1.5 min'],
  }
  at = result(folder, 'at')
  assert (at['images_per_second'], at['peak_memory_mb']) == (1500, 2049.4)
  assert at['seconds'] == 91


def test_results_of_before_do_not_know_their_memory(tmp_path):
  folder = workdir(tmp_path)
  assert speeds(folder) == {
    'student alone': ['900', 'not yet measured', '1.5 min'],
    'student + AT': ['900', 'not yet measured', '1.5 min'],
  }
  assert result(folder, 'at')['peak_memory_mb'] is None
  # One new seed among old ones is what is known.
  amend(folder / 'at/seed2/result.json', peak_memory_mb=700.6)
  amend(folder / 'alone/seed2/result.json', peak_memory_mb='much')
  found = speeds(folder)
  assert found['student + AT'][1] == '701 MB'
  assert found['student alone'][1] == 'not yet measured'


def test_a_running_row_has_a_rate_and_no_more(tmp_path):
  rows = ROWS | {'kd': {'label': 'student + KD'}, 'no': {'label': 'student no'}}
  folder = workdir(tmp_path, rows, ERRORS)
  write_rates(folder / 'kd/seed0', 250, 350)
  assert speeds(folder)['student + KD'] == [
    '300', 'not yet measured', 'not yet measured',
  ]  # fmt: skip
  assert speeds(folder)['student no'] == ['not yet measured'] * 3


def test_rows_without_a_rate_do_not_count(tmp_path):
  folder = workdir(tmp_path)
  write_rates(folder / 'at/seed0', None, None)
  write_rates(folder / 'at/seed1', 40, float('nan'))
  (folder / 'at/seed2/metrics.jsonl').unlink()
  assert speeds(folder)['student + AT'][0] == '40'
  assert result(folder, 'at')['images_per_second'] == 40


def test_the_page_says_what_was_measured(tmp_path):
  folder = workdir(tmp_path)
  report.write_report(folder)
  page = (folder / 'report.md').read_text()
  after = page.split('\n## Speed\n\n')[1].split('\n## ')[0]
  for words in (
    'median over the rows of metrics.jsonl',
    'without compiling and evaluating',
    'Peak memory: of the fullest device, on a CPU of the process',
  ):
    assert words in after, words


def test_joined_workdirs_share_the_table(tmp_path):
  half = {row: {0: ERRORS[row][0]} for row in ROWS}
  rest = {row: {1: ERRORS[row][1]} for row in ROWS}
  one = workdir(tmp_path / 'one', errors=half)
  two = workdir(tmp_path / 'two', errors=rest)
  write_rates(one / 'at/seed0', 100)
  write_rates(two / 'at/seed1', 300)
  report.write_report([one, two], tmp_path / 'out')
  assert result(tmp_path / 'out', 'at')['images_per_second'] == 200
  assert '| 200 ' in (tmp_path / 'out/report.md').read_text()

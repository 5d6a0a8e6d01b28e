"""Rows with a baseline of their own: what each difference is taken to."""

import json

import pytest
from report_workdir import ERRORS, amend, cells, workdir

from at_jax import report
from at_jax.report.__main__ import main

pytestmark = pytest.mark.usefixtures('no_pictures')
ROWS = {
  'small': {'label': 'small alone'},
  'big': {'label': 'big alone'},
  'small_at': {'label': 'small + AT', 'baseline': 'small'},
  'big_at': {'label': 'big + AT', 'baseline': 'big'},
}
NUMBERS = {
  'small': {0: 8.0, 1: 9.0, 2: 7.0},
  'big': {0: 6.0, 1: 6.0, 2: 5.0},
  'small_at': {0: 7.0, 1: 9.5, 2: 6.0},
  'big_at': {0: 5.0, 1: 5.5, 2: 5.5},
}
SMALL_AT = '-0.50 ± 0.87, wins 2/3'  # of -1, .5, -1
BIG_AT = '-0.33 ± 0.76, wins 2/3'  # of -1, -.5, .5


def study(folder, *keys, baseline='', **changes):
  keys = keys or tuple(ROWS)
  rows = {key: ROWS[key] for key in keys}
  errors = {key: NUMBERS[key] for key in keys}
  config = dict(rows=rows, errors=errors, baseline=baseline)
  return workdir(folder, **config | changes)


def differences(table):
  """The cells of the column of differences by label; None without one."""
  found = cells(table)
  names = found.pop('')
  if 'difference' not in ' '.join(names):
    return None
  index = names.index(head(table))
  return {k: line[index] for k, line in found.items() if k.strip('-')}


def head(table):
  (name,) = (name for name in cells(table)[''] if 'difference' in name)
  return name


def results(folder):
  rows = json.loads((folder / 'result.json').read_text())['rows']
  return {key: row['difference'] for key, row in rows.items()}


def test_of_several_baselines_each_cell_names_its_own(tmp_path):
  table = report.write_report(study(tmp_path))
  assert head(table) == 'difference to (row), paired by seed'
  assert differences(table) == {
    '*teacher WRN-16-2*, one run': '–',
    'small alone': '–',
    'big alone': '–',
    'small + AT': f'{SMALL_AT} (small alone)',
    'big + AT': f'{BIG_AT} (big alone)',
  }
  found = results(tmp_path)
  assert found['small'] is None and found['big'] is None
  assert (found['small_at']['to'], found['big_at']['to']) == ('small', 'big')
  assert found['big_at']['mean'] == pytest.approx(-1 / 3)


def test_one_common_baseline_stands_in_the_head(tmp_path):
  keys = ('small', 'small_at')
  table = report.write_report(study(tmp_path / 'own', *keys))
  assert head(table) == 'difference to small alone, paired by seed'
  assert differences(table)['small + AT'] == SMALL_AT
  whole = study(tmp_path / 'study', *keys, baseline='small')
  amend(
    whole / 'config.json', rows={k: {'label': ROWS[k]['label']} for k in keys}
  )
  assert report.write_report(whole) == table
  assert results(tmp_path / 'own') == results(whole)


def test_a_row_s_own_baseline_goes_before_the_study_s(tmp_path):
  table = report.write_report(study(tmp_path, baseline='small'))
  assert head(table) == 'difference to (row), paired by seed'
  found = differences(table)
  assert found['small alone'] == '–'
  # Of -2, -3, -2: a row without one of its own has the study's.
  assert found['big alone'] == '-2.33 ± 0.58, wins 3/3 (small alone)'
  assert found['big + AT'] == f'{BIG_AT} (big alone)'


def test_only_the_baselines_in_use_count_for_the_head(tmp_path):
  keys = ('small', 'small_at', 'big_at')
  table = report.write_report(study(tmp_path, *keys))
  assert head(table) == 'difference to small alone, paired by seed'
  found = differences(table)
  assert found['small + AT'] == SMALL_AT and found['big + AT'] == '–'
  assert results(tmp_path)['big_at'] is None


def test_a_baseline_in_another_workdir_is_found_by_joining(tmp_path):
  taught = study(tmp_path / 'taught', 'small_at', 'big_at')
  alone = study(tmp_path / 'alone', 'small', 'big', teacher='')
  assert differences(report.write_report(taught)) is None
  assert set(results(taught).values()) == {None}
  note = 'big, a baseline, is not among the rows: join its workdir.'
  assert note in (taught / 'report.md').read_text()
  for folders in ([taught, alone], [alone, taught]):
    found = differences(report.write_report(folders, tmp_path / 'out'))
    assert 'a baseline, is' not in (tmp_path / 'out/report.md').read_text()
    assert found['small + AT'] == f'{SMALL_AT} (small alone)'
    assert found['big + AT'] == f'{BIG_AT} (big alone)'
    assert found['small alone'] == found['big alone'] == '–'


def test_seeds_of_two_machines_are_paired_across_them(tmp_path):
  half = {key: {0: NUMBERS[key][0]} for key in ('small', 'small_at')}
  rest = {key: {1: NUMBERS[key][1]} for key in ('small', 'small_at')}
  folders = [
    study(tmp_path / name, 'small', 'small_at', errors=errors, seeds=2)
    for name, errors in (('one', half), ('two', rest))
  ]
  # A workdir from before rows had baselines is joined in either order.
  old = {key: {'label': ROWS[key]['label']} for key in ('small', 'small_at')}
  for older in (None, *folders):
    if older:
      amend(older / 'config.json', rows=old)
    for order in (folders, folders[::-1]):
      found = differences(report.write_report(order, tmp_path / 'out'))
      assert found['small + AT'] == '-0.25 ± 1.06, wins 1/2'
    if older:
      rows = {key: ROWS[key] for key in old}
      amend(older / 'config.json', rows=rows)


def test_a_baseline_that_has_not_run_is_not_yet_measured(tmp_path):
  errors = {key: NUMBERS[key] for key in ('small', 'small_at', 'big_at')}
  table = report.write_report(study(tmp_path, *ROWS, errors=errors))
  found = differences(table)
  assert found['big + AT'] == 'not yet measured (big alone)'
  assert found['small + AT'] == f'{SMALL_AT} (small alone)'
  assert results(tmp_path)['big_at']['n'] == 0


@pytest.mark.parametrize('wanted', ['small', 'small alone'])
def test_a_baseline_asked_for_is_that_of_every_row(tmp_path, wanted, capsys):
  folder = study(tmp_path)
  table = report.write_report(folder, baseline=wanted)
  assert head(table) == 'difference to small alone, paired by seed'
  assert differences(table) == {
    '*teacher WRN-16-2*, one run': '–',
    'small alone': '–',
    'big alone': '-2.33 ± 0.58, wins 3/3',
    'small + AT': SMALL_AT,
    'big + AT': '-2.67 ± 1.04, wins 3/3',
  }
  to = {d['to'] for d in results(folder).values() if d}
  assert to == {'small'}
  assert main([f'--workdir={folder}', '--baseline', wanted]) == 0
  assert capsys.readouterr().out == table + '\n'


def test_asking_changes_one_report_and_no_workdir(tmp_path):
  folder = study(tmp_path)
  before = report.write_report(folder)
  config = (folder / 'config.json').read_bytes()
  assert report.write_report(folder, baseline='big_at') != before
  assert (folder / 'config.json').read_bytes() == config
  assert report.write_report(folder) == before
  with pytest.raises(ValueError, match="No row 'bg'"):
    report.write_report(folder, baseline='bg')


def test_a_row_is_no_baseline_of_itself(tmp_path):
  rows = {'alone': {'label': 'A', 'baseline': 'alone'}, 'at': {'label': 'B'}}
  table = report.write_report(workdir(tmp_path, rows, ERRORS, baseline=''))
  assert differences(table) is None

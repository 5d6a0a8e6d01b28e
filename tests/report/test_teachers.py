"""Studies of several teachers: the table, the page, joined, or refused."""

import json

import pytest
from report_workdir import ERRORS, ROWS, cells, teacher_entry, workdir, write

from at_jax import report
from at_jax.report import teachers
from at_jax.report.read import read_study

pytestmark = pytest.mark.usefixtures('no_pictures')
PAIRS = {
  'alone': {'label': 'student alone'},
  'at': {'label': 'student + AT'},
  'kd': {'label': 'student + KD'},
  'big': {'label': 'larger alone'},
  'big_at': {'label': 'larger + AT'},
}
SMALL = teacher_entry('t1', ['at', 'kd'])
LARGE = teacher_entry(
  't2', ['big_at'], 'WRN-40-2', test_error=4.4, parameters=2243546
)


def _pairs(folder, entries=(LARGE, SMALL), rows=tuple(PAIRS), **changes):
  """A study of two students, each with its own teacher."""
  errors = {key: {0: 8.0 - i} for i, key in enumerate(rows)}
  rows = {key: PAIRS[key] for key in rows}
  return workdir(
    folder, rows=rows, errors=errors, seeds=1, teachers=list(entries), **changes
  )


def _first_cells(table):
  return [line.strip('| ').split(' | ')[0] for line in table.split('\n')[2:]]


def test_a_teacher_stands_above_the_first_row_it_teaches(tmp_path):
  table = report.write_report(_pairs(tmp_path))
  assert [cell.strip() for cell in _first_cells(table)] == [
    'student alone',
    '*teacher WRN-16-2*, one run',
    'student + AT',
    'student + KD',
    'larger alone',
    '*teacher WRN-40-2*, one run',
    'larger + AT',
  ]
  found = cells(table)
  assert found['*teacher WRN-40-2*, one run'][:3] == ['4.40', '–', '1']
  assert found['*teacher WRN-16-2*, one run'][:3] == ['5.10', '–', '1']


def test_a_single_teacher_and_one_without_rows_stand_at_the_top(tmp_path):
  table = report.write_report(_pairs(tmp_path / 'one', [LARGE]))
  assert _first_cells(table)[0].startswith('*teacher WRN-40-2*')
  idle = LARGE | dict(rows=['gone'])
  table = report.write_report(_pairs(tmp_path / 'two', [SMALL, idle]))
  assert _first_cells(table)[0].startswith('*teacher WRN-40-2*')
  assert _first_cells(table)[2].startswith('*teacher WRN-16-2*')


def test_page_and_result_name_every_teacher(tmp_path):
  report.write_report(_pairs(tmp_path))
  page = (tmp_path / 'report.md').read_text()
  for words in (
    'teacher WRN-16-2 is one run (n = 1), not a row; weights `t1`',
    'teacher WRN-40-2 is one run (n = 1), not a row; weights `t2`',
    'Parameters: teacher WRN-40-2 2,243,546; teacher WRN-16-2 691,674; '
    'student alone, student + AT,',
    'with its own teacher',
    'A row without a teacher has no cosine.',
  ):
    assert words in page, words
  result = json.loads((tmp_path / 'result.json').read_text())
  assert result['teachers'] == [LARGE, SMALL]
  assert list(result['rows']) == list(PAIRS)


def test_teachers_of_one_label_are_told_apart(tmp_path):
  twin = LARGE | dict(label='WRN-16-2', hash='0123456789')
  table = report.write_report(_pairs(tmp_path, [SMALL, twin]))
  assert '*teacher WRN-16-2 t1*, one run' in table
  assert '*teacher WRN-16-2 01234567*, one run' in table


def test_no_row_needs_a_teacher(tmp_path):
  named = {'config': 'configs/wrn.py', 'weights': ''}
  for errors in (ERRORS, {}):
    folder = workdir(tmp_path / f'{len(errors)}', errors=errors, teachers=[])
    write(folder / 'config.json', dict(rows=ROWS, seeds=3, teacher=named))
    assert 'teacher' not in report.write_report(folder)
    assert read_study(folder).notes == []


@pytest.mark.parametrize(
  'config,asks',
  [
    ({}, False),
    ({'teacher': {'config': '', 'weights': '', 'overrides': {'a': 1}}}, False),
    ({'teacher': {'config': 'configs/wrn.py'}}, True),
    ({'rows': {'at': {'teacher': {'weights': 'a'}}}}, True),
    ({'rows': {'at': {'teacher.config': 'configs/wrn.py'}}}, True),
    ({'rows': {'at': {'teacher.config': ''}, 'kd': None}}, False),
  ],
)
def test_which_configs_ask_for_a_teacher(config, asks):
  assert teachers.asks_for_teacher(config) == asks


def test_damaged_entries_are_left_out_and_said(tmp_path):
  half = dict(hash='t1', test_error=float('nan'), rows=None)
  folder = _pairs(tmp_path, [SMALL])
  write(folder / 'teachers.json', [7, {'label': 'x'}, half])
  line = cells(report.write_report(folder))['*teacher*, one run']
  assert line[:3] == ['not yet measured', '–', '0']
  page = (folder / 'report.md').read_text()
  assert 'teachers.json: entry 1 is damaged and left out.' in page
  assert 'teachers.json: entry 2 is damaged and left out.' in page
  write(folder / 'teachers.json', {})
  assert 'teacher' not in report.write_report(folder)
  notes = read_study(folder).notes
  assert notes == ['teachers.json is damaged and left out.']


def test_a_lost_list_is_said(tmp_path):
  folder = _pairs(tmp_path, [SMALL])
  (folder / 'teachers.json').unlink()
  config = json.loads((folder / 'config.json').read_text())
  config['teacher'] = {'config': 'configs/wrn.py', 'weights': ''}
  write(folder / 'config.json', config)
  study = read_study(folder)
  assert study.notes == ['teachers.json is missing: no teacher is known.']
  assert not study.awaits_teacher, 'its students have learned'


def test_the_result_outranks_the_list(tmp_path):
  study = read_study(_pairs(tmp_path))
  for key, want in dict(alone='', at='t1', big_at='t2').items():
    assert teachers.hash_of(study, key, 0) == want
  study.rows['at'].runs[0].result['teacher_hash'] = 'x'
  assert teachers.hash_of(study, 'at', 0) == 'x'
  assert teachers.hash_of(study, 'at', 1) == 't1', 'not yet run'
  assert teachers.hashes_of(study, 'at') == {'x'}


def test_joining_unites_teachers_and_their_rows(tmp_path):
  one = _pairs(
    tmp_path / 'one', [SMALL | dict(rows=['at'])], rows=('alone', 'at')
  )
  two = _pairs(
    tmp_path / 'two', [LARGE, SMALL | dict(rows=['kd'])], ('kd', 'big_at')
  )
  table = report.write_report([one, two], tmp_path / 'out', baseline='alone')
  result = json.loads((tmp_path / 'out/result.json').read_text())
  assert result['teachers'] == [SMALL | dict(rows=['at', 'kd']), LARGE]
  order = ['student alone', '*teacher WRN-16-2*', 'student + AT']
  order += ['student + KD', '*teacher WRN-40-2*', 'larger + AT']
  assert [cell.split(',')[0].strip() for cell in _first_cells(table)] == order


@pytest.mark.parametrize(
  'changes,refused',
  [
    (dict(hash='t9'), True),
    (dict(hash='t9', parameters=5), False),
    (dict(hash='t9', label='WRN-22-2'), False),
    (dict(), False),
  ],
)
def test_one_label_and_size_with_two_hashes_is_refused(
  changes, refused, tmp_path
):
  one = _pairs(
    tmp_path / 'one', [SMALL | dict(rows=['at'])], rows=('alone', 'at')
  )
  two = _pairs(
    tmp_path / 'two', [SMALL | dict(rows=['kd']) | changes], ('alone', 'kd')
  )
  if not refused:
    report.write_report([one, two])
    found = json.loads((one / 'result.json').read_text())['teachers']
    assert len({t['hash'] for t in found}) == len(found) == 1 + bool(changes)
    return
  words = r'teachers differ \(t1 and t9\): both are WRN-16-2 with 691,674'
  with pytest.raises(ValueError, match=words) as error:
    report.write_report([one, two])
  assert str(one) in str(error.value) and str(two) in str(error.value)
  assert not (one / 'report.md').exists()


def test_one_row_of_two_teachers_is_refused(tmp_path):
  one = _pairs(tmp_path / 'one', [SMALL | dict(rows=['at'])], ('alone', 'at'))
  other = LARGE | dict(rows=['at'])
  two = _pairs(tmp_path / 'two', [other], ('alone', 'at'))
  for started in (True, False):
    words = r"teachers differ \(t1 and t2\): row 'at' learned from both"
    with pytest.raises(ValueError, match=words) as error:
      report.write_report([one, two])
    assert str(one) in str(error.value) and str(two) in str(error.value)
    if started:  # an unfinished run's teacher is the listed one
      (two / 'at/seed0/result.json').unlink()


def test_two_teachers_of_one_label_in_one_workdir_may_be_joined(tmp_path):
  twin = LARGE | dict(label='WRN-16-2', parameters=691674)
  one = _pairs(tmp_path / 'one', [SMALL, twin])
  two = _pairs(tmp_path / 'two', [SMALL])
  report.write_report([two, one])
  found = json.loads((two / 'result.json').read_text())['teachers']
  assert [teacher['hash'] for teacher in found] == ['t1', 't2']


def test_rows_of_plain_configs_keep_their_teachers(tmp_path):
  def plain(name, teacher):
    entry = teacher | dict(rows=['main'])
    return workdir(
      tmp_path / name,
      rows={},
      name=name,
      errors={'main': {0: 8.0}},
      seeds=1,
      teachers=[entry],
    )

  folders = [plain('wrn_at', SMALL), plain('large_at', LARGE)]
  table = report.write_report(folders)
  order = ['*teacher WRN-16-2*', 'wrn_at', '*teacher WRN-40-2*', 'large_at']
  assert [cell.split(',')[0].strip() for cell in _first_cells(table)] == order

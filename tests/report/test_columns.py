"""attention.png of a workdir: every row beside its own teacher."""

import numpy as np
import pytest
from report_workdir import (
  ERRORS,
  maps_of_teacher,
  teacher_entry,
  workdir,
  write_maps,
)

from at_jax.pictures import attention
from at_jax.report import pictures
from at_jax.report.read import read_study

KEYS = ('alone', 'at', 'kd', 'big', 'big_at')
ROWS = {key: {'label': key.upper()} for key in KEYS}
SMALL = teacher_entry('t1', ['at', 'kd'])
LARGE = teacher_entry('t2', ['big_at'], 'WRN-40-2')


@pytest.fixture
def draw(monkeypatch):
  """A function that draws a workdir: (columns, sentences)."""
  drawn = []
  monkeypatch.setattr(
    attention,
    'draw_attention',
    lambda path, images, names, taps, columns, **_: drawn.append(columns),
  )

  def of(folder):
    said = pictures.draw_attention(read_study(folder), folder / 'a.png')
    return drawn.pop(), ' '.join(said)

  return of


def _workdir(folder, teachers, keys=KEYS):
  errors = {key: {0: 8.0} for key in keys}
  rows = {key: ROWS[key] for key in keys}
  return workdir(folder, rows=rows, errors=errors, seeds=1, teachers=teachers)


def _titles(columns):
  return [column.title for column in columns]


def _check_target(column, digest):
  want = maps_of_teacher(digest)
  np.testing.assert_array_equal(column.target['group1'], want)


def test_one_teacher_is_compared_with_every_row(tmp_path, draw):
  folder = _workdir(tmp_path, [SMALL], ('alone', 'at', 'kd'))
  columns, said = draw(folder)
  assert _titles(columns) == [
    'teacher',
    'untrained student',
    'ALONE',
    'AT',
    'KD',
  ]
  np.testing.assert_array_equal(
    columns[0].maps['group1'], maps_of_teacher('t1')
  )
  assert not columns[0].target
  for column in columns[1:]:
    _check_target(column, 't1')
  assert not any(column.apart for column in columns)
  assert "with the teacher's" in said
  assert 'Seed 0; the untrained student is that of the row "ALONE".' in said


def test_several_teachers_stand_before_their_rows(tmp_path, draw):
  columns, said = draw(_workdir(tmp_path, [SMALL, LARGE]))
  titles = _titles(columns)
  assert titles == [
    'ALONE',
    *('teacher WRN-16-2', 'untrained student', 'AT', 'KD'),
    'BIG',
    *('teacher WRN-40-2', 'untrained student', 'BIG_AT'),
  ]
  assert [c.title for c in columns if c.apart] == [
    'teacher WRN-16-2',
    'BIG',
    'teacher WRN-40-2',
  ]
  for i in (0, 1, 5, 6):
    assert not columns[i].target
  for i, digest in {2: 't1', 3: 't1', 4: 't1', 7: 't2', 8: 't2'}.items():
    _check_target(columns[i], digest)
  assert "with its own teacher's" in said
  assert 'A row without a teacher has no cosine.' in said


def test_rows_apart_are_brought_to_their_teacher(tmp_path, draw):
  keys = ('at', 'big_at', 'kd')
  columns, _ = draw(_workdir(tmp_path, [SMALL, LARGE], keys))
  assert _titles(columns) == [
    *('teacher WRN-16-2', 'untrained student', 'AT', 'KD'),
    *('teacher WRN-40-2', 'untrained student', 'BIG_AT'),
  ]


def test_a_run_of_an_unlisted_teacher_is_compared_with_its_own(tmp_path, draw):
  folder = _workdir(tmp_path, [SMALL], ('alone', 'at', 'kd'))
  path = folder / 'kd/seed0/result.json'
  path.write_text(path.read_text().replace('"t1"', '"0123456789"'))
  write_maps(folder / 'kd/seed0/attention.npz', teacher='0123456789')
  columns, _ = draw(folder)
  titles = _titles(columns)
  assert titles[1] == 'teacher WRN-16-2' and titles[4] == 'teacher 01234567'
  _check_target(columns[-1], '0123456789')
  assert not columns[0].target, 'alone: two teachers, and neither is its own'


@pytest.mark.parametrize('listed', [True, False])
def test_unfinished_runs_are_grouped_too(listed, tmp_path, draw):
  folder = _workdir(tmp_path, [SMALL, LARGE], ('at', 'kd', 'big_at'))
  for key in ('at', 'kd', 'big_at'):
    (folder / key / 'seed0/result.json').unlink()
  if not listed:  # told apart by their maps
    (folder / 'teachers.json').unlink()
  columns, _ = draw(folder)
  titles = _titles(columns)
  assert [t.startswith('teacher') for t in titles] == [1, 0, 0, 0, 1, 0, 0]
  assert titles[2:4] == ['AT', 'KD'] and titles[6] == 'BIG_AT'
  _check_target(columns[3], 't1')
  _check_target(columns[6], 't2')


def test_a_listed_teacher_without_maps_yet_is_no_teacher_of_alone(
  tmp_path, draw
):
  folder = _workdir(tmp_path, [SMALL, LARGE], ('alone', 'at', 'big_at'))
  (folder / 'big_at/seed0/attention.npz').unlink()
  columns, said = draw(folder)
  assert _titles(columns)[:2] == ['ALONE', 'teacher WRN-16-2']
  assert not columns[0].target
  assert 'No maps yet of: BIG_AT.' in said


def test_without_a_teacher_there_is_nothing_to_compare(tmp_path, draw):
  columns, said = draw(workdir(tmp_path, errors=ERRORS, teacher=''))
  assert _titles(columns)[0] == 'untrained student'
  assert not any(column.target for column in columns)
  assert 'cosine' not in said


def test_other_images_are_left_out_and_said(tmp_path):
  folder = _workdir(tmp_path, [SMALL], ('alone', 'at'))
  path = folder / 'at/seed0/attention.npz'
  arrays = dict(np.load(path))
  arrays['images'] = 255 - arrays['images']
  np.savez(path, **arrays)
  study = read_study(folder)
  said = pictures.draw_attention(study, tmp_path / 'a.png')
  assert study.notes == ['at/seed0 shows other images: left out.']
  assert 'No maps yet of: AT.' in said


def test_rounding_of_another_machine_makes_no_second_teacher(tmp_path, draw):
  folder = _workdir(tmp_path, [SMALL, LARGE], ('at', 'kd', 'big_at'))
  path = folder / 'kd/seed0/attention.npz'
  arrays = dict(np.load(path))
  arrays['teacher/group1'] += 1e-6
  np.savez(path, **arrays)
  columns, _ = draw(folder)
  assert _titles(columns)[2:5] == ['AT', 'KD', 'teacher WRN-40-2']
  own = arrays['teacher/group1']
  np.testing.assert_array_equal(columns[3].target['group1'], own)

"""Which networks stand side by side: rows, teachers, folders, names."""

import json
import re
import shutil

import pytest
from visualize_study import save

from at_jax.train.checkpoint import write_json
from at_jax.train.weights import load_weights
from at_jax.visualize.networks import find_columns


def names(*folders, rows='', said=None):
  said = [] if said is None else said
  return [c.name for c in find_columns(folders, rows, say=said.append)]


@pytest.mark.parametrize(
  ('rows', 'wanted'),
  [
    ('', ['alone']),
    ('at', ['at', 'teacher']),
    ('kd+alone', ['alone', 'kd', 'teacher']),
    ('all', ['alone', 'at', 'kd', 'teacher']),
    ('teacher', ['teacher']),
    ('alone+teacher', ['alone', 'teacher']),
  ],
)
def test_rows_and_their_teacher(study, rows, wanted):
  assert names(study, rows=rows) == wanted


def test_who_named_the_teacher(study):
  at, teacher = find_columns([study], 'at')
  assert at.title == 'student at' and teacher.title == 'teacher WRN-16-2'
  assert (at.added, teacher.added) == (False, True)
  assert at.workdir == study and teacher.folder.name == 'weights'
  assert not find_columns([study], 'at+teacher')[-1].added


def test_folders_of_every_kind(study, tmp_path):
  run = study / 'at/seed0'
  assert names(run) == names(run / 'weights') == ['at']
  assert names(run, study / 'kd/seed0/weights') == ['at', 'kd']
  teacher = study.parent / 'teachers/wrn-1'
  assert names(teacher) == ['wrn-1'] and names(teacher, study) == [
    'wrn-1',
    'alone',
  ]
  # A teacher that is there already does not come twice.
  assert names(teacher, study, rows='at+main') == ['wrn-1', 'at']


def test_a_folder_called_teacher_is_not_taken_for_the_teacher(study, tmp_path):
  other = tmp_path / 'teacher'
  shutil.copytree(study / 'kd/seed0/weights', other)
  assert names(other, study, rows='at') == ['teacher', 'at', 'teacher_']


def test_names_and_titles_are_told_apart(study, tmp_path):
  for where in ('one', 'two'):
    shutil.copytree(study / 'at', tmp_path / where / 'at')
  columns = find_columns([tmp_path / 'one/at/seed0', tmp_path / 'two/at/seed0'])
  assert [c.name for c in columns] == ['one_at', 'two_at']
  assert [c.title for c in columns] == [
    'student at (one_at)',
    'student at (two_at)',
  ]
  same = [tmp_path / 'one/at/seed0'] * 2
  assert names(*same) == ['1_at', '2_at']


def test_seeds_of_one_row_are_told_apart(study, tmp_path):
  work = shutil.copytree(study, tmp_path / 'work')
  shutil.copytree(work / 'at/seed0', work / 'at/seed1')
  columns = find_columns([work / 'at/seed0', work / 'at/seed1'])
  assert [c.name for c in columns] == ['at_seed0', 'at_seed1']
  titles = ['student at, seed 0', 'student at, seed 1']
  assert [c.title for c in columns] == titles


def test_what_is_not_there_is_left_out_aloud(study, tmp_path):
  work = shutil.copytree(study, tmp_path / 'work')
  shutil.copytree(study.parent / 'teachers', tmp_path / 'teachers')
  (work / 'kd/seed0/weights').rename(work / 'kd/seed0/elsewhere')
  said = []
  assert names(work, rows='all', said=said) == ['alone', 'at', 'teacher']
  assert 'kd/seed0 has no weights and no checkpoints yet' in said.pop()
  (work / 'kd/seed0/result.json').write_text('{}')
  words = 'kd/seed0 is finished, .* not here.*those of: alone/seed0, at/seed0'
  with pytest.raises(FileNotFoundError, match=words):
    names(work, rows='at,kd')
  other = shutil.copytree(study, tmp_path / 'other')
  write_json(other / 'config.json', {'rows': dict(alone={})})
  assert names(work, other, rows='at', said=said) == ['at', 'teacher']
  assert said == [f'left out: {other}, which has no row at.']
  shutil.rmtree(work / 'alone')
  shutil.rmtree(work / 'at')
  with pytest.raises(FileNotFoundError, match='alone/seed0 has no weights'):
    names(work, rows='all')
  (study / 'teachers.json').rename(study / 'away')
  with pytest.raises(ValueError, match='names no teacher .* or not yet'):
    names(study, rows='teacher')
  (study / 'away').rename(study / 'teachers.json')


def test_teachers_that_are_gone(study, tmp_path):
  work = tmp_path / 'moved' / 'work'
  shutil.copytree(study, work)
  said = []
  assert names(work, rows='at', said=said) == ['at']
  assert re.match('The teacher WRN-16-2 is left out: .*wrn-1', said[0])
  with pytest.raises(FileNotFoundError, match='wrn-1'):
    names(work, rows='teacher')
  # Other weights lie where its own did.
  save(work.parent / 'teachers/wrn-1/main/seed0/weights', 4)
  write_json(work.parent / 'teachers/wrn-1/config.json', {'rows': {}})
  said.clear()
  assert names(work, rows='at', said=said) == ['at']
  assert 'has others now' in said[0]
  with pytest.raises(FileNotFoundError, match='not where teachers.json says'):
    names(work, rows='teacher')


def test_a_teacher_by_its_weights_folder(study, tmp_path):
  shutil.copytree(study, tmp_path / 'work')
  digest = load_weights(save(tmp_path / 'mine', 5, 'ResNet')).digest
  entry = dict(label='ResNet', folder='../mine', hash=digest, rows=['at'])
  path = tmp_path / 'work/teachers.json'
  path.write_text(json.dumps([entry]))
  assert names(tmp_path / 'work', rows='at') == ['at', 'teacher']


def test_errors(study, tmp_path):
  with pytest.raises(ValueError, match="Unknown row .*'aat'.*mean 'at'.*all"):
    names(study, rows='alone+aat')
  with pytest.raises(ValueError, match="Unknown row .*'all'"):
    names(study, rows='alone+all')
  with pytest.raises(ValueError, match='--rows=at: rows are of workdirs'):
    names(study / 'at/seed0', rows='at')
  with pytest.raises(FileNotFoundError, match='no workdir .config.json.'):
    names(tmp_path)
  with pytest.raises(FileNotFoundError, match='kd/seed3 has no weights'):
    find_columns([study], 'kd', 3)
  grey = save(tmp_path / 'grey', shape=(8, 8, 1))
  with pytest.raises(ValueError, match='3 channels, small of 1'):
    names(study, grey)

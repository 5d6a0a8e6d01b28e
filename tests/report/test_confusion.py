"""Reports on which classes were taken for which."""

import numpy as np
import pytest
from report_workdir import ROWS, workdir, write_predictions

from at_jax import report
from at_jax.pictures import confusion as pictures
from at_jax.report.confusion import most_confused

NAMES = ['cat', '<b>&', 'a|b*']
LABELS = [0, 0, 0, 1, 2, 2, 2]
SECTION = """## Confusion

![What the images of each class were taken for](confusion.png)

A line is a true class, a column what its test images were taken for, in \
percent of them; what is right stands on the diagonal.

The most frequent mistakes, true → predicted: how many test images of the \
true class.

| student alone, seed 0    | student + AT, seed 1 |
| ------------------------ | -------------------- |
| a\\|b\\* → \\<b\\>\\&: 2 of 3 | cat → a\\|b\\*: 1 of 3 |
| cat → \\<b\\>\\&: 1 of 3    |                      |

"""


@pytest.fixture
def drawn(monkeypatch, no_pictures):
  """{name of a picture: matrices}, in place of pictures."""
  calls = {}
  monkeypatch.setattr(
    pictures, 'draw_confusion', lambda path, m: calls.update({path.name: m})
  )
  return calls


@pytest.fixture
def folder(tmp_path):
  path = workdir(tmp_path / 'work', teacher='')
  first = [0, 1, 0, 1, 1, 1, 2]
  write_predictions(path / 'alone/seed0', LABELS, first, NAMES)
  write_predictions(path / 'alone/seed1', LABELS, [0] * 7, NAMES)
  write_predictions(path / 'at/seed1', LABELS, [0, 0, 2, 1, 2, 2, 2], NAMES)
  return path


def page_of(folder):
  report.write_report(folder)
  return (folder / 'report.md').read_text()


def test_pairs_by_hand():
  labels, predictions = [3, 3, 0, 1, 0, 2], [1, 1, 2, 1, 1, 0]
  found = most_confused(np.array(labels), np.array(predictions))
  assert found == [(3, 1, 2), (0, 1, 1), (0, 2, 1), (2, 0, 1)]
  assert most_confused(labels, predictions, 1) == [(3, 1, 2)]
  assert most_confused(labels, labels) == []


def test_the_section_is_of_the_lowest_seeds(folder, drawn):
  page = page_of(folder)
  start = page.index('## Confusion')
  assert page[start : page.index('## Speed')] == SECTION
  alone, at = drawn['confusion.png']
  assert (alone.title, at.title) == (
    'student alone, seed 0',
    'student + AT, seed 1',
  )
  assert alone.counts.tolist() == [[2, 1, 0], [0, 1, 0], [0, 2, 1]]
  assert at.counts.tolist() == [[2, 0, 1], [0, 1, 0], [0, 0, 3]]
  assert at.names == NAMES


def test_no_predictions_no_section(tmp_path, drawn):
  assert '## Confusion' not in page_of(workdir(tmp_path))
  assert not drawn


def test_a_run_without_mistakes(tmp_path, drawn):
  folder = workdir(tmp_path, errors={'at': {0: 0.0}})
  write_predictions(folder / 'at/seed0', LABELS, LABELS, NAMES)
  assert 'No test image was taken for another class.' in page_of(folder)
  assert (
    drawn['confusion.png'][0].counts.tolist() == np.diag([3, 1, 3]).tolist()
  )


@pytest.mark.parametrize(
  'changes',
  [
    dict(labels=np.array([0.5] * 7)),
    dict(labels=np.array([3] * 7)),
    dict(predictions=np.array([-1] * 7)),
    dict(predictions=np.array([0] * 6)),
    dict(labels=np.zeros((7, 3), int)),
  ],
)
def test_damage_is_said_and_the_next_seed_shown(folder, drawn, changes):
  path = folder / 'alone/seed0/predictions.npz'
  np.savez(path, **(dict(np.load(path)) | changes))
  page = page_of(folder)
  assert 'alone/seed0/predictions.npz is damaged and left out.' in page
  assert '| student alone, seed 1 ' in page
  assert 'predictions.npz is damaged' in (folder / 'result.json').read_text()


def test_a_torn_file_leaves_the_rest(folder, drawn):
  path = folder / 'at/seed1/predictions.npz'
  path.write_bytes(path.read_bytes()[:-30])
  page = page_of(folder)
  assert 'at/seed1/predictions.npz is damaged and left out.' in page
  assert [m.title for m in drawn['confusion.png']] == ['student alone, seed 0']


def test_very_many_classes_are_listed_alone(tmp_path, drawn):
  folder = workdir(tmp_path)
  labels = np.arange(2010) % 201
  taken = np.where(labels == 7, 200, labels)
  names = [f'class_{k}' for k in range(201)]
  write_predictions(folder / 'at/seed0', labels, taken, names)
  page = page_of(folder)
  assert 'class_7 → class_200: 10 of 10' in page
  assert not drawn and 'confusion.png' not in page
  write_predictions(folder / 'at/seed0', [0, 1], [1, 1], names[:200])
  assert '(confusion.png)' in page_of(folder)


def test_of_many_rows_the_baseline_and_the_best_are_shown(tmp_path, drawn):
  rows = ROWS | {f'row{k}': {} for k in range(7)}
  errors = {'alone': {0: 99.0}} | {f'row{k}': {0: 10.0 - k} for k in range(7)}
  folder = workdir(tmp_path, rows=rows, errors=errors, seeds=1)
  for key in errors:
    write_predictions(folder / key / 'seed0', LABELS, [0] * 7, NAMES)
  assert 'Of 9 rows at most 6 are shown' in page_of(folder)
  titles = [m.title.split(',')[0] for m in drawn['confusion.png']]
  assert titles == ['student alone', *(f'row{k}' for k in range(2, 7))]

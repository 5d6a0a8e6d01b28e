"""Confusion matrices: counts, shares, and what stands in which cell."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from at_jax.pictures import confusion
from at_jax.pictures.confusion import Matrix, confusion_figure

COUNTS = np.array([[8, 2, 0], [0, 1, 0], [0, 0, 0]])


def matrix(classes, title='a row', names=None):
  counts = np.random.default_rng(classes).integers(0, 9, (classes, classes))
  return Matrix(title, counts, names or [f'class {k}' for k in range(classes)])


def test_counts_by_hand():
  labels, predictions = [0, 0, 2, 2, 2, 1], [0, 1, 0, 0, 2, 1]
  found = confusion.confusion_matrix(labels, predictions, 4)
  assert found.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [2, 0, 1, 0], [0] * 4]


def test_lines_are_divided_by_their_sum_and_may_be_empty():
  found = confusion.percentages(COUNTS)
  assert found.tolist() == [[80, 20, 0], [0, 100, 0], [0, 0, 0]]


def test_a_cell_has_its_number_and_its_colour():
  figure = confusion_figure([Matrix('alone, seed 0', COUNTS, list('abc'))])
  axes, bar = figure.axes
  np.testing.assert_array_equal(
    axes.images[0].get_array(), confusion.percentages(COUNTS)
  )
  said = {t.get_position(): t.get_text() for t in axes.texts}
  # x is what was predicted, y what is true.
  assert said == {(0, 0): '80', (1, 0): '20', (1, 1): '100'}
  assert (axes.get_xlabel(), axes.get_ylabel()) == ('predicted', 'true')
  assert [t.get_text() for t in axes.get_yticklabels()] == ['a', 'b', 'c']
  assert axes.get_title() == 'alone, seed 0'
  assert bar.get_ylabel() == '% of the true class'


def test_small_shares_keep_a_digit():
  counts = np.array([[995, 5], [99, 901]])
  axes = confusion_figure([Matrix('x', counts, list('ab'))]).axes[0]
  assert [t.get_text() for t in axes.texts] == ['100', '0.5', '9.9', '90']


def test_many_classes_have_neither_numbers_nor_names():
  few, many = confusion_figure([matrix(20), matrix(21)]).axes[:2]
  assert few.texts and not many.texts
  assert few.get_yticklabels()[3].get_text() == 'class 3'
  assert 'class 3' not in [t.get_text() for t in many.get_yticklabels()]


@pytest.mark.parametrize('count, lines', [(1, 1), (3, 1), (4, 2), (6, 2)])
def test_every_matrix_has_a_place(count, lines):
  figure = confusion_figure([matrix(3, f'row {k}') for k in range(count)])
  places = [axes.get_subplotspec() for axes in figure.axes[:count]]
  assert len({place.rowspan.start for place in places}) == lines
  assert [axes.get_title() for axes in figure.axes[:count]] == [
    f'row {k}' for k in range(count)
  ]


@pytest.mark.filterwarnings('error')
def test_the_page_is_small_and_shows_odd_names(tmp_path):
  names = [
    '5 $ a $',
    '_x',
    'a rather long name of a class',
    *'abcdefghijklmnopq',
  ]
  shown = [matrix(20, 'a rather long label ' * 4, names)] * 5 + [matrix(200)]
  path = confusion.draw_confusion(tmp_path / 'confusion.png', shown)
  with Image.open(path) as picture:
    assert max(picture.size) <= 1600
  assert path.stat().st_size < 700_000
  axes = confusion_figure(shown[:1]).axes[0]
  FigureCanvasAgg(axes.figure).draw()
  said = [t.get_text() for t in axes.get_yticklabels()]
  assert said[2] == 'a rather long…' and said[0] == r'5 \$ a \$'

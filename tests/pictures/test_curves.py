"""curves.png: the numbers behind the lines, and a picture one can read."""

from unittest import mock

import numpy as np
import PIL.Image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from at_jax.pictures import curves


def _row(label, seeds=2, points=20, terms=('ce', 'at/group1', 'at/group2')):
  epochs = list(np.linspace(0, 200, points)) if points > 1 else [1.0] * points

  def series(seed):
    return epochs, [10.0 / (1 + e) + 1 + 0.1 * seed for e in epochs]

  runs = [series(seed) for seed in range(seeds)]
  return dict(
    label=label, evaluated=runs, train=runs, terms={t: runs for t in terms}
  )


def _texts(figure):
  """Every text that is drawn, with its box in pixels."""
  drawn = {}

  def draw(self, renderer):
    if self.get_visible() and self.get_text().strip():
      drawn[self] = self.get_window_extent(renderer)

  with mock.patch.object(Text, 'draw', draw):
    FigureCanvasAgg(figure).draw()
  return drawn


def _overlaps(figure):
  texts = list(_texts(figure).items())
  return [
    (a.get_text(), b.get_text())
    for i, (a, one) in enumerate(texts)
    for b, two in texts[i + 1 :]
    if one.shrunk(0.98, 0.9).overlaps(two.shrunk(0.98, 0.9))
  ]


def test_error_limit_shows_the_end_not_the_start():
  epochs = np.arange(101.0)
  errors = np.where(epochs < 15, 90, 10.0)
  assert curves.error_limit([(epochs, errors)]) == pytest.approx(10.8)
  assert curves.error_limit([(epochs[:3], errors[:3])]) > 90


def test_error_limit_shows_differences_at_the_end():
  epochs = np.arange(101.0)
  slow = np.where(epochs < 60, 90, 10.0)
  good = np.where(epochs < 60, 90, 8.0)
  assert curves.error_limit([(epochs, slow), (epochs, good)]) == 40
  few = np.asarray([10.0, 20, 30, 40]), np.asarray([80.0, 60, 20, 10])
  assert curves.error_limit([few, (np.zeros(0), np.zeros(0))]) == 40
  started = np.asarray([1.0, 2.0]), np.asarray([90.0, 85.0])
  assert curves.error_limit([few, started]) == pytest.approx(1.08 * 80)
  none = epochs, np.zeros(101)
  assert curves.error_limit([none]) == 0.5


@pytest.mark.parametrize(
  'rows',
  [
    [],
    [_row('alone', points=0, terms=())],
    [_row('alone', seeds=1, points=1)],
    [_row('alone', seeds=1)],
    [_row('alone', terms=('ce',)), _row('at'), _row('x $ y_', points=0)],
    [_row(f'student with a rather long label, number {i}') for i in range(9)],
    [_row(f'WRN-16-{i} F-ActT (WRN-40-{i})', terms=('ce',)) for i in range(16)],
    [_row('all', terms=['ce', 'kd', *(f'at/group{i}' for i in range(7))])],
  ],
  ids=['none', 'empty', 'point', 'seed', 'three', 'nine', 'sixteen', 'terms'],
)
@pytest.mark.filterwarnings('error')
def test_is_readable(rows, tmp_path):
  figure = curves.curves_figure(rows, titles={'ce': 'ce (nats)'})
  assert _overlaps(figure) == []
  width, height = figure.get_size_inches() * figure.dpi
  for text, box in _texts(figure).items():
    inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width
    assert inside and box.y1 <= height, text.get_text()
  path = curves.draw_curves(tmp_path / 'curves.png', rows)
  with PIL.Image.open(path) as picture:
    assert max(picture.size) <= 1600
  assert [p.name for p in tmp_path.iterdir()] == ['curves.png']


def test_says_what_was_measured_and_how_to_tell_the_lines_apart():
  figure = curves.curves_figure([_row('alone')], evaluated='validation')
  words = ' '.join(text.get_text() for text in _texts(figure))
  for word in ('validation (bold)', 'training error (dashed)', 'error (%)'):
    assert word in words
  assert 'median over seeds' in words and 'alone' in words


def test_the_pace_stands_with_the_terms():
  row = _row('alone', terms=('ce', 'at/group1'))
  row['pace'] = {
    'lr': [([1, 2, 3], [0.1, 0.1, 0.0])],
    'images_per_second': [([1, 2], [900.0, 1000.0]), ([1, 2], [700.0, 1200.0])],
  }
  titles = {'lr': 'learning rate', 'images_per_second': 'images/s'}
  figure = curves.curves_figure([row, _row('at', terms=())], titles=titles)
  panels = {axes.get_title(): axes for axes in figure.axes[1:]}
  assert list(panels) == ['ce', 'learning rate', 'images/s', 'at/group1']
  rate, speed = panels['learning rate'], panels['images/s']
  assert rate.get_yscale() == 'log' and speed.get_yscale() == 'linear'
  np.testing.assert_array_equal(rate.get_lines()[0].get_ydata(), [0.1, 0.1])
  np.testing.assert_array_equal(speed.get_lines()[0].get_ydata(), [800, 1100])
  assert speed.get_ylim()[0] == 0


def test_bands_reach_from_the_least_to_the_largest_seed():
  row = _row('alone', seeds=3, points=5, terms=('ce', 'kd'))
  row['terms']['kd'] = row['terms']['kd'][:1]
  row['terms']['ce'] = [([1, 2], [0.0, 1.0]), ([1, 2], [3.0, 2.0])]
  figure = curves.curves_figure([row])
  error, ce, kd = figure.axes
  for axes, low, high in ((error, 1 + 10 / 201, 11.2), (ce, 1.0, 2.0)):
    (band,) = axes.collections
    heights = band.get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([heights.min(), heights.max()], [low, high])
  assert not kd.collections


def test_one_epoch_of_training_is_a_hollow_dot():
  figure = curves.curves_figure([_row('alone', seeds=1, points=1)])
  train, tested = figure.axes[0].get_lines()
  assert train.get_marker() == tested.get_marker() == 'o'
  assert train.get_markerfacecolor() == 'none'
  assert tested.get_markerfacecolor() == tested.get_color()
  assert train.get_markersize() > tested.get_markersize()  # a ring about it
  words = ' '.join(text.get_text() for text in _texts(figure))
  assert (
    'test (filled) and training error (hollow)' in words
    and 'dashed' not in words
  )


@pytest.mark.parametrize('last', [1, 2, 3, 7, 20, 200])
def test_ticks_are_at_whole_epochs(last):
  row = _row('alone')
  epochs = [last * part / 10 for part in range(1, 11)]
  row['evaluated'] = row['train'] = [(epochs, [2.0] * 10)]
  row['terms'] = {'ce': row['train']}
  figure = curves.curves_figure([row])
  FigureCanvasAgg(figure).draw()
  for axes in figure.axes:
    low, high = axes.get_xlim()
    shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert shown and all(tick == round(tick) for tick in shown)


def test_a_part_of_an_epoch_has_ticks_too():
  row = _row('alone')
  row['evaluated'] = row['train'] = [([0.2, 0.4, 0.8], [2.0, 1.5, 1.0])]
  axes = curves.curves_figure([row]).axes[0]
  low, high = axes.get_xlim()
  assert any(low <= tick <= high for tick in axes.get_xticks())


def test_no_points_are_said():
  figure = curves.curves_figure([_row('alone', points=0, terms=())])
  assert 'no points yet' in [text.get_text() for text in _texts(figure)]


def test_terms_of_zero_do_not_break_the_log_axis(tmp_path):
  row = _row('alone', terms=())
  row['terms'] = {'ce': [([0, 1, 2], [1.0, 0.0, np.nan])], 'kd': [([0], [0.0])]}
  figure = curves.curves_figure([row])
  lines = figure.axes[1].get_lines()
  np.testing.assert_array_equal(lines[0].get_ydata(), [1.0])

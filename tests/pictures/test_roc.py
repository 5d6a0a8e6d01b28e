"""roc.png: which lines are drawn, what the legend says, and that it fits."""

import math

import numpy as np
import PIL.Image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from at_jax.pictures import roc

NONE = (np.zeros(0), np.zeros(0))


def curves(label, auroc=0.75, ap=0.5, **changes):
  found = dict(
    label=label,
    roc=([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0]),
    precision_recall=([0.5, 1.0, 1.0], [1.0, 0.5, 0.0]),
    auroc=auroc,
    ap=ap,
  )
  return found | changes


def nothing(label):
  return curves(label, math.nan, math.nan, roc=NONE, precision_recall=NONE)


def legend(figure):
  return [text.get_text() for text in figure.legends[0].get_texts()]


def test_lines_are_the_curves():
  figure = roc.roc_figure([curves('one'), nothing('two')], title='test')
  left, right = figure.axes
  chance, one, two = left.get_lines()
  np.testing.assert_array_equal(one.get_xydata()[2], [0.5, 1.0])
  assert len(two.get_xydata()) == 0
  line = right.get_lines()[0]
  np.testing.assert_array_equal(line.get_xydata()[1], [0.5, 1.0])
  assert line.get_xydata()[0].tolist() == [1.0, 0.5]  # recall, precision
  assert line.get_drawstyle() == 'steps-post'
  assert line.get_color() == one.get_color() != two.get_color()
  assert right.get_xlabel() == 'recall' and right.get_ylabel() == 'precision'


def test_legend_has_the_numbers_and_says_what_there_is_not():
  rows = [curves('one', 0.25, 0.125), nothing('a $ longer'), curves('x')]
  lines = legend(roc.roc_figure(rows))
  assert lines[0].split() == ['one', '0.250', '0.125']
  assert lines[1].split()[-2:] == ['-', '-'] and r'\$' in lines[1]
  assert lines[3].split() == ['mean', '0.500', '0.312']
  assert lines[4] == '(of 2 of 3 classes)'
  assert len({len(x.replace('\\', '')) for x in lines[:4]}) == 1
  assert len(legend(roc.roc_figure(rows[:1]))) == 2
  # All are positive: a precision, but no ROC curve.
  lines = legend(roc.roc_figure([curves('one'), curves('all', math.nan, 1)]))
  assert lines[-1] == '(of 1 and 2 of 2 classes)'
  lines = legend(roc.roc_figure([nothing('one')]))
  assert lines[1].split() == ['mean', '-', '-']


def test_28_classes_are_told_apart():
  figure = roc.roc_figure([curves(f'class {i}') for i in range(28)])
  lines = figure.axes[1].get_lines()
  looks = {(line.get_color(), line.get_linestyle()) for line in lines}
  assert len(looks) == 28


def test_thinned_curves_keep_their_ends_and_their_course():
  x = np.linspace(0, 1, 20_001)
  few, values = roc.thinned(x, np.sqrt(x))
  assert len(few) <= roc.POINTS + 1
  assert (few[0], values[0], few[-1], values[-1]) == (0, 0, 1, 1)
  np.testing.assert_allclose(values, np.sqrt(few))
  assert np.diff(few).max() < 0.02 and np.diff(values).max() < 0.02
  np.testing.assert_array_equal(roc.thinned([0, 1], [3, 4]), [[0, 1], [3, 4]])
  assert len(roc.thinned(*NONE)[0]) == 0


@pytest.mark.parametrize('count', [0, 1, 14, 30])
@pytest.mark.filterwarnings('error')
def test_everything_fits(count, tmp_path):
  rows = [curves(f'Pleural_Thickening {i}') for i in range(count)]
  figure = roc.roc_figure(rows, title='test, 25,596 images')
  canvas = FigureCanvasAgg(figure)
  canvas.draw()
  width, height = canvas.get_width_height()
  boxes = [axes.get_tightbbox() for axes in figure.axes]
  boxes += [x.get_window_extent() for x in figure.legends]
  for i, box in enumerate(boxes):
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    assert not any(box.overlaps(other) for other in boxes[i + 1 :])
  assert boxes[0].width > 300
  path = roc.draw_roc(tmp_path / 'roc.png', rows)
  with PIL.Image.open(path) as picture:
    assert picture.format == 'PNG'

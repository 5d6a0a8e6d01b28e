"""ROC and precision-recall curves, a line for each class."""

import math

import numpy as np

from at_jax.pictures import plain, save_png
from at_jax.pictures.curves import COLOURS

STYLES = ('-', '--', ':', '-.')  # a new one where the colours start again
LINES = 20  # entries in a column of the legend
POINTS = 300  # of a curve; the dashes of one with thousands run together


def draw_roc(path, classes, *, title=''):
  """Draws the ROC curves left, the precision-recall curves right.

  One legend for both, with AUROC and average precision, and their means over
  the classes that have one, or how many have not. A class without curves has
  none drawn, and a dash in the legend.

  Args:
    path: the PNG to write.
    classes: one dict a class: `label`; `roc`, false and true positive rates;
      `precision_recall`, precisions and recalls, in the order of
      `train.metrics`; empty arrays where there is none; `auroc` and `ap`,
      perhaps NaN.
    title: of the whole, such as the number of images.

  Returns:
    The path.
  """
  return save_png(roc_figure(classes, title=title), path)


def roc_figure(classes, *, title=''):
  """The figure of `draw_roc`, not yet written."""
  from matplotlib.figure import Figure

  columns = max(1, math.ceil(len(classes) / LINES))
  widest = max((len(c['label']) for c in classes), default=0)
  figure = Figure(figsize=(9 + columns * (1.9 + 0.085 * widest), 4.6))
  figure.set_layout_engine('constrained', w_pad=0.08, h_pad=0.06)
  left, right = figure.subplots(1, 2)
  left.plot([0, 1], [0, 1], color='0.7', lw=1, ls=(0, (1, 2)))
  for i, found in enumerate(classes):
    look = _look(i)
    left.plot(*thinned(*found['roc']), **look)
    recall, precision = thinned(*found['precision_recall'][::-1])
    # A precision holds for the recalls before it: no slope in between.
    right.plot(recall, precision, drawstyle='steps-post', **look)
  _finish(left, 'ROC', 'false positive rate', 'true positive rate (recall)')
  _finish(right, 'precision-recall', 'recall', 'precision')
  if title:
    figure.suptitle(plain(title), fontsize=11)
  if classes:
    _add_legend(figure, classes, columns)
  return figure


def thinned(x, y):
  """At most about `POINTS` of a curve's points, evenly along its x and y."""
  x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
  if len(x) <= POINTS:
    return x, y
  length = np.abs(np.diff(x)) + np.abs(np.diff(y)).clip(max=1 / POINTS)
  way = np.append(0, np.cumsum(length))
  at = np.linspace(0, way[-1], POINTS)
  kept = np.unique(np.searchsorted(way, at).clip(max=len(x) - 1))
  return x[kept], y[kept]


def legend_line(label, auroc, ap, width=0):
  """A line of the legend, its numbers in columns; a dash for NaN.

  >>> legend_line('Edema', 0.8551, float('nan'), width=8)
  'Edema     0.855      -'
  """
  numbers = ('-' if math.isnan(x) else f'{x:.3f}' for x in (auroc, ap))
  return ' '.join([f'{label:{width}}', *(f'{x:>6}' for x in numbers)])


def _look(i):
  style = STYLES[i // len(COLOURS) % len(STYLES)]
  return dict(color=COLOURS[i % len(COLOURS)], ls=style, lw=1.5)


def _add_legend(figure, classes, columns):
  from matplotlib.lines import Line2D

  means, known = [], []
  for name in ('auroc', 'ap'):
    values = np.array([found[name] for found in classes], np.float64)
    values = values[~np.isnan(values)]
    known.append(len(values))
    means.append(values.mean() if len(values) else math.nan)
  width = max(len(found['label']) for found in classes)
  width = max(width, len('mean'))
  entries = [
    (legend_line(c['label'], c['auroc'], c['ap'], width), _look(i))
    for i, c in enumerate(classes)
  ]
  entries.append((legend_line('mean', *means, width), dict(lw=0)))
  if min(known) < len(classes):
    areas = sorted({*known})
    text = f'(of {" and ".join(map(str, areas))} of {len(classes)} classes)'
    entries.append((text, dict(lw=0)))
  figure.legend(
    handles=[Line2D([], [], label=plain(t), **look) for t, look in entries],
    title=f'{"":{width}}  AUROC     AP' if columns == 1 else 'AUROC, AP',
    loc='outside right center',
    ncols=columns,
    handlelength=3.2,
    prop=dict(family='monospace', size=9),
    title_fontproperties=dict(family='monospace', size=9),
    alignment='right' if columns == 1 else 'center',
    frameon=False,
  )


def _finish(axes, title, x, y):
  axes.set_title(title, fontsize=10)
  axes.set_xlabel(x, fontsize=10)
  axes.set_ylabel(y, fontsize=10)
  axes.set_xlim(-0.01, 1.01)
  axes.set_ylim(-0.01, 1.02)
  axes.set_aspect('equal')
  axes.grid(alpha=0.25, lw=0.6)
  axes.tick_params(labelsize=8)
  axes.spines[['top', 'right']].set_visible(False)

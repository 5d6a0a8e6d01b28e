"""Curves of training: error or AUROC and every term, a colour per row."""

import math

import numpy as np

from at_jax.pictures import plain, save_png
from at_jax.pictures.series import over_seeds, thinned

# Okabe and Ito's palette: told apart by colour-blind readers too. The order
# puts the strongest contrasts first and leaves out yellow, faint on white.
COLOURS = (
  '#000000',
  '#D55E00',
  '#0072B2',
  '#009E73',
  '#CC79A7',
  '#E69F00',
  '#56B4E9',
)
LINEAR = ('images_per_second',)  # panels from 0, all others are logarithmic
MARKERS = ('', 'o', 's', '^', 'D')  # a new one where the colours start again


def draw_curves(path, rows, *, evaluated='test', measure='error', titles=None):
  """Draws the error and the terms of a study against the epoch.

  Left the evaluated (bold) and the training error (dashed), the median over
  seeds with a band from the least to the largest; right one small panel a
  term, on a log axis, then those of the pace. A series is a pair (epochs,
  values); a run that is not finished has shorter ones.

  Args:
    path: the PNG to write.
    rows: one dict a row: `label`; `evaluated` and `train`, lists with a
      series of errors in % for every seed; `terms`, a dict of such lists, and
      perhaps `pace`, another: what is no term, such as `lr`.
    evaluated: what the bold curves were measured on: `test`, `validation`.
    measure: what they are if no errors; then there are none of training.
    titles: a dict from a name in `terms` or `pace` to its panel's title.

  Returns:
    The path.
  """
  figure = curves_figure(
    rows, evaluated=evaluated, measure=measure, titles=titles
  )
  return save_png(figure, path)


def curves_figure(rows, *, evaluated='test', measure='error', titles=None):
  """The figure of `draw_curves`, not yet written."""
  from matplotlib.figure import Figure

  titles = titles or {}
  grid = panel_grid(
    list(dict.fromkeys(t for row in rows for t in row['terms']))
    + list(dict.fromkeys(p for row in rows for p in row.get('pace', ())))
  )
  tall = max(len(grid), 1)
  wide = max((len(line) for line in grid), default=0)
  width = 5.2 + 2.1 * wide
  legend = _legend(rows, width)
  lines = math.ceil(len(rows) / legend['ncols'])
  figure = Figure(figsize=(width, max(4.2, 0.8 + 1.9 * tall) + 0.2 * lines))
  figure.set_layout_engine('constrained', w_pad=0.06, h_pad=0.06)
  cells = figure.add_gridspec(1, 2, width_ratios=[2.4, wide or 1e-3])
  _draw_measure(figure.add_subplot(cells[0]), rows, evaluated, measure)
  bands = cells[1].subgridspec(tall, 1)
  for i, line in enumerate(grid):
    panels = bands[i].subgridspec(1, len(line))
    for j, term in enumerate(line):
      if term is None:
        continue
      axes = figure.add_subplot(panels[j])
      _draw_term(axes, rows, term, titles.get(term, term))
      if i == len(grid) - 1:
        axes.set_xlabel('epoch', fontsize=9)
  figure.legend(**legend)
  return figure


def panel_grid(terms):
  """Places the panels of the terms: whole terms first, then those with taps.

  >>> panel_grid(['ce', 'kd', 'at/group1', 'at/group2'])
  [['ce', 'kd'], ['at/group1', 'at/group2']]

  Returns:
    Lines of terms; a family that needs several lines ends in None.
  """
  families = {'': []}
  for term in terms:
    head = term.split('/')[0] if '/' in term else ''
    families.setdefault(head, []).append(term)
  lines = []
  for family in families.values():
    wide = 4 if len(family) == 4 else 3
    if len(family) > wide:
      family += [None] * (-len(family) % wide)
    lines += [family[i : i + wide] for i in range(0, len(family), wide)]
  return lines


def _look(i, count):
  """Colour and marker of row i; one point alone is a dot."""
  marker = MARKERS[i // len(COLOURS) % len(MARKERS)] or ('o' * (count == 1))
  return dict(
    color=COLOURS[i % len(COLOURS)],
    marker=marker,
    markersize=4,
    markevery=max(1, count // 8),
  )


def _draw_measure(axes, rows, evaluated, measure):
  shown = []
  for i, row in enumerate(rows):
    train = over_seeds([thinned(pair) for pair in row['train']])
    look = _look(i, len(train[0]))
    if len(train[0]) == 1:  # a ring about the dot of the evaluation
      look |= dict(markerfacecolor='none', markersize=8)
    axes.plot(*train[:2], ls='--', lw=1, alpha=0.8, **look)
    tested = over_seeds(row['evaluated'])
    look = _look(i, len(tested[0]))
    if len(tested[0]) <= 30:  # few evaluations: show where they are
      look |= dict(marker=look['marker'] or 'o', markevery=1)
    axes.plot(*tested[:2], lw=2.2, **look)
    _draw_band(axes, i, row['evaluated'], *tested)
    shown += [(train[0], train[1]), (tested[0], tested[3])]
  axes.set_xlabel('epoch', fontsize=10)
  axes.set_ylabel(f'{measure} (%)', fontsize=10)
  errors = measure == 'error'
  dots = max((len(e) for e, _ in shown), default=0) == 1
  bold, dashed = ('filled', 'hollow') if dots else ('bold', 'dashed')
  both = f'{evaluated} ({bold}) and training error ({dashed})'
  title = both if errors else f'{evaluated} {measure}'
  if any(len(row['evaluated']) > 1 for row in rows):
    title += '\nmedian over seeds, band from least to largest'
  axes.set_title(title, fontsize=10)
  _finish(axes, any(len(e) for e, _ in shown))
  if errors and any(len(e) for e, _ in shown):
    axes.set_ylim(0, error_limit(shown))


def _draw_band(axes, i, series, epochs, _, least, largest):
  """From the least to the largest, where row i has several seeds."""
  if sum(len(pair[0]) > 0 for pair in series) > 1:
    colour = COLOURS[i % len(COLOURS)]
    axes.fill_between(epochs, least, largest, color=colour, alpha=0.15, lw=0)


def error_limit(shown):
  """The upper end of the error axis, in %.

  The start of a long training (errors of guessing) may leave the frame, so
  that the differences between rows at its end can be seen: its first fifth,
  and what is above four times the largest error that a row ends with.

  Args:
    shown: a list of (epochs, errors), arrays.
  """
  shown = [(e, v) for e, v in shown if len(e)]
  last = max(e[-1] for e, _ in shown)
  if last <= 10:
    return max(1.08 * max(v.max() for _, v in shown), 0.5)
  late = max(v[e >= last / 5].max(initial=0) for e, v in shown)
  return max(min(1.08 * late, 4 * max(v[-1] for _, v in shown)), 0.5)


def _draw_term(axes, rows, term, title):
  drawn = False
  for i, row in enumerate(rows):
    found = row['terms'] | row.get('pace', {})
    series = [thinned(pair) for pair in found.get(term, ())]
    found = np.stack(over_seeds(series))
    found = found[:, found[2] > 0]  # a log axis has no place for 0
    axes.plot(*found[:2], lw=1.4, **_look(i, found.shape[1]))
    _draw_band(axes, i, series, *found)
    drawn = drawn or found.size
  axes.set_title(plain(title), fontsize=9)
  _finish(axes, drawn)
  if drawn and term in LINEAR:
    axes.set_ylim(bottom=0)
  elif drawn:
    axes.set_yscale('log')
    _label_log_axis(axes)


def _label_log_axis(axes):
  """Numbers on a log axis, also where it spans less than a power of ten."""
  from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

  low, high = axes.get_ylim()
  decades = math.log10(high / low)
  subs = (1, 2, 5) if decades < 2 else (1,)
  if decades < 0.4:
    subs = tuple(np.arange(10, 100, 10 if decades > 0.2 else 5) / 10)
  axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=6))
  axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f'{x:.3g}'))
  axes.yaxis.set_minor_formatter(NullFormatter())


def _finish(axes, drawn):
  axes.grid(alpha=0.25, lw=0.6)
  axes.tick_params(labelsize=8)
  axes.spines[['top', 'right']].set_visible(False)
  if not drawn:
    axes.text(
      0.5,
      0.5,
      'no points yet',
      transform=axes.transAxes,
      ha='center',
      color='0.4',
      fontsize=10,
    )
    axes.set_xticks([])
    axes.set_yticks([])
    return
  # Whole epochs, where one is in view.
  axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def _legend(rows, width):
  """The legend's keyword arguments: as many columns as its labels allow."""
  from matplotlib.lines import Line2D

  size = 10 if len(rows) <= 7 else 8
  handles = [
    Line2D([], [], lw=2.2, label=plain(row['label']), **_look(i, 2))
    for i, row in enumerate(rows)
  ]
  widest = max((len(handle.get_label()) for handle in handles), default=0)
  # Inches: a letter, and the line with the gaps about it, are in proportion.
  room = max(1, int((width - 0.3) / (size * (0.008 * widest + 0.07))))
  lines = max(1, math.ceil(len(handles) / room))
  return dict(
    handles=handles,
    loc='outside lower center',
    ncols=max(1, math.ceil(len(handles) / lines)),
    fontsize=size,
    frameon=False,
  )

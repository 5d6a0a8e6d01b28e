"""Runs on data with several labels an image: classes, boxes, ROC curves."""

import numpy as np

from at_jax.pictures import roc
from at_jax.pictures.text import markdown
from at_jax.report import masks
from at_jax.report.files import first_arrays, is_number
from at_jax.train.metrics import (
  auroc,
  average_precision,
  precision_recall_curve,
  roc_curve,
)

NONE = '–'
CLASSES = (
  'AUROC: the chance that an image with the class has a larger score than one '
  'without it; 50 % by chance. AP, average precision: by chance the share of '
  'positives, so that sets with other shares do not compare. Both of the whole '
  'test set at once, medians over seeds; a class that lacks positives (AUROC: '
  'or negatives) has none and is left out of the mean. The interval holds 95 % '
  'of 1,000 resamples of the test set, by patient where patients are known; it '
  'is that of one run, the lowest seed, and says nothing of other seeds.'
)
BOXES = (
  'The attention map of a class against the boxes of that class alone, means '
  'over the pairs of an image and a class that have a box, medians over seeds. '
  'Peak: how many maps have their largest cell in a box, by chance as many as '
  'the boxes cover of an image. IoU and IoBB: of the cells of at least half '
  'the largest with the boxes, as parts of both together and of the cells.'
)
COLUMNS = {
  'pairs': ('pairs', '{:,.0f}'),
  'area': ('boxes cover %', '{:.1f}'),
  'pointing': ('peak in the box %', '{:.1f}'),
  'iou': ('IoU %', '{:.1f}'),
  'iobb': ('IoBB %', '{:.1f}'),
}


def summary(row):
  """What `table.summarise` has of such a row besides; {} of any other.

  Args:
    row: a `read.Row`.

  Returns:
    {'auroc': {class: median over runs}, 'ap': likewise, 'positives': {class:
    how many}, 'mean_ap': median, 'interval': {'seed', 'low', 'high'} of the
    lowest seed or None, 'class_intervals': {class: likewise},
    'class_localisation': medians, see
    `MultiLabelEvaluation`, or None}. Classes without a number are missing.
  """
  classes = masks.medians(row, 'test_class_auroc')
  if classes is None:
    return {}
  found = [run.result.get('test_ap') for run in row.runs.values() if run.result]
  found = [value for value in found if is_number(value)]
  return {
    'auroc': classes,
    'ap': masks.medians(row, 'test_class_ap') or {},
    'positives': masks.medians(row, 'test_class_positives') or {},
    'mean_ap': float(np.median(found)) if found else None,
    'interval': _interval(row),
    'class_intervals': _class_intervals(row),
    'class_localisation': masks.medians(row, 'class_localisation'),
  }


def section(study, rows, out):
  """The text of the section, '' without such rows; pictures go to `out`.

  Args:
    study: a `read.Study`; what is left out is said in its notes.
    rows: what `table.summarise` returned for it.
    out: a folder.
  """
  rows = {key: row for key, row in rows.items() if row.get('positives')}
  if not rows:
    return ''
  parts = ['## Classes', _table(rows, 'auroc'), _table(rows, 'ap'), CLASSES]
  for key, row in rows.items():
    name = f'roc_{key}.png'
    seed = _draw(study, key, list(row['positives']), out / name)
    if seed is not None:
      title = f'ROC and precision-recall curves of {row["label"]}, seed {seed}'
      parts.append(f'{title}:\n\n![{title}]({name})')
  lines = [['', 'map', *(title for title, _ in COLUMNS.values())]]
  for row in rows.values():
    for place, found in (row['class_localisation'] or {}).items():
      cells = (
        form.format(found[name]) if name in found else NONE
        for name, (_, form) in COLUMNS.items()
      )
      lines.append([row['label'], place, *cells])
  if lines[1:]:
    parts += ['## In the boxes of each class', markdown(lines), BOXES]
  return '\n\n'.join(parts)


def _table(rows, name):
  """The table of one measure: a line a class, a column a row of the study."""
  labels = [row['label'] for row in rows.values()]
  title = 'AUROC' if name == 'auroc' else 'AP'
  first = next(iter(rows.values()))
  own = first['class_intervals'] if name == 'auroc' and len(rows) == 1 else {}
  lines = [[f'{title} %, median', 'positives', *labels]]
  lines[0] += ['95 % interval of one run'] * bool(own)
  for class_, positives in first['positives'].items():
    found = [_number(row[name].get(class_)) for row in rows.values()]
    found += [_ends(own.get(class_))] if own else []
    lines.append([class_, f'{positives:,.0f}', *found])
  mean = 'median' if name == 'auroc' else 'mean_ap'
  means = [_number(row[mean]) for row in rows.values()]
  means += [_ends(first['interval'])] if own else []
  lines.append(['**mean over classes**', '', *means])
  if name == 'auroc' and not own:
    intervals = [_ends(row['interval']) for row in rows.values()]
    lines.append(['95 % interval of one run', '', *intervals])
  return markdown(lines)


def _interval(row):
  """That of the lowest seed which has one; None for none."""
  for seed, run in sorted(row.runs.items()):
    found = _pair(seed, (run.result or {}).get('test_auroc_interval'))
    if found:
      return found
  return None


def _class_intervals(row):
  """{class: interval} of the lowest seed which has some."""
  for seed, run in sorted(row.runs.items()):
    found = (run.result or {}).get('test_class_auroc_interval')
    if isinstance(found, dict):
      return {name: _pair(seed, ends) for name, ends in found.items()}
  return {}


def _pair(seed, ends):
  if isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends)):
    return dict(seed=seed, low=ends[0], high=ends[1])
  return None


def _ends(found):
  if found is None:
    return NONE
  return f'{found["low"]:.2f} to {found["high"]:.2f} (seed {found["seed"]})'


def _number(value):
  return NONE if value is None else f'{value:.2f}'


def _draw(study, key, names, path):
  """Draws the curves of a row's lowest seed that has scores; that seed."""

  def curves(arrays):
    found = _curves(names, arrays['logits'], arrays['labels'])
    return found, len(arrays['labels'])

  row = study.rows[key]
  done = {seed: run for seed, run in row.runs.items() if run.result}
  seed, drawn = first_arrays(done, 'scores.npz', curves, study.notes)
  if drawn:
    found, count = drawn
    title = f'{row.label}, seed {seed}, {count:,} images'
    roc.draw_roc(path, found, title=title)
  return seed


def _curves(names, logits, labels):
  """What `draw_roc` draws; ValueError where scores and names do not fit."""
  areas = auroc(logits, labels), average_precision(logits, labels)
  return [
    dict(
      label=name,
      roc=roc_curve(score, label)[:2],
      precision_recall=precision_recall_curve(score, label)[:2],
      auroc=area,
      ap=ap,
    )
    for name, score, label, area, ap in zip(
      names, logits.T, labels.T, *areas, strict=True
    )
  ]

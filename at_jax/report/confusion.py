"""Which classes were taken for which, of runs with one label an image."""

import numpy as np

from at_jax.pictures import confusion
from at_jax.pictures.text import literal, markdown
from at_jax.report import kept
from at_jax.report.files import first_arrays

DRAWN = 200  # classes: cells of more could not be seen
PAIRS = 10
PICTURE = (
  '![What the images of each class were taken for](confusion.png)\n\nA line is '
  'a true class, a column what its test images were taken for, in percent of '
  'them; what is right stands on the diagonal.'
)
LIST = (
  'The most frequent mistakes, true → predicted: how many test images of the '
  'true class.'
)


def section(study, rows, out):
  """The text of the section, '' where no run kept predictions.

  Args:
    study: a `read.Study`; what is left out is said in its notes.
    rows: what `table.summarise` returned for it.
    out: a folder, for confusion.png.
  """
  matrices, lists = [], {}
  for key in kept.shown_rows(study, rows):
    runs = study.rows[key].runs
    seed, found = first_arrays(runs, 'predictions.npz', _read, study.notes)
    if not found:
      continue
    labels, predictions, names = found
    title = f'{rows[key]["label"]}, seed {seed}'
    lists[title] = _pairs(labels, predictions, names)
    if len(names) <= DRAWN:
      counts = confusion.confusion_matrix(labels, predictions, len(names))
      matrices.append(confusion.Matrix(title, counts, names))
  if not lists:
    return ''
  parts = ['## Confusion']
  if matrices:
    confusion.draw_confusion(out / 'confusion.png', matrices)
    parts.append(PICTURE)
  longest = max(map(len, lists.values()))
  if longest:
    lines = [[*lists]] + [
      [own[i] if i < len(own) else '' for own in lists.values()]
      for i in range(longest)
    ]
    parts += [LIST, markdown(lines)]
  else:
    parts.append('No test image was taken for another class.')
  if len(rows) > kept.ROWS:
    parts.append(
      f'Of {len(rows)} rows at most {kept.ROWS} are shown: the baseline and '
      'those of the lowest errors.'
    )
  return '\n\n'.join(parts)


def most_confused(labels, predictions, count=PAIRS):
  """The most frequent pairs of a true class and another, predicted one.

  Args:
    labels: int `[N]`.
    predictions: int `[N]`.
    count: at most so many pairs.

  Returns:
    [(true, predicted, how often)], the most frequent first; of equally frequent
    ones that of the lower classes.

  Example:
    >>> most_confused([0, 2, 2, 1], [1, 0, 0, 1])
    [(2, 0, 2), (0, 1, 1)]
  """
  both = np.stack([labels, predictions], axis=1)
  wrong = both[both[:, 0] != both[:, 1]]
  pairs, times = np.unique(wrong, axis=0, return_counts=True)
  order = np.argsort(-times, kind='stable')[:count]
  return [(*map(int, pairs[k]), int(times[k])) for k in order]


def _pairs(labels, predictions, names):
  of = np.bincount(labels)
  return [
    f'{literal(names[true])} → {literal(names[taken])}: {times:,} of '
    f'{of[true]:,}'
    for true, taken, times in most_confused(labels, predictions)
  ]


def _read(arrays):
  """(labels, predictions, names of classes), or an error of `files.DAMAGE`."""
  kept.check_classes(arrays)
  names = [str(name) for name in arrays['class_names']]
  return arrays['labels'], arrays['predictions'], names

"""What finished runs kept of their test set: which is shown, and checked."""

ROWS = 6


def shown_rows(study, rows):
  """The keys of at most six rows: the baseline and those with the best errors.

  Args:
    study: a `read.Study`.
    rows: what `table.summarise` returned for it.
  """

  def rank(key):
    median = rows[key]['median']
    return key != study.baseline, median is None, median or 0

  best = sorted(rows, key=rank)[:ROWS]
  return [key for key in rows if key in best]


def check_classes(arrays):
  """ValueError unless labels, predictions and names of classes fit together."""
  pair = arrays['labels'], arrays['predictions']
  classes = len(arrays['class_names'])
  shapes = {x.shape for x in (*pair, arrays['probabilities'])}
  if len(shapes) > 1 or pair[0].ndim != 1 or not len(pair[0]):
    raise ValueError(f'[n] three times is wanted, n > 0, got {shapes}.')
  for x in pair:
    if x.dtype.kind not in 'iu' or x.min() < 0 or x.max() >= classes:
      raise ValueError(f'Classes 0 to {classes - 1} are wanted, got {x}.')

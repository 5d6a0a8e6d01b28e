"""Series of (epochs, values): over seeds, and thinned for drawing."""

import numpy as np

POINTS = 120  # a training curve of more points is averaged down to these


def over_seeds(series):
  """Median, least and largest over seeds of series of different lengths.

  Args:
    series: a list of (epochs, values), one a seed. Seeds logged at different
      epochs are read off between their own points, never outside of them.

  Returns:
    epochs, median, least, largest: arrays of one length, perhaps 0.
  """
  series = [_finite(*pair) for pair in series]
  series = [pair for pair in series if len(pair[0])]
  if not series:
    return (np.zeros(0),) * 4
  epochs = np.unique(np.concatenate([e for e, _ in series]))
  table = np.stack(
    [np.interp(epochs, e, v, left=np.nan, right=np.nan) for e, v in series]
  )
  return (
    epochs,
    np.nanmedian(table, 0),
    np.nanmin(table, 0),
    np.nanmax(table, 0),
  )


def thinned(series, points=POINTS):
  """Averages a series of more than `points` within equal parts of its span."""
  epochs, values = _finite(*series)
  if len(epochs) <= points:
    return epochs, values
  edges = np.linspace(epochs[0], epochs[-1], points + 1)
  part = np.clip(np.searchsorted(edges, epochs, 'left') - 1, 0, points - 1)
  count = np.bincount(part, minlength=points)
  filled = count > 0
  return tuple(
    np.bincount(part, weights=x, minlength=points)[filled] / count[filled]
    for x in (epochs, values)
  )


def _finite(epochs, values):
  epochs = np.round(np.asarray(epochs, np.float64), 6)
  values = np.asarray(values, np.float64)
  order = np.argsort(epochs, kind='stable')
  order = order[np.isfinite(values[order])]
  return epochs[order], values[order]

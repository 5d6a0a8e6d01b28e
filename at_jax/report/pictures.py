"""From a study to its two pictures: what of a workdir is drawn, and how."""

import numpy as np

from at_jax.pictures import attention, curves
from at_jax.pictures.text import label_name
from at_jax.report import columns
from at_jax.train.headline import ERROR

TERMS = (
  'ce',
  'kd',
  'at',
  'activation',
  'grad_at',
  'min_l2',
  'symmetry',
  'distil',
)
PACE = ('lr', 'images_per_second')
TITLES = {
  'ce': 'ce (nats)',
  'kd': 'kd (nats × T²)',
  'distil': 'distil (nats)',
  'lr': 'learning rate',
  'images_per_second': 'images/s',
}
PANELS = 9  # more taps than fit are averaged by their group
BANDS = 4
GRADIENT = 'input gradient'  # a tap of its own kind
CROWDED = 12  # columns of maps: so many, or so many bands, show fewer images


def draw_curves(study, path):
  """Draws curves.png. Returns what the bold curves were measured on."""
  rows, measured, headline = [], set(), study.headline
  names = [name for row in study.rows.values() for name in _terms(row)]
  folded = len(set(names)) > PANELS
  for row in study.rows.values():
    runs = list(row.runs.values())
    found = [_evaluated(run, headline) for run in runs]
    measured |= {name for name, _ in found if name}
    rows.append(
      dict(
        label=row.label,
        evaluated=[series for _, series in found],
        train=_series(runs, 'train_error') if headline == ERROR else [],
        terms=_fold(runs, _terms(row), folded),
        pace={name: s for name in PACE if (s := _series(runs, name))},
      )
    )
  if not measured:
    held_out = (study.config.get('data') or {}).get('validation')
    measured = {'validation' if held_out else 'test'}
  evaluated = ' or '.join(sorted(measured))
  curves.draw_curves(
    path, rows, evaluated=evaluated, measure=headline.label, titles=TITLES
  )
  return evaluated


def draw_attention(study, path):
  """Draws attention.png from the lowest seed that has maps.

  Returns:
    A list of sentences on what is shown; None where there is nothing to draw.
  """
  seed, found = columns.lowest_seed_with_maps(study)
  if not found:
    return None
  groups = columns.by_teacher(study, seed, found)
  drawn = columns.columns(study, groups)
  taps = _taps(found)
  shown = _last_of_each_group(taps)
  arrays = next(iter(found.values()))
  attention.draw_attention(
    path,
    arrays['images'],
    _class_names(arrays),
    shown,
    drawn,
    shown=4 if len(shown) < BANDS and len(drawn) < CROWDED else 3,
  )
  said = columns.explain(study, seed, groups)
  if GRADIENT in shown:
    said.append(
      'The input gradient is that of the cross-entropy with the true class, '
      'here summed over colours: brighter red pixels would raise it, brighter '
      'blue ones lower it.'
    )
  lacking = [
    row.label
    for key, row in study.rows.items()
    if not columns.maps_of(found.get(key, {}), 'after')
  ]
  if lacking:
    said.append(f'No maps yet of: {"; ".join(lacking)}.')
  if len(shown) < len(taps):
    said.append(f'Of {len(taps)} taps the last of each group is shown.')
  return said


def _terms(row):
  """The unscaled terms that a row logged, each tap instead of their sum."""
  names = list(
    dict.fromkeys(n for run in row.runs.values() for n in run.series)
  )
  known = {*TERMS, *(n[7:] for n in names if n.startswith('weight/'))}
  terms = [n for n in names if n.split('/')[0] in known]
  terms = [n for n in terms if not any(t.startswith(n + '/') for t in terms)]
  return terms or [n for n in names if n == 'loss']


def _series(runs, name):
  return [run.series[name] for run in runs if name in run.series]


def _fold(runs, terms, folded):
  """A dict from a term to one series a run; taps averaged where folded."""
  groups = {}
  for term in terms:
    name = '/'.join(term.split('/')[:2]) if folded else term
    groups.setdefault(name, []).append(term)
  return {
    name: [
      series
      for run in runs
      if (
        series := _mean_series([s for t in members if (s := run.series.get(t))])
      )
    ]
    for name, members in groups.items()
  }


def _mean_series(members):
  if len(members) < 2:
    return members[0] if members else None
  count = min(len(epochs) for epochs, _ in members)
  values = np.mean([v[:count] for _, v in members], axis=0)
  return members[0][0][:count], list(values)


def _evaluated(run, headline):
  """What a run's curve was measured on, and the curve."""
  for name in ('validation', 'test'):
    if headline.entry(name) in run.series:
      return name, run.series[headline.entry(name)]
  return '', ([], [])


def _taps(found):
  """The names of the students' maps, in order."""
  students = [
    columns.maps_of(arrays, of)
    for arrays in found.values()
    for of in ('before', 'after')
  ]
  return list(dict.fromkeys(tap for maps in students for tap in maps))


def _class_names(arrays):
  names = arrays.get('class_names', ())
  return [label_name(label, names) for label in arrays['labels']]


def _last_of_each_group(taps):
  if len(taps) <= BANDS:
    return taps
  gradient = [tap for tap in taps if tap == GRADIENT]
  groups = {tap.split('/')[0]: tap for tap in taps if tap != GRADIENT}
  return list(groups.values())[len(gradient) - BANDS :] + gradient

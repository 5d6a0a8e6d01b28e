"""From a study to its two pictures: what of a workdir is drawn, and how."""

import zipfile

import numpy as np

from at_jax.pictures import attention, curves

TERMS = ('ce', 'kd', 'at', 'activation', 'grad_at', 'min_l2', 'symmetry')
UNITS = {'ce': 'ce (nats)', 'kd': 'kd (nats × T²)'}
PANELS = 9  # more taps than fit are averaged by their group
BANDS = 4
DAMAGE = (OSError, EOFError, LookupError, TypeError, ValueError)


def draw_curves(study, path):
  """Draws curves.png. Returns what the bold curves were measured on."""
  rows, measured = [], set()
  names = [name for row in study.rows.values() for name in _terms(row)]
  folded = len(set(names)) > PANELS
  for row in study.rows.values():
    runs = list(row.runs.values())
    found = [_evaluated(run) for run in runs]
    measured |= {name for name, _ in found if name}
    rows.append(
      dict(
        label=row.label,
        evaluated=[series for _, series in found],
        train=_series(runs, 'train_error'),
        terms=_fold(runs, _terms(row), folded),
      )
    )
  if not measured:
    held_out = (study.config.get('data') or {}).get('validation')
    measured = {'validation' if held_out else 'test'}
  evaluated = ' or '.join(sorted(measured))
  curves.draw_curves(path, rows, evaluated=evaluated, titles=UNITS)
  return evaluated


def draw_attention(study, path):
  """Draws attention.png from the lowest seed that has maps.

  Returns:
    A list of sentences on what is shown; None where there is nothing to draw.
  """
  seed, found = _lowest_seed_with_maps(study)
  if not found:
    return None
  first, arrays = next(iter(found.items()))
  teacher = next((t for a in found.values() if (t := _maps(a, 'teacher'))), {})
  students = [('untrained student', _maps(arrays, 'before'))]
  students += [
    (study.rows[key].label, after)
    for key, a in found.items()
    if (after := _maps(a, 'after'))
  ]
  taps = list(dict.fromkeys(t for _, maps in students for t in maps))
  shown = _last_of_each_group(taps)
  attention.draw_attention(
    path,
    arrays['images'],
    _class_names(arrays),
    shown,
    teacher,
    students,
    shown=4 if len(shown) < BANDS else 3,
  )
  said = [
    f'Seed {seed}; the untrained student is that of the row '
    f'"{study.rows[first].label}".'
  ]
  drawn = [label for label, _ in students]
  lacking = [r.label for r in study.rows.values() if r.label not in drawn]
  if lacking:
    said.append(f'No maps yet of: {"; ".join(lacking)}.')
  if len(shown) < len(taps):
    said.append(f'Of {len(taps)} taps the last of each group is shown.')
  return said


def _lowest_seed_with_maps(study):
  """The seed and, of every row that shows the same images, its arrays."""
  seeds = sorted({s for row in study.rows.values() for s in row.runs})
  for seed in seeds:
    found = {}
    for key, row in study.rows.items():
      arrays = _read_arrays(row.runs.get(seed), study.notes)
      if arrays is not None:
        first = next(iter(found.values()), arrays)
        if np.array_equal(arrays['images'], first['images']):
          found[key] = arrays
        else:
          study.notes.append(f'{key}/seed{seed} shows other images: left out.')
    if found:
      return seed, found
  return None, {}


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


def _evaluated(run):
  """What a run's curve was measured on, and the curve."""
  for name in ('validation', 'test'):
    if f'{name}_error' in run.series:
      return name, run.series[f'{name}_error']
  return '', ([], [])


def _read_arrays(run, notes):
  """The arrays of attention.npz; None where it is missing or damaged."""
  if run is None:
    return None
  path = run.folder / 'attention.npz'
  try:
    with path.open('rb') as file:
      arrays = dict(np.load(file))
    if len(arrays['images']) and _maps(arrays, 'before'):
      return arrays
  except FileNotFoundError:
    return None
  except (*DAMAGE, zipfile.BadZipFile):
    pass
  where = '/'.join(path.parts[-3:])
  notes.append(f'{where} is damaged or half-written and left out.')
  return None


def _maps(arrays, of):
  return {
    name[len(of) + 1 :]: value
    for name, value in arrays.items()
    if name.startswith(of + '/')
  }


def _class_names(arrays):
  labels = [int(label) for label in arrays['labels']]
  names = [str(name) for name in arrays.get('class_names', ())]
  return [names[k] if k < len(names) else str(k) for k in labels]


def _last_of_each_group(taps):
  if len(taps) <= BANDS:
    return taps
  return list({tap.split('/')[0]: tap for tap in taps}.values())[-BANDS:]

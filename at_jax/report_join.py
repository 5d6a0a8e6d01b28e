"""Several workdirs as one study: one teacher, one data set, or a refusal."""

import dataclasses
import itertools
import json
import math


def join(studies):
  """Joins the rows and seeds of workdirs, for instance of several machines.

  The rows of plain configs, which all have the key `main`, become rows of
  their own where the configs differ.

  Args:
    studies: a list of `report_read.Study`, at least one.

  Returns:
    A `Study`; that of the first workdir with the rows of all.

  Raises:
    ValueError: two workdirs do not belong into one table.
  """
  if len(studies) == 1:
    return studies[0]
  for a, b in itertools.combinations(studies, 2):
    _check_pair(a, b)
  studies = _named_apart(studies)
  rows = {}
  for study in studies:
    for key, row in study.rows.items():
      rows[key] = _merged(rows[key], row) if key in rows else row
  baselines = [s.baseline for s in studies if s.baseline in rows]
  return dataclasses.replace(
    studies[0],
    teacher=next((s.teacher for s in studies if s.teacher), None),
    rows=rows,
    baseline=next(iter(baselines), ''),
    notes=[f'{s.folder.name}: {note}' for s in studies for note in s.notes],
  )


def teacher_hash(study):
  """The hash of the teacher's weights, '' where there is none yet."""
  if study.teacher and study.teacher.get('hash'):
    return str(study.teacher['hash'])
  return _first(study, 'teacher_hash')


def data_fingerprint(study):
  """The fingerprint of the data, '' where it is not known yet."""
  known = study.about.get('data_fingerprint')
  return str(known or _first(study, 'data_fingerprint'))


def _first(study, name):
  results = [
    run.result for row in study.rows.values() for run in row.runs.values()
  ]
  return next((str(r[name]) for r in results if r and r.get(name)), '')


def _check_pair(a, b):
  for what, of, way_out in (
    (
      'teachers',
      teacher_hash,
      'Put the workdirs in one folder, beside one teachers/, and train the '
      'students of one of them again',
    ),
    ('data', data_fingerprint, 'Train both on the same data'),
  ):
    one, two = of(a), of(b)
    if one and two and one != two:
      raise ValueError(
        f'{a.folder} and {b.folder} do not belong into one table: their '
        f'{what} differ ({one} and {two}). {way_out}, or report each alone.'
      )


def _named_apart(studies):
  """Gives rows of plain configs their config's name, where names differ."""
  plain = [s for s in studies if not s.config.get('rows')]
  if len({s.name for s in plain}) + (len(plain) < len(studies)) < 2:
    return studies
  labels = [row.label for s in plain for row in s.rows.values()]
  named = []
  for study in studies:
    if study in plain:
      (row,) = study.rows.values()
      unique = len({s.name for s in plain}) == 1 or labels.count(row.label) == 1
      label = row.label if unique else study.name
      row = dataclasses.replace(row, key=study.name, label=label)
      study = dataclasses.replace(study, rows={row.key: row})
    named.append(study)
  return named


def _merged(one, two):
  """One row of two: all seeds of both."""
  folders = [next(iter(row.runs.values()), None) for row in (one, two)]
  differing = [k for k in one.settings if one.settings[k] != two.settings[k]]
  if differing and all(folders):
    name = differing[0]
    raise ValueError(
      f'Row {one.key!r} of {folders[0].folder.parents[1]} and of '
      f'{folders[1].folder.parents[1]} are not the same row: {name!r} is '
      f'{json.dumps(one.settings[name])} and {json.dumps(two.settings[name])}. '
      'Report each workdir alone, or name the rows differently.'
    )
  runs = dict(one.runs)
  for seed, run in two.runs.items():
    runs[seed] = (
      _further(one.key, seed, runs[seed], run) if seed in runs else run
    )
  return dataclasses.replace(
    one,
    paper=one.paper or two.paper,
    seeds=one.seeds | two.seeds,
    runs=dict(sorted(runs.items())),
  )


def _further(key, seed, one, two):
  """The finished one of two runs of one row and seed, or the longer."""
  if one.result and two.result:
    errors = one.result['test_error'], two.result['test_error']
    if not math.isclose(*errors, rel_tol=0, abs_tol=1e-9):
      raise ValueError(
        f'{one.folder} and {two.folder} are both row {key!r} with seed {seed} '
        f'and differ: test error {errors[0]} % and {errors[1]} %. Leave one '
        'of the two workdirs out.'
      )
  if bool(one.result) != bool(two.result):
    return one if one.result else two
  return one if (one.epoch or 0) >= (two.epoch or 0) else two

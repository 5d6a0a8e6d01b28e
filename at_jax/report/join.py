"""Several workdirs as one study: the same data and teachers, or a refusal."""

import dataclasses
import itertools
import json
import math

from at_jax.report import teachers


def join(studies):
  """Joins the rows and seeds of workdirs, for instance of several machines.

  The rows of plain configs, which all have the key `main`, become rows of
  their own where the configs differ.

  Args:
    studies: a list of `read.Study`, at least one.

  Returns:
    A `Study`; that of the first workdir with the rows of all.

  Raises:
    ValueError: two workdirs do not belong into one table.
  """
  if len(studies) == 1:
    return studies[0]
  studies = _named_apart(studies)
  for a, b in itertools.combinations(studies, 2):
    _check_pair(a, b)
  rows = {}
  for study in studies:
    for key, row in study.rows.items():
      rows[key] = _merged(rows[key], row) if key in rows else row
  baselines = [s.baseline for s in studies if s.baseline in rows]
  return dataclasses.replace(
    studies[0],
    teachers=teachers.unite(studies),
    awaits_teacher=any(s.awaits_teacher for s in studies),
    rows=rows,
    baseline=next(iter(baselines), ''),
    notes=[f'{s.folder.name}: {note}' for s in studies for note in s.notes],
  )


def data_fingerprint(study):
  """The fingerprint of the data, '' where it is not known yet."""
  known = [study.about] + [
    run.result
    for row in study.rows.values()
    for run in row.runs.values()
    if run.result
  ]
  found = (about.get('data_fingerprint') for about in known)
  return next((str(fingerprint) for fingerprint in found if fingerprint), '')


def _check_pair(a, b):
  one, two = data_fingerprint(a), data_fingerprint(b)
  if one and two and one != two:
    _refuse(
      a, b, f'data differ ({one} and {two})', 'Train both on the same data'
    )
  one, two = a.known_headline, b.known_headline
  if one and two and one != two:
    _refuse(
      a,
      b,
      f'labels differ: test {one.label} and test {two.label} do not compare',
      'Train both on data of one kind',
    )
  if differing := teachers.conflict(a, b):
    one, two, what = differing
    _refuse(
      a,
      b,
      f'teachers differ ({one} and {two}): {what}',
      'Put the workdirs in one folder, beside one teachers/, and train the '
      'students of one of them again',
    )


def _refuse(a, b, what, way_out):
  raise ValueError(
    f'{a.folder} and {b.folder} do not belong into one table: their {what}. '
    f'{way_out}, or report each alone.'
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
      taught = [
        t
        | dict(
          rows=[study.name if key == row.key else key for key in t['rows']]
        )
        for t in study.teachers
      ]
      row = dataclasses.replace(row, key=study.name, label=label)
      study = dataclasses.replace(study, rows={row.key: row}, teachers=taught)
    named.append(study)
  return named


def _merged(one, two):
  """One row of two: all seeds of both."""
  folders = [next(iter(row.runs.values()), None) for row in (one, two)]
  differing = [
    name
    for name in one.settings | two.settings
    if one.settings.get(name) != two.settings.get(name)
  ]
  if differing and all(folders):
    name = differing[0]
    raise ValueError(
      f'Row {one.key!r} of {folders[0].folder.parents[1]} and of '
      f'{folders[1].folder.parents[1]} are not the same row: {name!r} is '
      f'{json.dumps(one.settings.get(name))} and '
      f'{json.dumps(two.settings.get(name))}. '
      'Report each workdir alone, or name the rows differently.'
    )
  runs = dict(one.runs)
  for seed, run in two.runs.items():
    runs[seed] = (
      _further(one.key, seed, runs[seed], run) if seed in runs else run
    )
  return dataclasses.replace(
    one,
    baseline=one.baseline or two.baseline,
    paper=one.paper or two.paper,
    seeds=one.seeds | two.seeds,
    runs=dict(sorted(runs.items())),
  )


def _further(key, seed, one, two):
  """The finished one of two runs of one row and seed, or the longer."""
  if one.result and two.result:
    headline = one.headline  # of both, or they would not be joined
    found = [run.result[headline.entry('test')] for run in (one, two)]
    if not math.isclose(*found, rel_tol=0, abs_tol=1e-9):
      raise ValueError(
        f'{one.folder} and {two.folder} are both row {key!r} with seed {seed} '
        f'and differ: test {headline.label} {found[0]} % and {found[1]} %. '
        'Leave one of the two workdirs out.'
      )
  if bool(one.result) != bool(two.result):
    return one if one.result else two
  return one if (one.epoch or 0) >= (two.epoch or 0) else two

"""The teachers of a study, and which row learned from which of them.

A teacher is its weights, known by their hash. teachers.json lists those of a
workdir with the rows that they teach; every run's result.json says the hash of
the weights that it did learn from.
"""

from at_jax.report.files import is_number, read_json

NUMBERS = ('test_error', 'parameters')
OPTIONAL = ('test_top5_error',)


def read_teachers(folder, notes):
  """The entries of teachers.json.

  Args:
    folder: the workdir.
    notes: a list; what is damaged is said in it.

  Returns:
    A list of dicts: `label`, `folder`, `hash`, `test_error` and `parameters`
    (None where not known), `rows`, perhaps `test_top5_error` and
    `localisation`; None where there is no such file yet, or no readable one.
  """
  found = read_json(folder / 'teachers.json', notes, folder, kind=list)
  if found is None:
    return None
  teachers = []
  for number, entry in enumerate(found, 1):
    if not isinstance(entry, dict) or not isinstance(entry.get('hash'), str):
      notes.append(f'teachers.json: entry {number} is damaged and left out.')
      continue
    numbers = {n: entry.get(n) for n in NUMBERS}
    numbers |= {n: entry[n] for n in OPTIONAL if n in entry}
    rows = entry.get('rows')
    teachers.append(
      entry
      | {n: x if is_number(x) else None for n, x in numbers.items()}
      | dict(
        label=str(entry.get('label') or ''),
        rows=list(map(str, rows)) if isinstance(rows, list) else [],
      )
    )
  return teachers


def asks_for_teacher(config):
  """Whether a config, or one of its rows, names a teacher."""
  entries = [config, *(config.get('rows') or {}).values()]
  for entry in filter(None, entries):
    named = entry.get('teacher') or {}
    if not isinstance(named, dict):
      return True
    dotted = [entry.get('teacher.config'), entry.get('teacher.weights')]
    if any([named.get('config'), named.get('weights'), *dotted]):
      return True
  return False


def names(teachers):
  """A dict from a teacher's hash to a name that no other teacher has.

  >>> names([dict(hash='a1', label='WRN-16-2'), dict(hash='b2', label='NIN')])
  {'a1': 'WRN-16-2', 'b2': 'NIN'}
  >>> names([dict(hash='a1', label='NIN'), dict(hash='b2', label='NIN')])
  {'a1': 'NIN a1', 'b2': 'NIN b2'}
  """
  labels = [teacher['label'] for teacher in teachers]
  return {
    t['hash']: (
      t['label']
      if labels.count(t['label']) == 1
      else f'{t["label"]} {short(t["hash"])}'.strip()
    )
    for t in teachers
  }


def short(digest):
  """Enough of a hash to tell a few teachers apart."""
  return digest[:8]


def hash_of(study, key, seed):
  """The hash of what a run learned from, '' where it has no teacher.

  The result says it; of a run that is not finished, teachers.json.
  """
  run = study.rows[key].runs.get(seed)
  if run is not None and run.result is not None:
    return str(run.result.get('teacher_hash') or '')
  return next((t['hash'] for t in study.teachers if key in t['rows']), '')


def hashes_of(study, key):
  """The hashes of all that a row learned from: one, if all is well."""
  row = study.rows[key]
  return {hash_of(study, key, seed) for seed in row.seeds} - {''}


def conflict(a, b):
  """Why the teachers of two studies do not go together; None if they do.

  Args:
    a, b: `read.Study`.

  Returns:
    None, or (hash, hash, what they should agree on).
  """
  for key in a.rows:
    one, two = hashes_of(a, key), hashes_of(b, key) if key in b.rows else set()
    if one and two and len(one | two) > 1:
      differing = next(
        (x, y) for x in sorted(one) for y in sorted(two) if x != y
      )
      return *differing, f'row {key!r} learned from both'
  shared = {t['hash'] for t in a.teachers} & {t['hash'] for t in b.teachers}
  for one in a.teachers:
    for two in b.teachers:
      same = all(one[n] == two[n] for n in ('label', 'parameters'))
      if same and not {one['hash'], two['hash']} & shared:
        what = f'both are {one["label"] or "the teacher"}'
        return one['hash'], two['hash'], what + _size(one)
  return None


def unite(studies):
  """The teachers of several studies, each once, with the rows of all."""
  found = {}
  for teacher in (t for study in studies for t in study.teachers):
    before = found.get(teacher['hash'], teacher)
    rows = list(dict.fromkeys(before['rows'] + teacher['rows']))
    found[teacher['hash']] = before | dict(rows=rows)
  return list(found.values())


def _size(teacher):
  size = teacher['parameters']
  return '' if size is None else f' with {size:,} parameters'

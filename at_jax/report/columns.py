"""Which attention maps of a study stand side by side, and under which teacher.

attention.npz of a run holds `images`, `labels`, `class_names`, and maps under
`teacher/…` (where the run has one), `before/…` and `after/…` training.
"""

import dataclasses

import numpy as np

from at_jax.pictures.attention import Column
from at_jax.report import teachers
from at_jax.report.files import DAMAGE


@dataclasses.dataclass
class Group:
  """Rows of one teacher, or neighbours without one.

  Attributes:
    digest: the hash of the teacher's weights, '' where it is not known.
    teacher: the teacher's maps by tap; empty without a teacher.
    rows: the arrays of attention.npz by a row's key.
  """

  digest: str
  teacher: dict
  rows: dict

  def has_teacher(self, digest, maps):
    """Whether the teacher is this one; without hashes, by its maps."""
    if self.digest and digest:
      return self.digest == digest
    return self.teacher.keys() == maps.keys() and all(
      np.array_equal(self.teacher[tap], maps[tap]) for tap in maps
    )


def lowest_seed_with_maps(study):
  """The seed and, of every row that shows the same images, its arrays.

  Args:
    study: a `read.Study`; what is left out is said in its notes.

  Returns:
    (seed, dict from a row's key to its arrays); (None, {}) without any.
  """
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


def maps_of(arrays, of):
  """The maps by tap of one network: `teacher`, `before` or `after`."""
  return {
    name[len(of) + 1 :]: value
    for name, value in arrays.items()
    if name.startswith(of + '/')
  }


def by_teacher(study, seed, found):
  """Groups rows by the teacher that they learned from.

  With one teacher overall there is one group: rows without a teacher of their
  own are then shown beside the others.

  Args:
    study: a `read.Study`.
    seed, found: what `lowest_seed_with_maps` returned.

  Returns:
    A list of `Group`, at least one.
  """
  groups = []
  for key, arrays in found.items():
    own = maps_of(arrays, 'teacher')
    digest = teachers.hash_of(study, key, seed) if own else ''
    known = groups if own else groups[-1:]
    group = next((g for g in known if g.has_teacher(digest, own)), None)
    if group is None:
      group = Group(digest, own, {})
      groups.append(group)
    group.rows[key] = arrays
  taught = [group for group in groups if group.teacher]
  if len(taught) < 2 and len(study.teachers) < 2:
    only = (taught or groups)[0]
    return [Group(only.digest, only.teacher, found)]
  return groups


def columns(study, groups):
  """The columns of attention.png: each teacher, an untrained student, rows.

  Args:
    study: a `read.Study`.
    groups: what `by_teacher` returned.

  Returns:
    A list of `pictures.attention.Column`.
  """
  names, made = teachers.names(study.teachers), []
  for group in groups:
    first = len(made)
    if group.teacher:
      title = 'teacher'
      if len(groups) > 1 or len(study.teachers) > 1:
        name = names.get(group.digest) or teachers.short(group.digest)
        title = f'teacher {name}'.strip()
      made.append(Column(title, group.teacher))
    if _shows_untrained(group, groups):
      before = maps_of(next(iter(group.rows.values())), 'before')
      made.append(Column('untrained student', before, group.teacher))
    for key, arrays in group.rows.items():
      if after := maps_of(arrays, 'after'):
        target = maps_of(arrays, 'teacher') or group.teacher
        made.append(Column(study.rows[key].label, after, target))
    if made[first:]:
      made[first].apart = first > 0
  return made


def explain(study, seed, groups):
  """Sentences on what the columns are."""
  several, said = len(groups) > 1, []
  if any(group.teacher for group in groups):
    said.append(
      "Below a student's map is its cosine similarity with "
      f"{'its own' if several else 'the'} teacher's (1: they look at the same "
      'places); in the head of a band the mean over all images kept.'
    )
  if several and not all(group.teacher for group in groups):
    said.append('A row without a teacher has no cosine.')
  whose = 'beside each teacher that of its first row'
  if not several:
    whose = f'that of the row "{study.rows[next(iter(groups[0].rows))].label}"'
  return [*said, f'Seed {seed}; the untrained student is {whose}.']


def _shows_untrained(group, groups):
  """Not for rows without a teacher among several: there is no cosine to say."""
  return bool(group.teacher) or len(groups) == 1


def _read_arrays(run, notes):
  """The arrays of attention.npz; None where it is missing or damaged."""
  if run is None:
    return None
  path = run.folder / 'attention.npz'
  try:
    with path.open('rb') as file:
      arrays = dict(np.load(file))
    if len(arrays['images']) and maps_of(arrays, 'before'):
      return arrays
  except FileNotFoundError:
    return None
  except DAMAGE:
    pass
  where = '/'.join(path.parts[-3:])
  notes.append(f'{where} is damaged or half-written and left out.')
  return None

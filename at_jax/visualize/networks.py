"""Which networks stand side by side: what --workdir and --rows say."""

import dataclasses
import pathlib

from at_jax._arrays import unknown
from at_jax.train.checkpoint import read_json
from at_jax.train.find import CHECKPOINTS, WEIGHTS, find_weights
from at_jax.train.unfinished import load_unfinished
from at_jax.train.weights import Weights, load_weights

TEACHER = 'teacher'


@dataclasses.dataclass(frozen=True, eq=False)
class Column:
  """A network.

  Attributes:
    name: of its arrays and files, and for --against; no other one has it.
    title: stands over it.
    weights: `Weights`.
    folder: of the weights.
    workdir: around it, or None.
    added: a teacher that nobody named.
  """

  name: str
  title: str
  weights: Weights
  folder: pathlib.Path
  workdir: pathlib.Path | None = None
  added: bool = False

  @property
  def network(self):
    return self.weights.network


def find_columns(folders, rows='', seed=0, *, say=print):
  """The networks of some folders, the teachers of their rows last.

  Args:
    folders: workdirs, runs in one, or weights folders.
    rows: of workdirs: names joined by `+`, among them `teacher`; `all` that
      have weights; '' is the first. Of several workdirs each gives those that
      it has.
    seed: of workdirs.
    say: called with a line on what is left out.

  Returns:
    A list of `Column`.

  Raises:
    ValueError: no such row, or networks of images with other channels.
    FileNotFoundError: no weights.
  """
  folders = [pathlib.Path(folder).expanduser() for folder in folders]
  wanted = [row for row in rows.replace(',', '+').split('+') if row]
  known = {f: list(_rows(f)) for f in folders}
  found, teachers = [], {}
  for folder in folders:
    own = _chosen(wanted, known[folder]) if known[folder] else ['']
    if not own and wanted != [TEACHER]:
      say(f'left out: {folder}, which has no row {" or ".join(wanted)}.')
    found += _found(folder, own, seed, say if wanted == ['all'] else None)
    named = TEACHER in wanted and TEACHER not in known[folder]
    taught = known[folder] if named else own
    for teacher, path in _teachers(folder, taught):
      teachers.setdefault(teacher['hash'], (teacher, path, not named))
  _check_rows(wanted, known, teachers)
  paths = [path for path, _ in found]
  columns = [
    _column(name, path, workdir)
    for name, (path, workdir) in zip(_names(paths), found, strict=True)
  ]
  columns += _load_teachers(teachers.values(), columns, say)
  if not columns:
    raise FileNotFoundError(
      f'The teacher of {folders[0]} is not where teachers.json says: name its '
      'weights folder with --workdir.'
    )
  _check_channels(columns)
  return _distinct_titles(columns)


def _found(folder, rows, seed, say):
  """(folder of the weights, workdir) of each row; with `say` of those there."""
  found, lacking = [], []
  for row in rows:
    try:
      found.append(find_weights(folder, row, seed, unfinished=True))
    except FileNotFoundError as error:
      lacking.append(error)
  if lacking and not (say and found):
    raise lacking[0]
  for error in lacking:
    say(f'left out: {error}')
  return found


def _rows(folder):
  """The rows of a workdir; none of a run or a weights folder."""
  of_one = ('model.json', WEIGHTS, CHECKPOINTS)
  if any((folder / name).exists() for name in of_one):
    return []
  return (read_json(folder / 'config.json') or {}).get('rows', []) or ['main']


def _chosen(wanted, rows):
  if wanted == ['all']:
    return rows
  return [row for row in rows if row in wanted] if wanted else rows[:1]


def _check_rows(wanted, known, teachers):
  rows = list(dict.fromkeys(row for own in known.values() for row in own))
  if wanted and not rows:
    raise ValueError(
      f'--rows={"+".join(wanted)}: rows are of workdirs, and '
      f'{", ".join(map(str, known))} is a network already.'
    )
  choices = [*rows, *([TEACHER] if teachers else []), 'all']
  if TEACHER in wanted and TEACHER not in choices:
    raise ValueError(
      f'{next(iter(known))} names no teacher in teachers.json, or not yet: its '
      'training writes it once the teacher is trained.'
    )
  for row in wanted:
    if row not in choices or (row == 'all' and len(wanted) > 1):
      raise ValueError(unknown(f'row of {next(iter(known))}', row, choices))


def _teachers(folder, rows):
  """(entry of teachers.json, its folder) of those that taught these rows."""
  for entry in read_json(folder / 'teachers.json') or []:
    if set(entry['rows']) & set(rows):
      yield entry, folder / entry['folder']


def _load_teachers(teachers, columns, say):
  """A `Column` of each whose weights are there, and not shown already."""
  shown, found = {column.weights.digest for column in columns}, []
  for number, (entry, folder, added) in enumerate(teachers, 1):
    if entry['hash'] in shown:
      continue
    try:
      path, workdir = find_weights(folder)
      weights = load_weights(path)
    except (ValueError, OSError) as error:
      if not added:
        raise
      say(f'The teacher {entry["label"]} is left out: {error}')
      continue
    if weights.digest != entry['hash']:
      say(f'The teacher {entry["label"]} is left out: {path} has others now.')
      continue
    name = TEACHER if len(teachers) == 1 else f'{TEACHER}{number}'
    while name in {column.name for column in [*columns, *found]}:
      name += '_'
    title = f'teacher {entry["label"]}'
    found.append(Column(name, title, weights, path, workdir, added))
  return found


def _column(name, path, workdir):
  finished = path.name != CHECKPOINTS
  weights = load_weights(path) if finished else load_unfinished(path)
  return Column(name, weights.network.label, weights, path, workdir)


def _names(paths):
  """A name for each weights folder: its row or workdir, or more of its path."""
  parts = []
  for path in paths:
    own = path.absolute().parts[1:]
    if own[-1] in (WEIGHTS, CHECKPOINTS):
      own = own[:-1]
    seed = ()
    if own[-1].startswith('seed') and len(own) > 1:
      own, seed = own[:-1], own[-1:]
    own = own[:-1] if own[-1] == 'main' and len(own) > 1 else own
    parts.append((own, seed))
  for count in (1, 2, 3):
    for with_seed in (False, True):
      names = ['_'.join(own[-count:] + seed * with_seed) for own, seed in parts]
      if len(set(names)) == len(names):
        return names
  return [f'{number}_{own[-1]}' for number, (own, _) in enumerate(parts, 1)]


def _distinct_titles(columns):
  """Those with a title that another one has say their seed, or their name."""
  seeds = [f'{column.title}, {_seed(column)}' for column in columns]
  titles = [column.title for column in columns]

  def title(column, seed):
    if titles.count(column.title) == 1:
      return column.title
    if seeds.count(seed) == 1 and _seed(column):
      return seed
    return f'{column.title} ({column.name})'

  return [
    dataclasses.replace(column, title=title(column, seed))
    for column, seed in zip(columns, seeds, strict=True)
  ]


def _seed(column):
  """'seed 1' of the run of a workdir."""
  name = column.folder.parent.name
  known = column.workdir and name.startswith('seed')
  return name.replace('seed', 'seed ') if known else ''


def _check_channels(columns):
  first = columns[0]
  for other in columns[1:]:
    ours, theirs = (c.network.input_shape[-1] for c in (first, other))
    if ours != theirs:
      raise ValueError(
        f'{first.title} takes images of {ours} channels, {other.title} of '
        f'{theirs}: they cannot see the same images. Show them one by one.'
      )

"""What a workdir holds, read without changing it, also while a run writes it.

A missing or half-written file is no error here: what is there is taken, and
what is not is said in `Study.notes`.
"""

import dataclasses
import json
import math
import pathlib
import re
from typing import Any

# What a run's numbers depend on, besides the row's own entries: rows of two
# workdirs are one row only where these agree.
SETTINGS = ('model', 'objective', 'optimizer', 'epochs')


@dataclasses.dataclass
class Run:
  """One row with one seed.

  Attributes:
    result: the dict of result.json; None until the run is finished.
    series: a dict from a metric's name to (epochs, values).
  """

  folder: pathlib.Path
  result: dict | None
  series: dict[str, tuple[list[float], list[float]]]

  @property
  def epoch(self):
    """How far the run is; None before its first line of metrics."""
    return max((e[-1] for e, _ in self.series.values() if e), default=None)


@dataclasses.dataclass
class Row:
  """One row of the table; `settings` is what makes two rows the same."""

  key: str
  label: str
  paper: float
  epochs: float | None
  settings: dict[str, Any]
  seeds: set[int]
  runs: dict[int, Run]


@dataclasses.dataclass
class Study:
  """A workdir, or several of them joined."""

  folder: pathlib.Path
  config: dict
  about: dict
  teacher: dict | None
  rows: dict[str, Row]
  baseline: str
  notes: list[str]

  @property
  def name(self):
    """The config and its arguments; those that add seeds name nothing new."""
    arguments = str(self.about.get('arguments') or '').replace(',', ';')
    kept = [a for a in arguments.split(';') if a and a.split('=')[0] != 'seeds']
    name = str(self.about.get('config') or self.folder.resolve().name)
    return ':'.join([name, *([';'.join(kept)] if kept else [])])


def read_study(folder):
  """Reads a workdir.

  Args:
    folder: its path.

  Returns:
    A `Study`.

  Raises:
    FileNotFoundError: it is not a workdir.
    ValueError: its config.json cannot be read.
  """
  folder = pathlib.Path(folder)
  if not (folder / 'config.json').is_file():
    raise FileNotFoundError(_not_a_workdir(folder))
  notes = []
  config = read_json(folder / 'config.json', notes, folder)
  if config is None:
    raise ValueError(
      f'{folder / "config.json"} is damaged: not a JSON object. Run the '
      'command that made the workdir again in a new one.'
    )
  about = read_json(folder / 'about.json', notes, folder)
  if about is None and not notes:
    notes.append('about.json is missing: command and versions are not known.')
  study = Study(
    folder=folder,
    config=config,
    about=about or {},
    teacher=read_json(folder / 'teacher.json', notes, folder),
    rows={},
    baseline=str(config.get('baseline') or ''),
    notes=notes,
  )
  for key, entry in (config.get('rows') or {'main': {}}).items():
    study.rows[key] = _read_row(study, key, entry or {})
  return study


def read_json(path, notes, root):
  """The JSON object in a file; None where it is missing or damaged."""
  try:
    found = json.loads(path.read_bytes())
  except FileNotFoundError:
    return None
  except ValueError:
    found = None
  if isinstance(found, dict):
    return found
  notes.append(f'{path.relative_to(root)} is damaged and left out.')
  return None


def _read_row(study, key, entry):
  config = study.config
  plain = not config.get('rows')
  label = (config if plain else entry).get('label')
  settings = {name: config.get(name) for name in SETTINGS}
  settings['row'] = {
    k: v for k, v in entry.items() if k not in ('label', 'paper')
  }
  row = Row(
    key=key,
    label=str(label or (study.name.split(':')[0] if plain else key)),
    paper=float((config if plain else entry).get('paper') or 0),
    epochs=entry.get('epochs', config.get('epochs')),
    settings=settings,
    seeds=set(range(int(config.get('seeds') or 1))),
    runs={},
  )
  for folder in sorted((study.folder / key).glob('seed*')):
    number = re.fullmatch(r'seed(\d+)', folder.name)
    if number and folder.is_dir():
      row.runs[int(number[1])] = _read_run(folder, study)
  row.seeds |= set(row.runs)
  return row


def _read_run(folder, study):
  notes, root = study.notes, study.folder
  result = read_json(folder / 'result.json', notes, root)
  if result is not None and not is_number(result.get('test_error')):
    notes.append(
      f'{(folder / "result.json").relative_to(root)} holds no test_error '
      'and is left out.'
    )
    result = None
  if result is not None and study.teacher is not None:
    taught = result.get('teacher_hash')
    if taught and taught != study.teacher.get('hash'):
      notes.append(
        f'{folder.relative_to(root)} learned from another teacher '
        f'({taught}) than teacher.json names.'
      )
  series = _read_metrics(folder / 'metrics.jsonl', notes, root)
  return Run(folder=folder, result=result, series=series)


def _read_metrics(path, notes, root):
  """Every metric of a run; a step written twice counts as last written."""
  try:
    lines = path.read_bytes().split(b'\n')
  except FileNotFoundError:
    return {}
  found, damaged = {}, []
  for number, line in enumerate(lines, 1):
    if not line.strip():
      continue
    try:
      row = json.loads(line)
      epoch = float(row['epoch'])
    except (ValueError, TypeError, KeyError):
      damaged.append(number)
      continue
    for name, value in row.items():
      if name not in ('step', 'epoch') and is_number(value):
        found.setdefault(name, {})[epoch] = float(value)
  if damaged:
    where = path.relative_to(root)
    if damaged == [len(lines)]:
      notes.append(f'{where}: its last line is half-written and left out.')
    else:
      notes.append(f'{where}: damaged lines left out: {damaged}.')
  return {
    name: tuple(map(list, zip(*sorted(points.items()), strict=True)))
    for name, points in found.items()
  }


def is_number(value):
  """A finite int or float (JSON may also hold NaN, text, null or true)."""
  return (
    isinstance(value, int | float)
    and not isinstance(value, bool)
    and math.isfinite(value)
  )


def _not_a_workdir(folder):
  text = f'{folder} is not a workdir: '
  if not folder.exists():
    text += 'there is no such folder. '
  else:
    text += 'it has no config.json. '
  for above in list(folder.resolve().parents)[:3]:
    if (above / 'config.json').is_file():
      return text + f'Did you mean {above}?'
  return text + (
    'Training makes one: python train.py --config=configs/digits_at.py '
    f'--workdir={folder}'
  )

"""What a workdir holds, read without changing it, also while a run writes it.

A missing or half-written file is no error here: what is there is taken, and
what is not is said in `Study.notes`.
"""

import dataclasses
import pathlib
import re
from typing import Any

from at_jax.report import teachers
from at_jax.report.files import is_number, read_json, read_metrics
from at_jax.train.differences import HARMLESS, ROW_NOTES, flatten
from at_jax.train.headline import ERROR, headline_of

# Fields of a config that differ between rows of one table, or do not matter.
# Rows of two workdirs are one row only where all others agree.
APART = ('rows', 'teacher', *HARMLESS)


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

  @property
  def headline(self):
    """What it is compared by; None before it was first evaluated."""
    return headline_of(self.result or self.series)


@dataclasses.dataclass
class Row:
  """One row of the table.

  Attributes:
    baseline: the row it is compared with, '' for the study's.
    settings: what makes two rows the same.
  """

  key: str
  label: str
  baseline: str
  paper: float
  epochs: float | None
  settings: dict[str, Any]
  seeds: set[int]
  runs: dict[int, Run]


@dataclasses.dataclass
class Study:
  """A workdir, or several of them joined.

  Attributes:
    teachers: the entries of teachers.json, see `teachers.read_teachers`.
    awaits_teacher: the config names one, and none is there yet.
  """

  folder: pathlib.Path
  config: dict
  about: dict
  teachers: list[dict]
  awaits_teacher: bool
  rows: dict[str, Row]
  baseline: str
  notes: list[str]

  @property
  def headline(self):
    """What rows are compared by: that of a run, error before one says it."""
    return self.known_headline or ERROR

  @property
  def known_headline(self):
    """That of the first run which says it; None for none."""
    runs = (run for row in self.rows.values() for run in row.runs.values())
    return next(filter(None, (run.headline for run in runs)), None)

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
  listed = teachers.read_teachers(folder, notes)
  study = Study(
    folder=folder,
    config=config,
    about=about or {},
    teachers=listed or [],
    awaits_teacher=False,
    rows={},
    baseline=str(config.get('baseline') or ''),
    notes=notes,
  )
  for key, entry in (config.get('rows') or {'main': {}}).items():
    study.rows[key] = _read_row(study, key, entry or {})
  _check_teachers(study, listed)
  return study


def _check_teachers(study, listed):
  """Says which runs learned from a teacher that is not listed."""
  runs = [run for row in study.rows.values() for run in row.runs.values()]
  taught = [
    (run, str(run.result['teacher_hash']))
    for run in runs
    if run.result and run.result.get('teacher_hash')
  ]
  if listed is None:
    missing = not (study.folder / 'teachers.json').exists()
    study.awaits_teacher = (
      missing and not runs and teachers.asks_for_teacher(study.config)
    )
    if missing and taught:
      study.notes.append('teachers.json is missing: no teacher is known.')
    return
  known = {teacher['hash'] for teacher in listed}
  for run, found in taught:
    if found not in known:
      study.notes.append(
        f'{run.folder.relative_to(study.folder)} learned from another teacher '
        f'({found}) than teachers.json names.'
      )


def _is_apart(key):
  return key in APART or key.split('.')[0] in APART


def _read_row(study, key, entry):
  config = study.config
  plain = not config.get('rows')
  label = (config if plain else entry).get('label')
  settings = {k: v for k, v in flatten(config).items() if not _is_apart(k)}
  settings['row'] = {k: v for k, v in entry.items() if k not in ROW_NOTES}
  row = Row(
    key=key,
    label=str(label or (study.name.split(':')[0] if plain else key)),
    baseline=str(entry.get('baseline') or ''),
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
  needed = (headline_of(result or {}) or ERROR).entry('test')
  if result is not None and not is_number(result.get(needed)):
    notes.append(
      f'{(folder / "result.json").relative_to(root)} holds no {needed} '
      'and is left out.'
    )
    result = None
  series = read_metrics(folder / 'metrics.jsonl', notes, root)
  return Run(folder=folder, result=result, series=series)


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

"""Configs: read from a file, checked, split into rows."""

import importlib.util
import pathlib
import sys

import ml_collections

from at_jax._arrays import unknown
from at_jax.train.differences import ROW_NOTES

ROOT = pathlib.Path(__file__).resolve().parents[2]
HELPER_NAMES = (
  'common',
  'methods',
  'networks',
  'photos',
  'plain',
  'ran',
  'tasn',
  'triple',
)
HELPERS = tuple(f'configs/{name}.py' for name in HELPER_NAMES)

# What a row cannot change: it is decided once, for the process or the study.
OF_A_STUDY = ('seeds', 'tiny', 'deterministic')

# What a teacher takes from its student's config (`tiny` goes in as argument).
INHERITED = (
  'data',
  'epochs',
  'dtype',
  'precision',
  'deterministic',
  'checkpoint_seconds',
)

CHOICES = {
  'dtype': ('float32', 'bfloat16'),
  'precision': ('default', 'high', 'float32', 'highest'),
  'bn': ('global', 'per_device', 'frozen'),
}
POSITIVE = (
  'seeds',
  'epochs',
  'batch_size',
  'eval_batch_size',
  'eval_every',
  'log_every',
)


def find_config(spec):
  """(path, arguments) of 'configs/wrn.py:depth=16,width=2'.

  The path is looked for from here, then from the folder of `configs/`.

  Raises:
    FileNotFoundError: no such file; the configs there are get named.
  """
  name, _, arguments = spec.partition(':')
  if pathlib.Path(name).as_posix().endswith(HELPERS):
    raise ValueError(f'{name} is no config: configs are written with its help.')
  path = next(
    (p for p in (pathlib.Path(name), ROOT / name) if p.is_file()), None
  )
  if path is None:
    folder = ROOT / 'configs'
    known = [f'configs/{p.name}' for p in sorted(folder.glob('[a-z]*.py'))]
    known = [p for p in known if not p.endswith(HELPERS)]
    raise FileNotFoundError(unknown('config', name, known))
  return path, arguments


def load_config(spec):
  """The config that 'configs/wrn.py:depth=16,width=2' describes, locked.

  Raises:
    FileNotFoundError, ValueError: no such file, an unknown argument.
  """
  path, arguments = find_config(spec)
  if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # `from configs import common`
  module_spec = importlib.util.spec_from_file_location(path.stem, path)
  module = importlib.util.module_from_spec(module_spec)
  module_spec.loader.exec_module(module)
  return module.get_config(arguments).lock()


def check_config(config):
  """Raises ValueError for values that no run could use."""
  for field, choices in CHOICES.items():
    if config[field] not in choices:
      raise ValueError(unknown(f'config.{field}', config[field], choices))
  for field in POSITIVE:
    if config[field] < 1:
      raise ValueError(
        f'config.{field} must be at least 1, got {config[field]}.'
      )
  if 'rows' in config:
    _check_rows(config)
  if config.teacher.config and config.teacher.weights:
    raise ValueError(
      f'config.teacher names both a config, {config.teacher.config!r}, and a '
      f'weights folder, {config.teacher.weights!r}: empty one, say with '
      '--config.teacher.config='
    )


def _check_rows(config):
  if config.baseline and config.baseline not in row_names(config):
    what = 'row in config.baseline'
    raise ValueError(unknown(what, config.baseline, row_names(config)))
  for name, changes in config.rows.items():
    if not name.isidentifier():
      raise ValueError(
        f'Row names are identifiers (letters, digits, _), got {name!r}.'
      )
    for field in OF_A_STUDY:
      if field in changes:
        raise ValueError(
          f'Row {name!r} sets {field!r}, which is one for all rows: set '
          f'config.{field}.'
        )


def check_path(config, path):
  """Raises ValueError unless there is a field at a dotted path."""
  node, done = config, 'config'
  for part in path.split('.'):
    if not isinstance(node, ml_collections.ConfigDict):
      raise ValueError(f'{done} is a value, it has no field {part!r}.')
    if part not in node:
      raise ValueError(unknown(f'field of {done}', part, list(node)))
    node, done = node[part], f'{done}.{part}'


def row_names(config):
  """Rows in order; a config without rows has one, `main`."""
  return list(config.rows) or ['main']


def row_config(config, name):
  """The config of one row: its entries replace what stands at their paths."""
  rows = config.rows.to_dict() if config.rows else {}
  result = without(config, 'rows', 'baseline')
  changes = rows.get(name, {})
  for path, value in changes.items():
    if path not in ROW_NOTES:
      _replace(result, path, value, f'row {name!r}')
  notes = {k: changes[k] for k in ROW_NOTES if k in changes and k in result}
  result.update(notes)
  return result.lock()


def teacher_config(config):
  """The config of the run that makes this config's teacher."""
  # Inside an argument of another config, arguments are separated by `;`.
  path, arguments = find_config(config.teacher.config.replace(';', ','))
  if config.tiny:
    arguments = f'{arguments},tiny'
  for argument in arguments.split(','):
    if argument.partition('=')[0] in INHERITED:
      raise ValueError(
        f'config.teacher.config={config.teacher.config!r} sets {argument!r}, '
        'but a teacher takes this from its student: leave it out.'
      )
  teacher = without(load_config(f'{path}:{arguments}'))
  if _conditions(teacher) != _conditions(config):
    teacher.paper = 0.0
  for field in INHERITED:
    _replace(teacher, field, _plain(config[field]), 'the student')
  teacher.seeds = 1
  for path, value in config.teacher.overrides.to_dict().items():
    _replace(teacher, path, value, 'config.teacher.overrides')
  if teacher.rows:
    raise ValueError(
      f'config.teacher.config={config.teacher.config!r} is a study of rows: '
      'name a plain config.'
    )
  return teacher.lock()


def forget_paper(config):
  """Takes the paper's numbers out of a config that is no longer the paper's."""
  config.paper = 0.0
  for row in config.rows.values():
    if 'paper' in row:
      row.paper = 0.0


def all_configs(config):
  """The configs of every row, and of the teachers that they name."""
  rows = [row_config(config, name) for name in row_names(config)]
  return rows + [teacher_config(row) for row in rows if row.teacher.config]


def _conditions(config):
  """What a paper's number is measured under, of all that is inherited."""
  return {**config.data, 'dir': '', 'epochs': config.epochs}


def without(config, *fields):
  """An unlocked copy with some fields removed."""
  copy = ml_collections.ConfigDict(
    {k: v for k, v in config.to_dict().items() if k not in fields},
    allow_dotted_keys=True,
    sort_keys=False,
  )
  return copy.unlock()


def _plain(value):
  return (
    value.to_dict() if isinstance(value, ml_collections.ConfigDict) else value
  )


def _replace(config, path, value, where):
  """Sets what stands at a dotted path; ValueError where nothing does."""
  try:
    check_path(config, path)
  except ValueError as error:
    raise ValueError(f'{where} sets {path!r}: {error}') from None
  *parents, last = path.split('.')
  for parent in parents:
    config = config[parent]
  if isinstance(value, dict):
    value = ml_collections.ConfigDict(
      value, allow_dotted_keys=True, sort_keys=False
    )
  del config[last]
  config[last] = value

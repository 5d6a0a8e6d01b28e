"""Configs compared: what in them can change a result, and what differs."""

import hashlib
import json

# What a row says about itself besides what it changes; `baseline` is the row
# it is compared with, where that is not the study's.
ROW_NOTES = ('label', 'paper', 'baseline')
# Fields that cannot change the numbers of a run of given row and seed.
HARMLESS = (
  'label',
  'paper',
  'seeds',
  'baseline',
  'data.dir',
  'data.workers',
  'log_every',
  'checkpoint_seconds',
)


def as_json(config):
  """The config as plain JSON values (tuples become lists)."""
  return json.loads(json.dumps(config.to_dict()))


def fingerprint(config, *more):
  """A short hash of all in a config that can change a result."""
  flat = flatten(as_json(config))
  flat = {k: v for k, v in flat.items() if not _is_harmless(k)}
  text = json.dumps([flat, *more], sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(old, new):
  """Lines 'field: old -> new' where two JSON configs would differ in result.

  Rows that only one of them has are no difference: they are other runs.
  """
  old, new = dict(old), dict(new)
  old_rows, new_rows = (dict(c.pop('rows', {})) for c in (old, new))
  for name in old_rows.keys() & new_rows.keys():
    old[f'rows.{name}'], new[f'rows.{name}'] = old_rows[name], new_rows[name]
  old, new = flatten(old), flatten(new)
  lines = []
  for key in sorted(old.keys() | new.keys()):
    if old.get(key) != new.get(key) and not _is_harmless(key):
      lines.append(
        f'{key}: {_shown(old, key)} in the workdir, {_shown(new, key)} now'
      )
  return lines


def _shown(flat, key):
  return repr(flat[key]) if key in flat else 'absent'


def _is_harmless(key):
  last = key.rsplit('.', 1)[-1]
  return key in HARMLESS or (key.startswith('rows.') and last in ROW_NOTES)


def flatten(value, prefix=''):
  """{'a': {'b': 1}} as {'a.b': 1}."""
  if not isinstance(value, dict) or not value:
    return {prefix: value}
  flat = {}
  for key, inner in value.items():
    flat |= flatten(inner, f'{prefix}.{key}' if prefix else key)
  return flat

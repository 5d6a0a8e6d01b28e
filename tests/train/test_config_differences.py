"""Which changes of a config can change a result."""

import json

from config_changes import AT, changed, study

from at_jax.train import config as c
from at_jax.train import differences as d


def leaves(value, path=''):
  """(path, value) of every entry of a nested dict."""
  if isinstance(value, dict) and value:
    for key, inner in value.items():
      yield from leaves(inner, f'{path}.{key}' if path else key)
  else:
    yield path, value


def another(value):
  if isinstance(value, bool):
    return not value
  if isinstance(value, (int, float)):
    return value + 1
  if isinstance(value, str):
    return value + 'x'
  return (*value, 1) if isinstance(value, (list, tuple)) else {'x': 1}


HARMLESS = {
  'label', 'paper', 'seeds', 'baseline', 'data.dir', 'data.workers',
  'log_every', 'checkpoint_seconds',
}  # fmt: skip


def test_fingerprint_changes_with_every_field_that_can_change_a_result():
  config = c.load_config(AT)
  before, plain = d.fingerprint(config), d.as_json(config)
  fields = dict(leaves(config.to_dict()))
  del fields['rows']  # empty here; the rows of a study have tests below
  assert HARMLESS < set(fields) and len(fields) > 45
  for path, value in fields.items():
    new = changed(config, path, another(value))
    assert (d.fingerprint(new) == before) == (path in HARMLESS), path
    lines = d.differences(plain, d.as_json(new))
    assert bool(lines) == (path not in HARMLESS), path
    assert all(path in line for line in lines), lines


def test_fingerprint_covers_rows_and_not_their_names_in_tables():
  prints = [
    d.fingerprint(study(a={'epochs': epochs, 'label': label}))
    for epochs, label in ((3, 'A'), (3, 'B'), (4, 'A'))
  ]
  assert prints[0] == prints[1] != prints[2]


def test_fingerprint_covers_what_else_it_is_given():
  config = c.load_config(AT)
  assert d.fingerprint(config) == d.fingerprint(c.load_config(AT))
  assert len({d.fingerprint(config, x) for x in ('data', 'atad', 0)}) == 3


def test_differences_show_both_values():
  old = d.as_json(c.load_config(AT))
  new = d.as_json(c.load_config(f'{AT}:beta=500,seeds=5'))
  assert d.differences(old, old) == []
  assert d.differences(old, new) == [
    'objective.terms.at.weight.value: 1000.0 in the workdir, 500.0 now'
  ]


def test_differences_show_fields_that_one_of_them_lacks():
  old = d.as_json(c.load_config(AT))
  new = json.loads(json.dumps(old))
  del new['bn']
  new['model']['more'] = 3
  assert d.differences(old, new) == [
    "bn: 'global' in the workdir, absent now",
    'model.more: absent in the workdir, 3 now',
  ]


def test_other_rows_are_no_difference_and_changed_rows_are():
  one = study(a={'epochs': 3, 'label': 'A'}, b={'epochs': 4})
  other = study(c={'epochs': 9}, a={'epochs': 5, 'label': 'B'})
  assert d.differences(d.as_json(one), d.as_json(other)) == [
    'rows.a.epochs: 3 in the workdir, 5 now'
  ]

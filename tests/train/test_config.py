"""Configs: loaded, checked, split into rows, compared."""

import json
import pathlib

import pytest

from at_jax.train import config as c
from configs import common

FILES = sorted(
  f'configs/{path.name}'
  for path in (c.ROOT / 'configs').glob('[a-z]*.py')
  if path.name != 'common.py'
)
AT, STUDY = 'configs/wrn_at.py', 'configs/digits_at.py'


def changed(config, path, value):
  """A copy with one field set."""
  copy = c.without(config)
  *parents, last = path.split('.')
  node = copy
  for parent in parents:
    node = node[parent]
  del node[last]
  node[last] = value
  return copy.lock()


def study(**rows):
  config = c.without(c.load_config(AT))
  config.rows = common.dotted(rows)
  return config.lock()


def leaves(value, path=''):
  """(path, value) of every entry of a nested dict."""
  if isinstance(value, dict) and value:
    for key, inner in value.items():
      yield from leaves(inner, f'{path}.{key}' if path else key)
  else:
    yield path, value


# Loading.


def test_the_configs_of_the_paper_are_there():
  names = {pathlib.Path(name).stem for name in FILES}
  assert names >= {'digits_at', 'wrn', 'wrn_at', 'wrn_kd', 'wrn_at_kd'}


@pytest.mark.parametrize('arguments', ['', ':tiny'])
@pytest.mark.parametrize('name', FILES)
def test_every_config_loads_locked_checked_and_plain(name, arguments):
  config = c.load_config(name + arguments)
  assert config.is_locked and config.tiny == bool(arguments)
  with pytest.raises(AttributeError):
    config.epocs = 3
  c.check_config(config)
  plain = c.as_json(config)
  assert plain == json.loads(json.dumps(plain))
  for row in c.row_names(config):
    assert c.row_config(config, row).is_locked
  if config.teacher.config:
    assert c.teacher_config(config).tiny == config.tiny


@pytest.mark.parametrize('name', FILES)
def test_every_config_names_nearest_and_all_arguments(name):
  with pytest.raises(ValueError) as error:
    c.load_config(f'{name}:tinny')
  for word in ("'tinny'", "mean 'tiny'", 'seeds'):
    assert word in str(error.value)


def test_unknown_file_names_the_nearest_and_all():
  with pytest.raises(FileNotFoundError) as error:
    c.load_config('configs/wrn_att.py:tiny')
  assert "'configs/wrn_att.py'" in str(error.value)
  assert "mean 'configs/wrn_at.py'" in str(error.value)
  for name in FILES:
    assert name in str(error.value)
  assert 'common' not in str(error.value)


def test_arguments():
  config = c.load_config('configs/wrn.py:depth=40,width=2')
  assert (config.model.depth, config.model.width) == (40, 2.0)
  nested = 'configs/wrn.py:depth=40;width=2'
  config = c.load_config(f'{AT}:teacher={nested},width=3')
  assert config.teacher.config == nested and config.model.width == 3.0


def test_configs_are_found_from_any_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  assert c.load_config(AT).model.name == 'wrn'


def test_a_config_of_ones_own(tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text(
    'from configs import common\n'
    'def get_config(arg=None):\n'
    '  arg = common.parse_arg(arg, tiny=False, lr=0.1)\n'
    '  config = common.cifar(arg)\n'
    '  config.optimizer.lr = arg.lr\n'
    '  return config\n'
  )
  assert c.load_config(f'{path}:lr=0.5').optimizer.lr == 0.5


# Checks.


@pytest.mark.parametrize(
  ('path', 'value', 'words'),
  [
    ('dtype', 'bf16', ["'bf16'", "mean 'bfloat16'", 'float32']),
    ('precision', 'hihgest', ["'hihgest'", "mean 'highest'", 'default']),
    ('bn', 'globl', ["'globl'", "mean 'global'", 'per_device']),
    ('epochs', 0, ['config.epochs', 'at least 1', '0']),
    ('seeds', 0, ['config.seeds', '0']),
    ('batch_size', -1, ['config.batch_size', '-1']),
    ('eval_batch_size', 0, ['config.eval_batch_size']),
    ('eval_every', 0, ['config.eval_every']),
    ('log_every', 0, ['config.log_every']),
    ('baseline', 'alone', ["'alone'", 'main']),
    ('teacher.weights', 'runs/x', ['both', 'configs/wrn.py', "'runs/x'"]),
  ],
)
def test_values_no_run_could_use(path, value, words):
  with pytest.raises(ValueError) as error:
    c.check_config(changed(c.load_config(AT), path, value))
  for word in words:
    assert word in str(error.value)


def test_baseline_is_one_of_the_rows():
  config = c.load_config(STUDY)
  with pytest.raises(ValueError) as error:
    c.check_config(changed(config, 'baseline', 'alon'))
  for word in ("'alon'", "mean 'alone'", 'at_kd'):
    assert word in str(error.value)


@pytest.mark.parametrize('name', ['a-b', '1st', 'a b', '../up'])
def test_rows_are_identifiers(name):
  with pytest.raises(ValueError, match='identifiers'):
    c.check_config(study(**{name: {'epochs': 3}}))


@pytest.mark.parametrize('path', ['model', 'model.width', 'data.dir'])
def test_path_of_a_field(path):
  c.check_path(c.load_config(AT), path)


@pytest.mark.parametrize(
  ('path', 'words'),
  [
    ('modle', ["'modle'", "mean 'model'", 'objective']),
    ('modle.width', ["'modle'", "mean 'model'"]),
    ('model.widht', ['config.model', "'widht'", "mean 'width'", 'depth']),
    ('epochs.more', ['config.epochs is a value', "'more'"]),
  ],
)
def test_path_of_no_field_names_its_neighbours(path, words):
  with pytest.raises(ValueError) as error:
    c.check_path(c.load_config(AT), path)
  for word in words:
    assert word in str(error.value)


# Rows.


def test_a_config_without_rows_has_one():
  config = c.load_config(AT)
  assert c.row_names(config) == ['main']
  row = c.row_config(config, 'main')
  assert row.is_locked and 'rows' not in row
  assert row.objective == config.objective


def test_rows_keep_their_order():
  config = c.load_config(STUDY)
  assert c.row_names(config) == ['alone', 'at', 'kd', 'at_kd']


def test_a_row_replaces_whole_what_stands_at_a_path():
  plain = {'name': 'transfer', 'terms': {'kd': {'weight': common.constant(1)}}}
  config = study(
    kd={'objective': plain, 'model.width': 2.5, 'label': 'KD'},
    same={'paper': 7.9},
  )
  row = c.row_config(config, 'kd')
  assert row.objective.to_dict() == plain  # nothing of ce or at is left
  assert row.model.to_dict() == {'name': 'wrn', 'depth': 16, 'width': 2.5}
  assert row.label == 'KD'
  assert row.is_locked
  same = c.row_config(config, 'same')
  assert same.paper == 7.9 and same.label == 'AT'
  assert same.objective == config.objective and same.model.width == 1.0
  assert config.model.width == 1.0  # the config itself is as it was


def test_a_row_may_change_the_type_of_a_value():
  row = c.row_config(study(a={'optimizer.drops': [3], 'bn': 1}), 'a')
  assert list(row.optimizer.drops) == [3] and row.bn == 1


@pytest.mark.parametrize(
  ('path', 'words'),
  [
    ('modle', ["'modle'", "mean 'model'", "row 'a'", 'objective']),
    ('model.widht', ["'model.widht'", "row 'a'", 'width', 'depth']),
    ('modle.width', ["row 'a'", "'modle'", "mean 'model'"]),
    ('epochs.more', ["row 'a'", "'epochs.more'"]),
  ],
)
def test_unknown_path_of_a_row_names_its_neighbours(path, words):
  with pytest.raises(ValueError) as error:
    c.row_config(study(a={path: 2}), 'a')
  for word in words:
    assert word in str(error.value)


# Teachers.


def with_teacher(config, **changes):
  copy = c.without(config)
  for path, value in changes.items():
    copy[path] = value
  return copy


def test_teacher_inherits_what_concerns_the_data_and_the_numerics():
  config = with_teacher(
    c.load_config(AT), epochs=17, dtype='bfloat16', precision='high',
    deterministic=True, seeds=5,
  )  # fmt: skip
  config.data.update(name='digits', validation=50, flip=False)
  teacher = c.teacher_config(config)
  assert teacher.is_locked
  assert teacher.data.to_dict() == config.data.to_dict()
  for field in ('epochs', 'dtype', 'precision', 'deterministic'):
    assert teacher[field] == config[field]
  # And nothing else.
  assert teacher.model.to_dict() == dict(name='wrn', depth=16, width=2.0)
  assert teacher.objective.to_dict() == {'name': 'supervised'}
  assert teacher.seeds == 1 and not teacher.tiny


def test_arguments_of_the_teacher_are_separated_by_semicolons():
  config = with_teacher(c.load_config(AT))
  for spec in ('configs/wrn.py:depth=40;width=2', 'configs/wrn.py'):
    config.teacher.config = spec
    model = c.teacher_config(config).model
    want = (40, 2.0) if 'depth' in spec else (16, 1.0)
    assert (model.depth, model.width) == want


def test_unknown_teacher_names_the_nearest():
  config = with_teacher(c.load_config(AT))
  config.teacher.config = 'configs/wm.py:depth=40'
  with pytest.raises(FileNotFoundError, match="mean 'configs/wrn.py'"):
    c.teacher_config(config)


def test_teacher_of_a_tiny_config_is_tiny():
  teacher = c.teacher_config(c.load_config(f'{AT}:tiny'))
  assert teacher.tiny and teacher.optimizer.drops == (2,)


def test_overrides_come_last():
  config = with_teacher(c.load_config(AT))
  config.teacher.overrides = common.dotted(
    {'epochs': 3, 'data.train_examples': 7, 'optimizer.drops': (2,)}
  )
  teacher = c.teacher_config(config)
  assert teacher.epochs == 3 and config.epochs == 200
  assert teacher.data.train_examples == 7 and config.data.train_examples == 0
  assert teacher.optimizer.drops == (2,)


def test_unknown_override_names_its_neighbours():
  config = with_teacher(c.load_config(AT))
  config.teacher.overrides = common.dotted({'epohcs': 3})
  with pytest.raises(ValueError) as error:
    c.teacher_config(config)
  for word in ("'epohcs'", "mean 'epochs'", 'config.teacher.overrides'):
    assert word in str(error.value)


def test_a_study_is_no_teacher():
  config = with_teacher(c.load_config(AT))
  config.teacher.config = STUDY
  with pytest.raises(ValueError, match='digits_at.*study of rows'):
    c.teacher_config(config)


# Comparing.


def another(value):
  if isinstance(value, bool):
    return not value
  if isinstance(value, (int, float)):
    return value + 1
  if isinstance(value, str):
    return value + 'x'
  return (*value, 1) if isinstance(value, (list, tuple)) else {'x': 1}


HARMLESS = {
  'label', 'paper', 'seeds', 'baseline', 'data.dir', 'log_every',
  'checkpoint_seconds',
}  # fmt: skip


def test_fingerprint_changes_with_every_field_that_can_change_a_result():
  config = c.load_config(AT)
  before, plain = c.fingerprint(config), c.as_json(config)
  fields = dict(leaves(config.to_dict()))
  del fields['rows']  # empty here; the rows of a study have tests below
  assert HARMLESS < set(fields) and len(fields) > 45
  for path, value in fields.items():
    new = changed(config, path, another(value))
    assert (c.fingerprint(new) == before) == (path in HARMLESS), path
    lines = c.differences(plain, c.as_json(new))
    assert bool(lines) == (path not in HARMLESS), path
    assert all(path in line for line in lines), lines


def test_fingerprint_covers_rows_and_not_their_names_in_tables():
  prints = [
    c.fingerprint(study(a={'epochs': epochs, 'label': label}))
    for epochs, label in ((3, 'A'), (3, 'B'), (4, 'A'))
  ]
  assert prints[0] == prints[1] != prints[2]


def test_fingerprint_covers_what_else_it_is_given():
  config = c.load_config(AT)
  assert c.fingerprint(config) == c.fingerprint(c.load_config(AT))
  assert len({c.fingerprint(config, x) for x in ('data', 'atad', 0)}) == 3


def test_differences_show_both_values():
  old = c.as_json(c.load_config(AT))
  new = c.as_json(c.load_config(f'{AT}:beta=500,seeds=5'))
  assert c.differences(old, old) == []
  assert c.differences(old, new) == [
    'objective.terms.at.weight.value: 1000.0 in the workdir, 500.0 now'
  ]


def test_differences_show_fields_that_one_of_them_lacks():
  old = c.as_json(c.load_config(AT))
  new = json.loads(json.dumps(old))
  del new['bn']
  new['model']['more'] = 3
  assert c.differences(old, new) == [
    "bn: 'global' in the workdir, absent now",
    'model.more: absent in the workdir, 3 now',
  ]


def test_other_rows_are_no_difference_and_changed_rows_are():
  one = study(a={'epochs': 3, 'label': 'A'}, b={'epochs': 4})
  other = study(c={'epochs': 9}, a={'epochs': 5, 'label': 'B'})
  assert c.differences(c.as_json(one), c.as_json(other)) == [
    'rows.a.epochs: 3 in the workdir, 5 now'
  ]

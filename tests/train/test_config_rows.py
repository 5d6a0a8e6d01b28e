"""Configs of rows and of teachers, made from a study's."""

import pytest
from config_changes import AT, STUDY, study

from at_jax.train import config as c
from configs import common


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


def test_all_configs_are_those_of_rows_and_of_their_teachers():
  taught = {'teacher.config': 'configs/wrn.py:depth=40', 'batch_size': 64}
  alone = {'teacher.config': '', 'bn': 'per_device'}
  found = c.all_configs(study(alone=alone, at=taught, same={}))
  row = [(own.model.depth, own.model.width, own.batch_size) for own in found]
  assert row == [
    (16, 1, 128),
    (16, 1, 64),
    (16, 1, 128),
    (40, 1, 128),
    (16, 2, 128),
  ]
  assert [own.bn for own in found] == ['per_device', *['global'] * 4]
  plain = c.load_config('configs/wrn.py')
  assert c.all_configs(plain) == [c.row_config(plain, 'main')]
  assert len(c.all_configs(c.load_config(AT))) == 2


def test_a_teacher_from_a_weights_folder_has_no_config():
  row = {'teacher.config': '', 'teacher.weights': 'runs/x/weights'}
  assert len(c.all_configs(study(at=row))) == 1

"""Configs: loaded and checked."""

import json
import pathlib

import pytest
from config_changes import AT, STUDY, changed, study

from at_jax.train import config as c
from at_jax.train import differences as d

FILES = sorted(
  f'configs/{path.name}'
  for path in (c.ROOT / 'configs').glob('[a-z]*.py')
  if f'configs/{path.name}' not in c.HELPERS
)


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
  plain = d.as_json(config)
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


@pytest.mark.parametrize('name', c.HELPERS)
def test_what_configs_are_written_with_is_no_config(name):
  with pytest.raises(ValueError, match='is no config'):
    c.find_config(f'{name}:tiny')
  with pytest.raises(FileNotFoundError) as error:
    c.find_config('configs/method.py')
  assert not any(helper in str(error.value) for helper in c.HELPERS)


def test_a_changed_config_forgets_the_papers_numbers():
  plain, table = (
    c.load_config(f'configs/{n}.py') for n in ('wrn_at', 'table1')
  )
  assert plain.paper and table.rows.wrn_16_1.paper
  for config in (plain, table):
    c.forget_paper(config)
  assert plain.paper == 0
  assert {row.paper for row in table.rows.values()} == {0}

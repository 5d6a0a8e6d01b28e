"""`:epochs=` moves the learning rate drops, of the teacher too."""

import pytest

from at_jax.train import config as c
from at_jax.train import differences as d
from configs import common

PAPERS_DROPS = (60, 120, 160)
# Drops begin an epoch: at 60, 59 epochs are finished, and 59/200 = 2.95/10.
MOVED = {
  200: PAPERS_DROPS,
  10: (4, 7, 9),
  20: (7, 13, 17),
  30: (10, 19, 25),
  160: (48, 96, 128),
  400: (119, 239, 319),
}
TAUGHT = (
  'wrn_at', 'wrn_kd', 'wrn_at_kd', 'wrn_activation', 'nin_at',
  'cifar_resnet_at', 'table2',
)  # fmt: skip
ALONE = ('wrn', 'nin', 'cifar_resnet')


def load(name, arguments=''):
  return c.load_config(f'configs/{name}.py:{arguments}')


def check_drops(config, epochs, drops):
  assert config.epochs == epochs
  assert tuple(config.optimizer.drops) == drops


@pytest.mark.parametrize('epochs', MOVED)
def test_finished_epochs_keep_their_proportion(epochs):
  config = common.base()
  common.stretch(config, epochs)
  check_drops(config, epochs, MOVED[epochs])
  for drop, papers in zip(MOVED[epochs], PAPERS_DROPS, strict=True):
    finished, wanted = drop - 1, (papers - 1) * epochs / 200
    assert abs(finished - wanted) <= 0.5


@pytest.mark.parametrize('dataset', common.DATASETS)
@pytest.mark.parametrize('name', TAUGHT)
def test_student_and_teacher_drop_together(name, dataset):
  config = load(name, f'dataset={dataset},epochs=10')
  check_drops(config, 10, (4, 7, 9))
  teacher = c.teacher_config(config)
  check_drops(teacher, 10, (4, 7, 9))
  assert teacher.data.to_dict() == config.data.to_dict()
  assert config.data.name == dataset
  # Nothing else of the teacher changes.
  long = c.teacher_config(load(name, f'dataset={dataset}'))
  check_drops(long, 200, PAPERS_DROPS)
  lines = d.differences(d.as_json(long), d.as_json(teacher))
  assert [line.partition(':')[0] for line in lines] == [
    'epochs', 'optimizer.drops',
  ]  # fmt: skip


def test_every_row_of_table1_and_its_teacher():
  configs = c.all_configs(load('table1', 'epochs=10'))
  assert len(configs) == 19 + 16
  for config in configs:
    check_drops(config, 10, (4, 7, 9))


@pytest.mark.parametrize('dataset', common.DATASETS)
@pytest.mark.parametrize('name', ALONE)
def test_plain_configs_too(name, dataset):
  check_drops(load(name, f'dataset={dataset}'), 200, PAPERS_DROPS)
  check_drops(load(name, f'dataset={dataset},epochs=10'), 10, (4, 7, 9))


@pytest.mark.parametrize('name', (*ALONE, *TAUGHT, 'table1'))
def test_200_is_what_there_was(name):
  assert d.as_json(load(name, 'epochs=200')) == d.as_json(load(name))
  assert not load(name).teacher.overrides


@pytest.mark.parametrize('dataset', common.DATASETS)
@pytest.mark.parametrize('name', (*ALONE, *TAUGHT, 'table1'))
def test_tiny_stays_tiny(name, dataset):
  tiny = f'dataset={dataset},tiny'
  for config in map(d.as_json, c.all_configs(load(name, tiny))):
    assert config['epochs'] == 2 and config['optimizer']['drops'] == [2]
    assert config['data']['name'] == 'digits'
  with pytest.raises(ValueError, match='leave out epochs'):
    load(name, f'{tiny},epochs=10')


def test_the_teacher_of_a_shorter_study_is_another():
  prints = {
    d.fingerprint(c.teacher_config(load('wrn_at', f'epochs={epochs}')))
    for epochs in (10, 20, 200)
  }
  assert len(prints) == 3


@pytest.mark.parametrize('epochs', [1, 2, 3])
def test_no_run_begins_with_a_drop(epochs):
  config = common.base()
  common.stretch(config, epochs)
  assert min(config.optimizer.drops) >= 2


def test_a_teacher_takes_no_epochs_of_its_own():
  own = 'teacher=configs/wrn.py:depth=16;width=2;epochs=50'
  with pytest.raises(ValueError, match="'epochs=50'.*leave it out"):
    c.teacher_config(load('wrn_at', own))


@pytest.mark.parametrize(
  ('arguments', 'paper'),
  [('', 6.31), ('epochs=10', 0), ('dataset=cifar100', 0)],
)
def test_a_teacher_under_other_conditions_has_no_number_of_the_paper(
  arguments, paper
):
  assert c.teacher_config(load('wrn_at', arguments)).paper == paper

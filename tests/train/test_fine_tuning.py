"""Runs that begin with another run's weights and train a part of them."""

import types

import jax
import numpy as np
import pytest
from helpers import Context, Quiet, StopAt, one_device
from small_networks import assert_trees_equal

from at_jax.data import load_dataset
from at_jax.objectives.paths import covered
from at_jax.train import study as study_module
from at_jax.train.checkpoint import read_json
from at_jax.train.config import load_config, row_config
from at_jax.train.stopping import Stopped
from at_jax.train.study import run_study
from at_jax.train.teacher import find_teacher
from at_jax.train.weights import load_weights
from configs import common

pytestmark = pytest.mark.usefixtures('small_wrn')
FROZEN = ('conv0', 'group1_*')


def run(config, workdir):
  console = Quiet()
  run_study(config, workdir, name='tuned', console=console, mesh=one_device())
  return console.lines


def tuned(folder, **changes):
  config = load_config('configs/wrn.py:tiny').unlock()
  config.start = common.dotted({'': str(folder)})
  config.freeze = FROZEN
  config.optimizer.rates = {'head': 2.0}
  config.update(changes)
  return config.lock()


@pytest.fixture(scope='module')
def first(small_wrn, tmp_path_factory):
  """The weights of a run, and those of one that began with them."""
  root = tmp_path_factory.mktemp('tuning')
  run(load_config('configs/wrn.py:tiny'), root / 'first')
  weights = root / 'first/main/seed0/weights'
  run(tuned(weights), root / 'tuned')
  return weights, root / 'tuned/main/seed0'


def test_frozen_parts_stay_and_others_move(first):
  before, after = load_weights(first[0]), load_weights(first[1] / 'weights')
  held = covered(FROZEN, before.variables['params'])
  same = jax.tree.map(np.array_equal, before.variables, after.variables)
  assert same['params'] == held
  stats = before.variables['batch_stats']
  assert same['batch_stats'] == covered(FROZEN, stats)
  result = read_json(first[1] / 'result.json')
  assert result['start_hashes'] == {'': before.digest}


def test_frozen_batch_norm_keeps_every_statistic(first, tmp_path):
  run(tuned(first[0], freeze=(), bn='frozen', epochs=1), tmp_path / 'work')
  before = load_weights(first[0]).variables
  after = load_weights(tmp_path / 'work/main/seed0/weights').variables
  assert_trees_equal(after['batch_stats'], before['batch_stats'])
  moved = jax.tree.map(np.array_equal, before['params'], after['params'])
  assert not any(jax.tree.leaves(moved))


def test_resumed_run_is_bitwise_the_same(first, tmp_path, monkeypatch):
  config, workdir = tuned(first[0]), tmp_path / 'work'
  with monkeypatch.context() as patch:
    patch.setattr(study_module, 'StopFlag', lambda: Context(StopAt(3)))
    with pytest.raises(Stopped):
      run(config, workdir)
  assert any('resuming from step' in line for line in run(config, workdir))
  assert_trees_equal(
    load_weights(workdir / 'main/seed0/weights').variables,
    load_weights(first[1] / 'weights').variables,
  )


def test_other_weights_in_the_same_folder_are_refused(
  first, tmp_path, monkeypatch
):
  """The config says where they lie; the run remembers what they were."""
  moving, workdir = tmp_path / 'moving', tmp_path / 'work'
  moving.symlink_to(first[0])
  with monkeypatch.context() as patch:
    patch.setattr(study_module, 'StopFlag', lambda: Context(StopAt(3)))
    with pytest.raises(Stopped):
      run(tuned(moving), workdir)
  moving.unlink()
  moving.symlink_to(first[1] / 'weights')
  with pytest.raises(ValueError, match='weights of config.start changed since'):
    run(tuned(moving), workdir)


def test_teacher_that_begins_elsewhere_is_another_teacher(first, tmp_path):
  """Its folder is named by what the weights hold, not by their path."""

  class Asked(Exception):
    pass

  def beside(config, workdir, name):
    raise Asked(workdir.name)

  moving = tmp_path / 'moving'
  config = load_config('configs/wrn_at.py:tiny').unlock()
  config.teacher.overrides = common.dotted({'start': {'': str(moving)}})
  config.teacher.config = 'configs/wrn.py:depth=10'
  config = row_config(config.lock(), 'main')
  dataset = load_dataset(config.data)
  study = types.SimpleNamespace(
    session=types.SimpleNamespace(dataset=lambda settings: dataset),
    workdir=tmp_path / 'work',
    beside=beside,
  )
  names = []
  for folder in (first[0], first[1] / 'weights'):
    moving.unlink(missing_ok=True)
    moving.symlink_to(folder)
    with pytest.raises(Asked) as asked:
      find_teacher(config, study).get()
    names.append(str(asked.value))
  assert names[0] != names[1]


@pytest.mark.parametrize(
  'changes, message',
  [
    (dict(freeze=('group9_*',)), "config.freeze names 'group9_\\*', where"),
    (dict(bn='thawed'), "Unknown config.bn 'thawed'"),
  ],
)
def test_bad_settings(first, tmp_path, changes, message):
  with pytest.raises(ValueError, match=message):
    run(tuned(first[0], **changes), tmp_path / 'work')


def test_rate_of_no_parameter(first, tmp_path):
  config = tuned(first[0]).unlock()
  config.optimizer.rates = {'fc': 10.0}
  with pytest.raises(ValueError, match="optimizer.rates names 'fc', where"):
    run(config.lock(), tmp_path / 'work')


def test_start_as_an_argument():
  config = load_config('configs/wrn.py:start=runs/x/weights')
  assert config.start.to_dict() == {'': 'runs/x/weights'}
  assert load_config('configs/wrn.py').paper and not config.paper
  assert load_config('configs/wrn.py').start.to_dict() == {}

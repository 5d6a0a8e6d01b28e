"""Configs of TASN: presets are settings, recipes and numbers the papers'."""

import pytest

from at_jax.train.config import load_config
from configs import tasn


def load(name, arguments=''):
  return load_config(f'configs/{name}.py{":" * bool(arguments)}{arguments}')


def test_cub_is_the_papers():
  config = load('tasn_cub')
  assert config.paper == 13.0 and config.epochs == 300
  data, optimizer = config.data, config.optimizer
  assert (data.size, data.resize, data.crop) == (512, 512, 'random')
  assert (data.jitter, data.rotate, data.colour) == (0.4, 30.0, 0.1)
  assert (optimizer.lr, optimizer.momentum, optimizer.weight_decay) == (
    0.1,
    0,
    0,
  )
  assert optimizer.drops == (101, 201) and optimizer.factor == 0.1
  assert config.batch_size == 96 and config.model.sampled_size == 224
  objective = config.objective
  assert objective.temperature == 10 and objective.distil == 1
  assert objective.distil / objective.weights.master == 2  # lambda
  assert set(config.start) == {'attention/trunk', 'backbone'}


@pytest.mark.parametrize(
  ('arguments', 'paper'),
  [
    ('sampled=336', 12.0),
    ('sampled=280', 0.0),
    ('start=', 0.0),
    ('start=elsewhere', 13.0),
    ('preset=mxnet,seeds=3', 13.0),
    ('preset=pytorch', 0.0),
    ('batch=24', 0.0),
  ],
)
def test_the_papers_number_is_for_its_settings(arguments, paper):
  assert load('tasn_cub', arguments).paper == paper


def test_presets_reach_model_and_objective():
  config = load('tasn_cub', 'preset=mxnet')
  model = config.model
  assert (model.power, model.draw, model.rule) == (2.0, 'distinct', 'pt')
  assert model.align_corners and not config.objective.one_way
  config = load('tasn_cub', 'preset=pytorch,recipe=pytorch')
  assert config.model.detail_floor == 0.01 and config.model.heads == 'shared'
  assert config.objective.weights.attention == 0.2
  assert config.objective.distil == 0 and config.epochs == 90
  assert config.optimizer.lr == 0.005 and config.optimizer.momentum == 0.9
  assert config.data.crop == 'random_resized' and not config.data.jitter
  config = load('tasn_cub', 'preset=paper')
  assert config.model.spatial_scale == 1.0
  assert config.objective.distil / config.objective.weights.master == 2


def test_other_data_keep_the_recipe():
  assert load('tasn_cars').data.name == 'tfds:cars196'
  assert load('tasn_cars').paper == 6.2
  inat = load('tasn_inat')
  assert inat.data.test_split == 'validation' and not inat.paper
  own = load('tasn_cub', 'dataset=folder:photos,epochs=30')
  assert own.data.name == 'folder:photos' and own.optimizer.drops == (11, 21)


def test_the_ablation_changes_one_thing_a_row():
  config = load('tasn_ablation', 'preset=paper')
  rows = config.rows
  assert rows['relation']['model'].variant == 'relation'
  assert rows['sum']['model'].marginal == 'sum'
  assert rows['uniform']['model'].sampler == 'uniform'
  assert rows['size_392']['model'].sampled_size == 392
  assert rows['part']['objective'].distil == 0
  assert 'part' not in rows['both']['objective'].weights
  assert rows['distil']['objective'].distil == 2 and config.baseline == 'distil'


def test_unknown_names_are_said():
  with pytest.raises(ValueError, match="preset of TASN 'mxnt'.*mean 'mxnet'"):
    load('tasn_cub', 'preset=mxnt')
  with pytest.raises(ValueError, match="Unknown recipe 'papr'.*mean 'paper'"):
    load('tasn_cub', 'recipe=papr')
  assert set(tasn.PRESETS) == {'ours', 'paper', 'mxnet', 'pytorch'}

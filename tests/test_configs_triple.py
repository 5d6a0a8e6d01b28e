"""Configs of triple attention: rows, weights to begin with, the cosine."""

from at_jax.train.config import load_config


def load(name, arguments=''):
  return load_config(f'configs/{name}.py{":" * bool(arguments)}{arguments}')


def test_chest_xrays():
  config = load('a3net_cxr14')
  assert config.data.name.startswith('chestxray14:') and not config.data.flip
  assert (config.data.size, config.data.resize) == (224, 256)
  assert config.data.validation == 8652 and config.batch_size == 32
  assert config.optimizer.name == 'adam' and config.optimizer.lr == 1e-4
  assert dict(config.optimizer.rates) == {'backbone': 0.1}
  assert dict(config.start) == {'backbone': 'weights/densenet121'}
  assert config.model.taps == (2, 3, 4) and config.objective.auxiliary == 1
  assert config.paper == 82.6
  assert load('a3net_cxr14', 'start=').paper == 0
  assert load('a3net_cxr14', 'dataset=chestxray14:nih').paper == 82.6
  assert 'rates' in load('a3net_cxr14', 'start=').optimizer


def test_ablation_adds_one_attention_a_row():
  rows = load('a3net_ablation').rows
  assert list(rows) == ['backbone', 'ca', 'ea', 'mean', 'sa']
  models = {key: row['model'] for key, row in rows.items()}
  assert models['backbone'].taps == (4,) and models['sa'].taps == (2, 3, 4)
  assert not models['backbone'].channel and not models['ca'].element
  assert 'channel' not in models['ea'] and 'element' not in models['ea']
  auxiliary = [row['objective'].auxiliary for row in rows.values()]
  assert auxiliary == [0, 0, 0, 1, 1]
  assert models['mean'].scale is False and models['mean'].taps == (2, 3, 4)


def test_small_studies():
  digits = load('triple_digits')
  assert digits.seeds == 5 and digits.baseline == 'control'
  assert digits.optimizer.schedule == 'cosine'
  objectives = {key: row['objective'] for key, row in digits.rows.items()}
  assert {own.loss for own in objectives.values()} == {'softmax'}
  assert [key for key, own in objectives.items() if own.auxiliary] == ['dense']
  canvases = load('triple_canvases')
  assert canvases.seeds == 5 and canvases.data.name == 'canvases'
  assert canvases.rows['sa']['model'].taps == (1, 2, 3)
  mnist = load('triple_mnist')
  assert mnist.data.name == 'mnist' and mnist.epochs == 2
  assert mnist.data.pad == 0 and not mnist.data.flip

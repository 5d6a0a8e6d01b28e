"""`python -m at_jax.visualize --what=samples`: which arrays of which images."""

import re

import numpy as np
import pytest
from saved_networks import noise_photo, save_network
from small_networks import (
  TASN_SETTINGS,
  SmallWRN,
  tasn_network,
  wrn_network,
)

from at_jax.data.augment import normalise
from at_jax.models import MODELS
from at_jax.train.weights import load_weights
from at_jax.visualize.__main__ import main as visualize
from at_jax.visualize.channels import channel_numbers


@pytest.fixture(scope='module', autouse=True)
def small():
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'wrn', SmallWRN)
    yield


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  network = tasn_network(mean=(100.0,), std=(50.0,), shape=(12, 12, 1))
  folder = tmp_path_factory.mktemp('tasn') / 'weights'
  model = dict(TASN_SETTINGS, name='tasn')
  return save_network(folder, network, model, 'abc')


def test_pictures_and_arrays(weights, tmp_path, capsys):
  paths = [
    noise_photo(tmp_path / 'a.jpg', 12, 18, 3),
    noise_photo(tmp_path / 'b.png', 1, 1),
  ]
  out = tmp_path / 'out'
  command = [f'--workdir={weights}', '--what=samples', f'--out={out}']
  visualize([*command, '--channels=top2,5,5', '--images', *paths])
  said = capsys.readouterr().out
  assert (
    len(re.findall(r'[ab]_samples.png: [abc], probability [01]\.', said)) == 2
  )
  assert sorted(path.name for path in out.iterdir()) == [
    'a_samples.npz',
    'a_samples.png',
    'b_samples.npz',
    'b_samples.png',
    'features_and_maps.png',
    'index.html',
  ]
  with np.load(out / 'a_samples.npz') as arrays:
    found = dict(arrays)
  assert found['image'].shape == (12, 18, 1)
  network = load_weights(weights).network
  variables = load_weights(weights).variables
  seen = normalise(found['image'][None], network.mean, network.std)
  _, ends = network.apply(variables, seen)
  close = dict(rtol=1e-3, atol=1e-3)
  for name in ('features', 'attention', 'map/structure'):
    np.testing.assert_allclose(found[name], ends[name][0], **close)
  pixels = 100 + 50 * ends['sampled/structure'][0]
  np.testing.assert_allclose(found['sampled/structure'], pixels, rtol=1e-3)
  numbers = found['channels']
  assert 5 in numbers and len(set(numbers)) == len(numbers) <= 3
  maps = np.moveaxis(found['attention'][..., numbers], -1, 0)
  np.testing.assert_allclose(found['map/detail'], maps, **close)
  assert found['sampled/detail'].shape == (len(numbers), 8, 8, 1)
  assert (
    found['rows/positions'].shape == found['columns/positions'].shape == (8,)
  )
  assert found['columns/density'].shape == (18,)
  line = re.search(r'\| a\.jpg .*', said)[0].split('|')
  densest = found['rows/density'].max(), found['columns/density'].max()
  for cell, value in zip(line[-3:-1], densest, strict=True):
    assert float(cell) == pytest.approx(value, abs=0.006)


def test_maps_that_look_alike_are_shown_once():
  rng = np.random.default_rng(0)
  maps = rng.uniform(0, 1, (2, 4, 4, 3)) * [1, 3, 2]
  maps = np.concatenate([maps, maps * 1.01], axis=-1)
  assert channel_numbers('top6', maps) == [4, 1, 5, 2, 3, 0]
  assert channel_numbers('top6', maps, distinct=True) == [4, 5, 3]
  assert channel_numbers('top2', maps, distinct=True) == [4, 5]
  dead = np.zeros((1, 2, 2, 3))
  assert channel_numbers('top4', dead, distinct=True) == [0]


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (['--channels=99'], 'takes top3, random3 or a number below 16'),
    (['--channels=mean'], 'takes top3, random3 or a number'),
    (['--modules=*'], '--modules is for --what=masks, not for samples'),
    (['--scale=own'], '--scale is for .*maps, gradients or masks, not for'),
    ([], 'without a workdir around it'),
  ],
)
def test_errors(weights, tmp_path, arguments, words):
  path = noise_photo(tmp_path / 'a.png', 5, 6)
  command = [f'--workdir={weights}', '--what=samples', f'--out={tmp_path}']
  if arguments:
    command += ['--images', path]
  with pytest.raises(SystemExit) as error:
    visualize([*command, *arguments])
  assert re.search(words, str(error.value)), error.value


def test_another_network_is_told(tmp_path):
  network = wrn_network()
  save_network(
    tmp_path / 'weights',
    network,
    dict(name='wrn', depth=10, width=1),
    '0123456789',
  )
  path = noise_photo(tmp_path / 'a.png', 8, 8)
  command = [f'--workdir={tmp_path / "weights"}', '--images', path]
  with pytest.raises(SystemExit, match='does not sample by attention'):
    visualize([*command, '--what=samples'])
  assert not (tmp_path / 'visualize').exists()

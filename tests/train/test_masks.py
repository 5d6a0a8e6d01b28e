"""Networks with soft masks: what a run writes, measures and shows of them."""

import jax
import numpy as np
import pytest
from helpers import Quiet, one_device
from small_networks import SmallRAN

from at_jax.data import load_dataset
from at_jax.evaluate import evaluate
from at_jax.models import MODELS
from at_jax.report import write_report
from at_jax.train.checkpoint import read_json
from at_jax.train.config import load_config
from at_jax.train.study import run_study
from at_jax.train.weights import load_weights
from at_jax.visualize.__main__ import main as visualize

PLACES = tuple(f'group{g}/module1' for g in (1, 2, 3))
PARTS = ('split', 'trunk', 'mask', 'product', 'fused', 'active')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A finished run with a mean for each pixel and some wrong labels."""
  folder = tmp_path_factory.mktemp('masks') / 'work'
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'ran_cifar', SmallRAN)
    config = load_config('configs/ran_cifar.py:tiny').unlock()
    config.model = dict(name='ran_cifar', width=4)
    config.data.update(per_pixel_mean=True, std=(255.0,), label_noise=0.2)
    run_study(
      config.lock(), folder, name='masked', console=Quiet(), mesh=one_device()
    )
    yield folder


@pytest.fixture(scope='module')
def weights(folder):
  return load_weights(folder / 'main/seed0/weights')


@pytest.fixture(scope='module')
def ends(weights, folder):
  """All test images, and what the network makes of them."""
  config = read_json(folder / 'config.json')
  dataset = load_dataset(config['data'])
  images = np.float64(dataset.test.images) - dataset.train.images.mean(0)
  _, ends = jax.jit(weights.network.apply)(
    weights.variables, np.float32(images / 255)
  )
  return dataset, jax.tree.map(np.float64, ends)


def test_the_mean_of_each_pixel_is_kept(folder, weights):
  config = read_json(folder / 'config.json')
  dataset = load_dataset(config['data'])
  mean = np.array(weights.network.mean)
  assert mean.shape == (8, 8, 3) and weights.network.std == (255.0,)
  np.testing.assert_allclose(mean, dataset.train.images.mean(0), rtol=1e-6)
  assert len(np.unique(mean)) > 30
  result = read_json(folder / 'main/seed0/result.json')
  measured = evaluate(folder)
  assert measured['error'] == result['test_error']
  for place, found in result['masks'].items():
    assert measured['masks'][place] == pytest.approx(found, rel=1e-4)
  about = read_json(folder / 'about.json')
  assert 'of 200 training labels wrong on purpose (level 0.2' in about['data']
  assert result['data'] == about['data']


def test_statistics_are_those_of_all_test_images(folder, ends):
  _, ends = ends
  result = read_json(folder / 'main/seed0/result.json')
  assert result['responses'].keys() == {'group1', 'group2', 'group3'}
  for group, value in result['responses'].items():
    np.testing.assert_allclose(value, np.abs(ends[group]).mean(), rtol=1e-4)
  assert tuple(result['masks']) == PLACES
  for place, found in result['masks'].items():
    mask = ends[f'mask/{place}']
    wanted = {
      'mean': mask.mean(),
      'low': np.mean(mask < 0.05),
      'high': np.mean(mask > 0.95),
      'spatial': mask.var((1, 2)).mean(),
      'channels': mask.mean((1, 2)).var(-1).mean(),
    }
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
      np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-6)


def test_kept_maps_are_those_of_the_network(folder, ends):
  dataset, ends = ends
  arrays = np.load(folder / 'main/seed0/masks.npz')
  assert len(arrays['images']) == 4
  equal = [
    np.flatnonzero((dataset.test.images == image).all((1, 2, 3)))[0]
    for image in arrays['images']
  ]
  for place in PLACES:
    split, trunk, mask = (ends[f'{part}/{place}'][equal] for part in PARTS[:3])
    wanted = dict(split=split, trunk=trunk, mask=mask, product=mask * trunk)
    wanted['fused'] = wanted['product'] + trunk
    wanted['active'] = np.maximum(wanted['fused'], 0)
    contrast = mask.std((1, 2)).mean(0)
    strongest = int(np.argmax(contrast))
    for part, value in wanted.items():
      close = dict(rtol=1e-3, atol=1e-5)
      got = arrays[f'mean/{part}/{place}']
      np.testing.assert_allclose(got, value.mean(-1), **close)
      got = arrays[f'channel{strongest}/{part}/{place}']
      np.testing.assert_allclose(got, value[..., strongest], **close)


def test_the_report_shows_them(folder):
  write_report(folder)
  page = (folder / 'report.md').read_text()
  assert '## Masks' in page and 'masks_main.png' in page
  for name in ('masks_main.png', 'responses.png', 'attention.png'):
    assert (folder / name).read_bytes().startswith(b'\x89PNG')
  # Masks have a picture of their own.
  with np.load(folder / 'main/seed0/attention.npz') as arrays:
    assert not [name for name in arrays if 'mask' in name]


def test_a_network_without_masks_has_responses_only(tmp_path, small_wrn):
  config = load_config('configs/wrn.py:tiny')
  run_study(config, tmp_path, name='wrn', console=Quiet(), mesh=one_device())
  result = read_json(tmp_path / 'main/seed0/result.json')
  assert 'masks' not in result and len(result['responses']) == 3
  assert not (tmp_path / 'main/seed0/masks.npz').exists()
  with pytest.raises(SystemExit, match='has no masks: --what=masks is for'):
    visualize([f'--workdir={tmp_path}', '--what=masks'])


def test_rows_of_other_data_say_so(tmp_path, monkeypatch):
  """A study of noise: its own data are clean, those of its rows are not."""
  monkeypatch.setitem(MODELS, 'ran_cifar', SmallRAN)
  config = load_config('configs/ran_table5.py:tiny,rows=attention_30')
  console = Quiet()
  run_study(config, tmp_path, name='x', console=console, mesh=one_device())
  said = [line for line in console.lines if 'wrong on purpose' in line]
  assert said[0].startswith('row attention_30: data digits from')
  write_report(tmp_path)
  page = (tmp_path / 'report.md').read_text()
  assert 'Data of Attention-92, 30 %: ' in page and 'level 0.3, seed 0' in page

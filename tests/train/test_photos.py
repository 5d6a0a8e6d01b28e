"""Fine-tuning as the configs for photos do it, on JPEGs made of digits."""

import json

import jax
import numpy as np
import pytest
from helpers import Quiet, one_device
from photo_folders import write_digits
from small_networks import variables_of

from at_jax.models import create_model, resnet
from at_jax.objectives import Network
from at_jax.objectives.paths import covered
from at_jax.train.checkpoint import read_json
from at_jax.train.config import load_config
from at_jax.train.study import run_study
from at_jax.train.weights import load_weights, save_weights
from configs import photos

CLASSES = 4
SIZE = 64


def pretrained(folder, seed, classes):
  """A weights folder as `convert` would leave it, of random weights."""
  name = 'resnet18'
  network = Network(
    create_model(name, num_classes=classes),
    photos.MEAN,
    photos.STD,
    (224, 224, 3),
    name,
  )
  save_weights(
    folder,
    network=network,
    model=dict(name=name, num_classes=classes),
    variables=_calm(variables_of(network, seed)),
    class_names=[str(k) for k in range(classes)],
  )
  return folder


def _calm(variables):
  """Blocks that add little: random weights with fixed norms would explode."""

  def calm(path, leaf):
    names = [key.key for key in path]
    return 0.05 * leaf if names[-2:] == ['bn1', 'scale'] else leaf

  return jax.tree.map_with_path(calm, variables)


@pytest.fixture(scope='module', autouse=True)
def short():
  """A block for a group, but for the frozen one: all of them compile long."""
  with pytest.MonkeyPatch.context() as patch:
    for depth in (18, 34):
      patch.setitem(resnet.DEPTHS, depth, (resnet.BasicBlock, (2, 1, 1, 1)))
    yield


@pytest.fixture(scope='module')
def tuned(short, tmp_path_factory):
  """(weights it began with, folder of the run) of two steps."""
  root = tmp_path_factory.mktemp('photos')
  data = write_digits(
    root / 'data', train=8, test=4, side=72, boxes=True, classes=CLASSES
  )
  start = pretrained(root / 'start', 18, 7)
  teacher = pretrained(root / 'teacher', 34, 7)
  arguments = f'dataset=folder:{data},start={start},epochs=1,batch=4'
  arguments += f',size={SIZE},lr=1e-3'
  config = load_config(f'configs/resnet_cub_at.py:{arguments}').unlock()
  config.teacher.update(config='', weights=str(teacher))
  config.data.to_box = True  # as on CUB
  run_study(
    config.lock(), root / 'work', name='x', console=Quiet(), mesh=one_device()
  )
  return start, root / 'work/main/seed0'


def test_stem_first_group_and_statistics_are_bitwise_unchanged(tuned):
  before, after = (
    load_weights(f).variables for f in (tuned[0], tuned[1] / 'weights')
  )
  head = after['params'].pop('head'), before['params'].pop('head')
  assert [h['kernel'].shape[-1] for h in head] == [CLASSES, 7]
  for name, one in before['batch_stats'].items():
    for norm, stats in one.items():
      for key, value in stats.items():
        other = after['batch_stats'][name][norm][key]
        np.testing.assert_array_equal(other, value, f'{name}/{norm}/{key}')
  frozen = covered(photos.FROZEN, before['params'])
  for name in before['params']:
    leaves = before['params'][name], after['params'][name], frozen[name]
    _assert_moved(name, *leaves)


def _assert_moved(name, before, after, frozen):
  if not isinstance(before, dict):
    assert np.array_equal(before, after) == frozen, name
    return
  for key in before:
    _assert_moved(f'{name}/{key}', before[key], after[key], frozen[key])


def test_two_groups_are_transferred_and_looks_measured(tuned):
  result = read_json(tuned[1] / 'result.json')
  assert result['steps'] == 2 and result['localisation']['area'] > 99
  taps = ['group1', 'group2', 'group3', 'group4']
  assert list(result['localisation']['energy']) == taps
  arrays = np.load(tuned[1] / 'attention.npz')
  assert arrays['images'].shape == (4, SIZE, SIZE, 3)
  assert arrays['teacher/group4'].shape == (4, 2, 2)
  # The teacher knows other classes: its maps are learned, it has no error.
  (about,) = json.loads((tuned[1].parents[1] / 'teachers.json').read_text())
  assert about['rows'] == ['main'] and 'test_error' not in about
  row = (tuned[1] / 'metrics.jsonl').read_text().splitlines()[0]
  assert '"at/group3"' in row and '"at/group4"' in row
  assert '"at/group2"' not in row

"""Maps of classes: what is computed, kept by a run, and shown by its report."""

import types

import jax
import numpy as np
import pytest
from helpers import Quiet, one_device
from small_networks import random_split, tiny_network, variables_of

from at_jax.data.augment import normalise
from at_jax.data.dataset import Split
from at_jax.models import create_model
from at_jax.objectives import Network
from at_jax.report import write_report
from at_jax.train.class_views import (
  check_class_maps,
  class_views,
  has_class_maps,
)
from at_jax.train.config import load_config
from at_jax.train.snapshot import save_classes, save_snapshot
from at_jax.train.study import run_study
from at_jax.visualize.__main__ import main as visualize

A3NET = dict(
  blocks=(1, 1), growth=4, stem=8, width=4, taps=(1, 2), num_classes=3
)
IMAGES = random_split(2, (32, 48, 1))['image']


def network_of(name='a3net', mean=(100.0,), std=(50.0,), **arguments):
  model = create_model(name, **arguments)
  return Network(model, mean, std, (32, 48, 1), name)


@pytest.fixture(scope='module')
def a3net():
  network = network_of(**A3NET)
  return network, variables_of(network, 0)


def test_views_are_those_of_the_network(a3net):
  network, variables = a3net
  chances, views = class_views(network, True)(variables, IMAGES)
  seen = normalise(IMAGES, network.mean, network.std)
  logits, ends = jax.jit(network.apply)(variables, seen)
  close = dict(rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(chances, 1 / (1 + np.exp(-logits)), **close)
  parts = ('attention', 'scores', 'weighted', 'score', 'gate')
  wanted = {f'{part}/group{g}' for part in parts for g in (1, 2)}
  assert set(views) == wanted | {'scale'}
  for name, array in views.items():
    np.testing.assert_allclose(array, ends[name], **close)
  assert views['scale'].shape == (2, 2, 3)
  a, s, m = (views[f'{part}/group2'] for part in parts[:3])
  np.testing.assert_allclose(a.sum((1, 2)), 1, rtol=1e-5)
  np.testing.assert_allclose(m, s * a, **close)
  np.testing.assert_allclose(views['score/group2'], m.sum((1, 2)), **close)


def test_labels_that_exclude_each_other_have_a_softmax():
  network = network_of('attention_cnn', k=4, width=4, num_classes=3)
  variables = variables_of(network, 0)
  chances, views = class_views(network)(variables, IMAGES)
  np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-5)
  # The pool of M is the logit.
  logits = views['score/group1']
  wanted = np.exp(logits - jax.nn.logsumexp(logits, -1, keepdims=True))
  np.testing.assert_allclose(chances, wanted, rtol=1e-4)
  assert 'scale' not in views


def test_who_has_maps_of_classes(a3net):
  assert has_class_maps(a3net[0])
  control = dict(k=4, width=4, channel=False, element=False)
  assert has_class_maps(network_of('attention_cnn', **control))
  assert not has_class_maps(tiny_network())
  with pytest.raises(ValueError, match='TinyNet has no maps.*a3net, attention'):
    check_class_maps(tiny_network())


def program_of(network, multi_label, boxes):
  """What saving asks of a `Program`."""
  rng = np.random.default_rng(0)
  labels = np.array([2, 0, 0, 1], np.int32)
  if multi_label:
    labels = np.eye(3, dtype=np.int32)[labels]
    labels[1] = (1, 0, 1)
  images = rng.integers(0, 256, (4, 32, 48, 1), dtype=np.uint8)
  split = Split(images, labels, boxes)
  dataset = types.SimpleNamespace(
    test=split, class_names=('a', 'b', 'c'), multi_label=multi_label
  )
  return types.SimpleNamespace(
    network=network,
    bench=types.SimpleNamespace(dataset=dataset),
    needs_teacher=False,
    shows_gradients=False,
  )


@pytest.mark.parametrize('multi_label', [True, False])
def test_what_is_kept_of_the_snapshot(a3net, tmp_path, multi_label):
  network, variables = a3net
  boxes = np.arange(4 * 2 * 5, dtype=np.float32).reshape(4, 2, 5)
  program = program_of(network, multi_label, boxes if multi_label else None)
  save_snapshot(tmp_path, 'after', program, variables)
  save_classes(tmp_path, program, variables)
  found = dict(np.load(tmp_path / 'classes.npz'))
  chosen = [0, 1, 3]  # one of each class, the first
  test = program.bench.dataset.test
  np.testing.assert_array_equal(found.pop('images'), test.images[chosen])
  np.testing.assert_array_equal(found.pop('labels'), test.labels[chosen])
  assert list(found.pop('class_names')) == ['a', 'b', 'c']
  assert ('boxes' in found) == multi_label
  if multi_label:
    np.testing.assert_array_equal(found.pop('boxes'), boxes[chosen])
  views = class_views(network, multi_label)
  chances, wanted = views(variables, test.images[chosen])
  close = dict(rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(found.pop('probabilities'), chances, **close)
  assert found.keys() == wanted.keys()
  for name, array in found.items():
    np.testing.assert_allclose(array, wanted[name], **close)


def test_nothing_is_kept_of_other_networks(tmp_path):
  save_classes(tmp_path, types.SimpleNamespace(network=tiny_network()), {})
  assert not list(tmp_path.iterdir())


def test_a_run_ends_with_them(tmp_path, capsys):
  """In a report, and drawn again for its test images."""
  folder = tmp_path / 'work'
  config = load_config('configs/triple_digits.py:tiny,seeds=1').unlock()
  config.rows['both']['model'].update(k=4, width=4)
  config.epochs = 1
  run_study(
    config.lock(), folder, name='digits', console=Quiet(), mesh=one_device()
  )
  write_report(folder)
  page = (folder / 'report.md').read_text()
  for name in ('classes_both.png', 'gates_both.png'):
    assert f']({name})' in page
    assert (folder / name).read_bytes().startswith(b'\x89PNG')
  kept = np.load(folder / 'both/seed0/classes.npz')
  command = [f'--workdir={folder}', '--what=gates', '--count=2']
  visualize([*command, '--classes=present,7', f'--out={tmp_path / "out"}'])
  said = capsys.readouterr().out
  paths = sorted((tmp_path / 'out').glob('*.npz'))
  assert len(paths) == 2 and said.count('present') == 2
  for path, k in zip(paths, range(2), strict=True):
    found = np.load(path)
    np.testing.assert_array_equal(found['image'], kept['images'][k])
    assert found['label'] == kept['labels'][k]
    assert set(found['chosen']) == {7, int(found['label'])}
    for name in ('attention/group1', 'gate/group1'):
      close = dict(rtol=1e-4, atol=1e-6)
      np.testing.assert_allclose(found[name], kept[name][k], **close)

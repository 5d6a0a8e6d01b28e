"""Runs on images with several labels: what they measure, write and refuse."""

import json

import numpy as np
import pytest
from helpers import Quiet, make_program, one_device, tiny_config
from multi_label_data import CLASSES, MapNet, dataset, squares
from small_networks import wrn_network

from at_jax import evaluate as evaluate_module
from at_jax.evaluate import evaluate
from at_jax.models import MODELS
from at_jax.report import write_report
from at_jax.train import metrics
from at_jax.train import study as study_module
from at_jax.train.bench import check_same_kind
from at_jax.train.checkpoint import read_json
from at_jax.train.config import load_config
from at_jax.train.study import run_study
from at_jax.train.weights import load_weights
from at_jax.visualize import images


@pytest.fixture(scope='module', autouse=True)
def made():
  """The network by name, and the data wherever a command reads some."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'map_net', MapNet)
    for module in (study_module, evaluate_module, images):
      patch.setattr(module, 'load_dataset', lambda settings: dataset())
    yield


def configured(config, **objective):
  with config.unlocked():
    config.model = dict(name='map_net')
    config.update(epochs=2, batch_size=8, eval_batch_size=8, label='')
    config.data.update(mean=(75.0,), std=(50.0,))
    config.objective = objective or dict(name='multi_label', auxiliary=0.0)
  return config


@pytest.fixture(scope='module')
def study(tmp_path_factory):
  """(workdir, lines): one row, one seed, evaluated on validation images."""
  folder = tmp_path_factory.mktemp('multi_label') / 'work'
  config = configured(load_config('configs/wrn.py:tiny').unlock()).lock()
  console = Quiet()
  run_study(config, folder, name='squares', console=console, mesh=one_device())
  return folder, console.lines


def test_epochs_are_measured_by_auroc(study):
  folder, lines = study
  run = folder / 'main/seed0'
  rows = map(json.loads, (run / 'metrics.jsonl').read_text().splitlines())
  rows = [row for row in rows if 'validation_auroc' in row]
  assert [row['epoch'] for row in rows] == [1, 2]
  names = {f'validation_{x}' for x in ('auroc', 'ap', 'loss', 'error')}
  assert rows[0].keys() == {'step', 'epoch', *names}  # no interval here
  result = read_json(run / 'result.json')
  assert result['validation_auroc'] == rows[1]['validation_auroc']
  said = f'squares: test AUROC {result["test_auroc"]:.2f} % after 2 epochs'
  assert any(line.startswith(said) for line in lines)
  said = f'validation AUROC {rows[0]["validation_auroc"]:.2f} %, lr '
  assert any(said in line for line in lines if 'epoch 1/2' in line)


def test_what_a_run_leaves(study):
  run = study[0] / 'main/seed0'
  result = read_json(run / 'result.json')
  assert 'test_class_errors' not in result
  assert result['test_class_auroc']['never'] is None
  assert result['class_localisation']['group1']['pairs'] > 0
  scores = np.load(run / 'scores.npz')
  assert scores['logits'].dtype == np.float32
  assert scores['labels'].dtype == np.uint8
  np.testing.assert_array_equal(scores['labels'], squares(24, 2).labels)
  for name in ('predictions.npz', 'mistakes.npz'):  # one label an image
    assert not (run / name).exists()
  areas = metrics.auroc(scores['logits'], scores['labels'])
  assert result['test_auroc'] == pytest.approx(100 * areas[:3].mean())
  assert read_json(run / 'weights/model.json')['multi_label'] is True
  assert load_weights(run / 'weights').multi_label
  assert np.load(run / 'attention.npz')['labels'].shape[1] == len(CLASSES)


def test_a_folder_without_the_entry_is_of_one_label(study):
  folder = study[0] / 'main/seed0/weights'
  text = (folder / 'model.json').read_text()
  about = json.loads(text)
  del about['multi_label']
  (folder / 'model.json').write_text(json.dumps(about))
  assert load_weights(folder).multi_label is False
  (folder / 'model.json').write_text(text)


def test_the_evaluate_command_measures_the_same(study):
  result = read_json(study[0] / 'main/seed0/result.json')
  found = evaluate(study[0], batch_size=5, mesh=one_device())
  for name in ('auroc', 'ap', 'loss', 'auroc_interval'):
    assert found[name] == pytest.approx(result[f'test_{name}'], rel=1e-5)
  assert found['class_ap'] == pytest.approx(result['test_class_ap'])
  assert found['class_localisation'].keys() == {'group1'}
  assert evaluate(study[0], split='validation')['auroc'] == pytest.approx(
    result['validation_auroc']
  )


def test_the_report(study):
  text = write_report(study[0])
  assert 'validation AUROC %, mean' in text and 'test AUROC %, median' in text
  page = (study[0] / 'report.md').read_text()
  assert '## Classes' in page and '## In the boxes of each class' in page
  for name in ('roc_main.png', 'attention.png', 'curves.png'):
    assert (study[0] / name).read_bytes().startswith(b'\x89PNG')
  assert 'damaged' not in page


def test_images_are_called_by_all_their_classes(study):
  config = tiny_config()
  shown = images.Examples(config, 4).of(wrn_network())
  shown = {x.name: x.title for x in shown}
  for name, title in shown.items():
    labels = squares(24, 2).labels[int(name.removeprefix('test'))]
    wanted = [CLASSES[k] for k in np.flatnonzero(labels)]
    assert title == f'{name}, label {", ".join(wanted) or "none"}'


@pytest.mark.parametrize('name', ['supervised', 'transfer', 'tasn'])
def test_a_softmax_objective_is_refused_at_once(name):
  config = configured(tiny_config('configs/wrn.py:tiny'), name=name)
  with pytest.raises(ValueError, match="set config.objective=dict.name='multi"):
    make_program(config, dataset())


def test_rows_of_two_kinds_are_refused():
  one = dataset()
  check_same_kind('b', one, one)

  class Single:
    multi_label = False

  with pytest.raises(ValueError, match="Row 'b' has images of several labels"):
    check_same_kind('b', one, Single)

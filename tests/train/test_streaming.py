"""Training on images that are read while it goes on."""

import json

import jax
import numpy as np
import pytest
from helpers import (
  Quiet,
  StopAt,
  make_program,
  numbers,
  one_device,
  tiny_config,
)
from photo_folders import write_digits
from small_networks import TinyNet, tiny_network, variables_of

from at_jax import energy_in_boxes, pointing_game
from at_jax.data import load_dataset
from at_jax.data.dataset import Split
from at_jax.evaluate import evaluate
from at_jax.models import MODELS
from at_jax.report import write_report
from at_jax.train.evaluation import Evaluator
from at_jax.train.looks import attention_maps
from at_jax.train.loop import train
from at_jax.train.mesh import data_mesh
from at_jax.train.stopping import Stopped
from at_jax.train.study import run_study
from at_jax.train.weights import load_weights
from configs import common

TRAIN, TEST, SIZE, BATCH = 22, 13, 12, 8
STEPS = 2  # an epoch; 6 images are left out


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  root = tmp_path_factory.mktemp('digits')
  return write_digits(root, train=TRAIN, test=TEST, boxes=True)


@pytest.fixture(scope='module', autouse=True)
def tiny_net():
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'tiny_net', TinyNet)
    yield


def settings(folder, **changes):
  """`config.data` of a folder."""
  data = dict(name=f'folder:{folder}', size=SIZE, channels=0)
  data |= dict(train_examples=0, pad=0, flip=True)
  return {f'data.{name}': value for name, value in (data | changes).items()}


def config_of(folder, **changes):
  """A student with attention transfer, 3 epochs, on a folder."""
  config = tiny_config('configs/wrn_at.py:tiny', **settings(folder, **changes))
  with config.unlocked():
    config.batch_size, config.eval_batch_size = BATCH, 5
    config.log_every = 1
    config.model = dict(name='tiny_net', width=4)
    config.objective.terms['at'].taps = (('group2', 'group2'),)
    config.teacher.overrides = common.dotted(
      {'model': dict(name='tiny_net', width=8)}
    )
  return config


@pytest.fixture(scope='module')
def program(folder):
  config = config_of(folder)
  return make_program(config, load_dataset(config.data))


def with_workers(program, workers):
  """The same program, reading in processes."""
  config = config_of(program.config.data.name[7:], workers=workers)
  made = make_program(config, load_dataset(config.data))
  made.set_teacher(jax.device_get(program.teacher_variables))
  return made


def run(program, folder, stop=None, seed=1):
  return train(
    program,
    seed=seed,
    folder=folder,
    title='run',
    console=Quiet(),
    stop=stop or StopAt(),
  )


@pytest.fixture(scope='module')
def whole(program, tmp_path_factory):
  path = tmp_path_factory.mktemp('whole')
  return run(program, path), path


def assert_same(path, result, whole):
  expected, other = whole
  assert numbers(path) == numbers(other)
  for key in ('test_error', 'test_loss', 'localisation', 'test_class_errors'):
    assert result[key] == expected[key]
  digests = [load_weights(p / 'weights').digest for p in (path, other)]
  assert digests[0] == digests[1]


def test_it_learns_and_writes_what_others_do(program, whole):
  result, path = whole
  rows = numbers(path)
  assert [r['step'] for r in rows if 'loss' in r] == [1, 2, 3, 4, 5, 6]
  assert [r['epoch'] for r in rows if 'test_error' in r] == [1, 2, 3]
  assert result['data_fingerprint'] == program.bench.dataset.fingerprint
  assert len(result['test_class_errors']) == 10
  arrays = np.load(path / 'attention.npz')
  test = program.bench.dataset.test
  np.testing.assert_array_equal(arrays['labels'], [0, 1, 2, 3])
  indices = [list(test.labels).index(k) for k in range(4)]
  images = test.examples(indices)['image']
  np.testing.assert_array_equal(arrays['images'], images)
  assert arrays['images'].shape == (4, SIZE, SIZE, 3)


@pytest.mark.parametrize(('stops', 'workers'), [((0,), 0), ((2, 1), 1)])
def test_resume_is_bitwise(program, whole, tmp_path, stops, workers):
  """Inside an epoch and at its end, in threads and with workers."""
  again = with_workers(program, workers) if workers else program
  for count in stops:
    with pytest.raises(Stopped):
      run(again, tmp_path, stop=StopAt(count))
  assert_same(tmp_path, run(again, tmp_path), whole)


def test_seeds_see_other_batches(program):
  first = [
    jax.device_get(program.feed(seed, 0)(None, 0)[0]) for seed in (1, 1, 2)
  ]
  assert first[0].keys() == {'image', 'label'}
  assert first[0]['image'].shape == (BATCH, SIZE, SIZE, 3)
  np.testing.assert_array_equal(first[0]['image'], first[1]['image'])
  assert (first[0]['image'] != first[2]['image']).any()


def test_a_batch_is_shared_by_the_devices(folder):
  config = config_of(folder)
  dataset = load_dataset(config.data)
  one, two = (
    make_program(config, dataset, data_mesh(jax.devices()[:count]))
    for count in (1, 2)
  )
  losses, seen = [], []
  for program in (one, two):
    state, feed = program.init(0), program.feed(0, 0)
    seen.append(feed(None, 0)[0]['image'])
    for step in range(1, STEPS + 1):
      state, metrics, length = program.advance(state, feed, step)
      assert length == 1
    feed.close()
    losses.append(float(metrics['loss'][0]))
  np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
  whole, shared = seen
  assert [len(s.data) for s in whole.addressable_shards] == [BATCH]
  assert [len(s.data) for s in shared.addressable_shards] == [BATCH // 2] * 2
  np.testing.assert_array_equal(whole, shared)


@pytest.mark.parametrize(
  ('batch_size', 'devices'), [(4, 1), (7, 2), (TEST, 1), (50, 8)]
)
def test_evaluation_is_that_of_the_same_images_in_memory(
  program, batch_size, devices
):
  test = program.bench.dataset.test
  examples = test.examples(range(TEST))
  network = tiny_network(shape=(SIZE, SIZE, 3))
  variables = variables_of(network, 3)
  found = [
    Evaluator(
      network,
      split,
      batch_size=batch_size,
      mesh=data_mesh(jax.devices()[:devices]),
      precision='float32',
    )(variables)
    for split in (test, Split(examples['image'], examples['label']))
  ]
  for name in ('predictions', 'labels', 'ranks'):
    one, other = (getattr(x, name) for x in found)
    np.testing.assert_array_equal(one, other)
  np.testing.assert_allclose(found[0].losses, found[1].losses, rtol=1e-5)
  assert found[0].error == found[1].error
  assert found[1].localisation() == {}
  # Where it looks, by the functions of arrays on the whole split at once.
  images = (examples['image'] - np.array(network.mean)) / np.array(network.std)
  _, ends = network.apply(variables, images.astype(np.float32))
  looks = found[0].localisation()
  assert looks['images'] == TEST and 0 < looks['area'] < 100
  for name, maps in attention_maps(ends).items():
    pair = (maps, examples['boxes'], (SIZE, SIZE))
    energy = 100 * np.mean(energy_in_boxes(*pair))
    hits = 100 * np.mean(pointing_game(*pair))
    np.testing.assert_allclose(looks['energy'][name], energy, rtol=1e-4)
    np.testing.assert_allclose(looks['pointing'][name], hits)


def test_cuts_are_those_of_any_data_set(folder):
  fields = dict(name=f'folder:{folder}', size=SIZE)
  data = load_dataset(fields | dict(validation=5, train_examples=10))
  assert (len(data.train), len(data.validation), len(data.test)) == (10, 5, 13)
  np.testing.assert_array_equal(np.bincount(data.train.labels), [1] * 10)
  paths = [set(s.records.paths) for s in (data.train, data.validation)]
  assert not paths[0] & paths[1]
  assert data.train.has_boxes and data.image_shape == (SIZE, SIZE, 3)
  prints = {data.fingerprint, load_dataset(fields).fingerprint}
  assert len(prints) == 2
  other = load_dataset(fields | dict(size=20, crop='center'))
  assert other.fingerprint in prints  # the data are the same


def study_of(folder, workdir, **changes):
  config = tiny_config('configs/wrn.py:tiny', **settings(folder, **changes))
  with config.unlocked():
    config.batch_size, config.epochs = BATCH, 1
    config.model = dict(name='tiny_net', width=4)
    config.update(rows={}, baseline='', seeds=1)
  run_study(config, workdir, name='digits', console=Quiet(), mesh=one_device())
  return config


def test_boxes_reach_result_report_and_evaluate(folder, tmp_path):
  study_of(folder, tmp_path / 'work', to_box=True)
  result = json.loads((tmp_path / 'work/main/seed0/result.json').read_text())
  assert result['localisation']['area'] > 99  # only the box is looked at
  write_report(tmp_path / 'work')
  page = (tmp_path / 'work/report.md').read_text()
  assert '## In the box' in page and 'group2: peak in the box %' in page
  own = evaluate(tmp_path / 'work', mesh=one_device())
  assert own['error'] == result['test_error']
  assert own['localisation'] == result['localisation']
  assert own['class_errors'] == result['test_class_errors']
  whole = evaluate(tmp_path / 'work', to_box=False, mesh=one_device())
  assert 30 < whole['localisation']['area'] < 70
  larger = evaluate(tmp_path / 'work', size=24, mesh=one_device())
  assert larger['images'] == own['images'] and larger['loss'] != own['loss']
  weights = evaluate(
    tmp_path / 'work/main/seed0/weights',
    data=f'folder:{folder}',
    mesh=one_device(),
  )
  assert weights['error'] == own['error']


def test_changed_files_are_refused(tmp_path):
  root = write_digits(tmp_path / 'data', train=10, test=10)
  study_of(root, tmp_path / 'work')
  path = root / 'train/digit3/003.jpg'
  path.write_bytes(path.read_bytes() + b' ')
  config = tiny_config('configs/wrn.py:tiny', **settings(root))
  with config.unlocked():
    config.update(rows={}, baseline='', seeds=2, batch_size=BATCH, epochs=1)
    config.model = dict(name='tiny_net', width=4)
  with pytest.raises(ValueError, match='The data changed since'):
    run_study(
      config, tmp_path / 'work', name='x', console=Quiet(), mesh=one_device()
    )


@pytest.mark.parametrize('workers', [0, 1])
def test_damaged_images_end_the_run_or_are_left_out(tmp_path, workers):
  root = write_digits(tmp_path / 'data', train=10, test=10)
  path = root / 'train/digit3/003.jpg'
  path.write_bytes(path.read_bytes()[:300])
  with pytest.raises(
    ValueError, match='digit3/003.jpg: .*Replace or.*skip_damaged=True'
  ):
    study_of(root, tmp_path / 'work', workers=workers)
  if not workers:
    fields = dict(name=f'folder:{root}', size=SIZE, skip_damaged=True)
    data = load_dataset(fields)
    assert len(data.train) == 9 and '1 damaged image left out' in data.source
    assert str(path.relative_to(root)) not in data.train.records.paths


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    (dict(channels=1), 'data.channels of .*must be 3'),
    (dict(crop='centre'), "data.crop 'centre'.*mean 'center'"),
    (dict(size=64, resize=32), 'data.size=64 .*data.resize=32'),
    (dict(to_box=True), 'to_box=True crops to annotated boxes, and there'),
    (dict(name='folder'), 'names no folder: data.name=folder:<path>'),
    (dict(name='folder:/no/where'), 'looked for /no/where/train'),
    (dict(test_split='dev'), 'No folder dev of images'),
  ],
)
def test_wrong_settings(tmp_path, changes, message):
  root = write_digits(tmp_path, train=10, test=10)
  fields = dict(name=f'folder:{root}', size=SIZE) | changes
  with pytest.raises((ValueError, FileNotFoundError), match=message):
    load_dataset(fields)


def test_a_program_says_what_is_too_large(folder):
  config = config_of(folder)
  with config.unlocked():
    config.batch_size = 64
  with pytest.raises(ValueError, match='training set of 22 images'):
    make_program(config, load_dataset(config.data))

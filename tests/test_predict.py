"""`python -m at_jax.predict`: the classes of photos, as evaluation has them."""

import json
import re

import jax
import numpy as np
import pytest
from photo_folders import write_digits
from PIL import Image
from saved_networks import noise_photo, save_network
from small_networks import (
  TASN_SETTINGS,
  SmallWRN,
  tasn_network,
  variables_of,
)

from at_jax import predict as command
from at_jax.data import load_dataset
from at_jax.data.augment import normalise
from at_jax.evaluate import evaluate
from at_jax.models import MODELS, create_model
from at_jax.objectives import Network
from at_jax.predict import main, predict
from at_jax.train.checkpoint import write_json
from at_jax.train.config import load_config
from at_jax.train.weights import load_weights, save_weights

MEAN, STD = (120.0, 130.0, 110.0), (60.0, 70.0, 65.0)


@pytest.fixture(scope='module', autouse=True)
def small():
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'wrn', SmallWRN)
    yield


def save(
  folder, *, size=12, classes=10, channels=3, mean=MEAN, std=STD, seed=0
):
  """A weights folder of a small WRN."""
  model = dict(name='wrn', depth=10, width=1, num_classes=classes)
  network = Network(
    create_model(**model), mean, std, (size, size, channels), 'small WRN'
  )
  return save_network(
    folder, network, model, [f'digit{k}' for k in range(classes)], seed
  )


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  return save(tmp_path_factory.mktemp('weights') / 'weights')


def make_workdir(folder, **data):
  """A workdir without a run: a config, and weights where a run has them."""
  config = load_config('configs/wrn.py:tiny').unlock()
  config.data.update(train_examples=0, **data)
  write_json(folder / 'config.json', config.to_dict())
  save(folder / 'main/seed0/weights')
  return folder


def applied(folder, images):
  """Probabilities of images `[B, H, W, C]`, by a direct apply."""
  found = load_weights(folder)
  network = found.network
  logits, _ = jax.jit(network.apply)(
    found.variables, normalise(images, network.mean, network.std)
  )
  return np.asarray(jax.nn.softmax(logits))


def run(capsys, *arguments):
  """(standard output, what the command ends with)."""
  try:
    main([str(argument) for argument in arguments])
    end = None
  except SystemExit as error:
    end = str(error)
  return capsys.readouterr().out, end


def test_labels_that_do_not_exclude_each_other(tmp_path):
  """A sigmoid of each logit: with those of a softmax, up to a factor."""
  folder = save(tmp_path / 'weights', classes=3)
  path = noise_photo(tmp_path / 'a.png', 12, 12, 3)
  softmax = applied(folder, np.asarray(Image.open(path))[None])[0]
  about = json.loads((folder / 'model.json').read_text())
  write_json(folder / 'model.json', about | dict(multi_label=True))
  (found,) = predict(folder, [path], resize=12)['images'].values()
  chances = np.array([one['probability'] for one in found])
  assert chances.sum() != pytest.approx(1, abs=1e-3)
  odds = chances / (1 - chances)
  wanted = np.sort(softmax)[::-1]
  np.testing.assert_allclose(odds / odds.sum(), wanted, rtol=1e-3)


@pytest.mark.parametrize('resize', [0, 12, 20])
def test_test_photos_are_seen_as_evaluation_sees_them(tmp_path, resize):
  root = write_digits(tmp_path / 'digits', train=10, test=13, side=30)
  workdir = make_workdir(
    tmp_path / 'work', name=f'folder:{root}', size=12, channels=0, resize=resize
  )
  config = json.loads((workdir / 'config.json').read_text())
  test = load_dataset(config['data']).test
  examples = test.examples(range(13))
  wanted = applied(workdir / 'main/seed0/weights', examples['image'])
  names = sorted(str(path) for path in (root / 'test').glob('*/*'))
  found = predict(workdir, [root / 'test/*/*'], batch_size=5, top=10)
  assert list(found['images']) == names and not found['failed']
  assert (found['size'], found['resize']) == (12, resize or 14)
  best = []
  for chances, got in zip(wanted, found['images'].values(), strict=True):
    best.append(got[0]['class'])
    for one in got:
      chance = chances[int(one['class'][5:])]
      assert one['probability'] == pytest.approx(chance, abs=1e-4)
  wrong = [
    f'digit{k}' != b for k, b in zip(examples['label'], best, strict=True)
  ]
  measured = evaluate(workdir)
  assert measured['error'] == pytest.approx(100 * np.mean(wrong))
  assert measured['digest'] == found['digest']


def test_a_workdir_of_data_in_memory_is_not_cropped(tmp_path):
  """As a test image of it, written to a file, is not."""
  workdir = make_workdir(tmp_path / 'work', name='cifar10', size=0, channels=0)
  path = noise_photo(tmp_path / 'a.png', 12, 12, 3)
  found = predict(workdir, [path], top=1)
  wanted = applied(
    workdir / 'main/seed0/weights', np.asarray(Image.open(path))[None]
  )
  ((one,),) = found['images'].values()
  assert found['resize'] == 12
  assert one['probability'] == pytest.approx(wanted.max(), abs=1e-5)


def test_json_on_screen_and_in_a_file(weights, tmp_path, capsys):
  pixels = np.full((14, 14, 3), [200, 30, 90], np.uint8)
  path = tmp_path / 'x.png'
  Image.fromarray(pixels).save(path)
  arguments = [f'--workdir={weights}', '--images', path, '--top=3']
  out = tmp_path / 'deep/x.json'
  said, end = run(capsys, *arguments, '--format=json', f'--out={out}')
  assert end is None and said == out.read_text()
  found = json.loads(said)
  wanted = applied(weights, pixels[None, 1:13, 1:13])[0]
  order = np.argsort(-wanted)[:3]
  got = found['images'][str(path)]
  assert [one['class'] for one in got] == [f'digit{k}' for k in order]
  np.testing.assert_allclose(
    [one['probability'] for one in got], wanted[order], rtol=1e-4
  )
  said, _ = run(capsys, *arguments)
  lines = said.splitlines()
  assert re.match(r'\| image +\| class +\| probability \|$', lines[0])
  assert lines[2].startswith(f'| {path} | digit{order[0]} | {wanted.max():.4f}')
  assert len(lines) == 2 + 3 and re.match(r'\| +\| digit', lines[3])


def test_bad_files_are_told_at_the_end(weights, tmp_path, capsys):
  good = [
    noise_photo(tmp_path / 'dot.png', 1, 1, 3),
    noise_photo(tmp_path / 'grey.png', 9, 30),
    noise_photo(tmp_path / 'tall.jpg', 40, 9, 3),
  ]
  (tmp_path / 'bad.jpg').write_bytes(b'no image')
  (tmp_path / 'sub.png').mkdir()
  patterns = ['nowhere.jpg', tmp_path / '*.*', good[0]]
  said, end = run(
    capsys, f'--workdir={weights}', '--images', *patterns, '--top=1'
  )
  assert [line.split()[1] for line in said.splitlines()[2:]] == good
  lines = end.splitlines()
  assert lines[0] == '3 of the images failed:'
  assert lines[1] == "nowhere.jpg: No image is called 'nowhere.jpg'."
  assert lines[2].startswith(f'{tmp_path / "bad.jpg"}: it is no image of the')
  assert lines[3] == f'{tmp_path / "sub.png"}: Is a directory'


def test_no_good_file(weights, tmp_path, capsys):
  said, end = run(
    capsys, f'--workdir={weights}', '--images', 'nowhere', '--format=json'
  )
  assert json.loads(said)['images'] == {} and end.startswith('1 of the images')


def test_images_are_read_in_batches(weights, tmp_path, monkeypatch):
  """No more than a batch is read ahead, and each is of one size."""
  for k in range(7):
    noise_photo(tmp_path / f'{k}.png', 12, 12, 3, seed=k)
  order, shapes = [], set()
  read, scorer = command.read_square, command.scorer

  def reading(path, **kwargs):
    order.append('read')
    return read(path, **kwargs)

  def scoring(*args):
    def scores(variables, images):
      order.append('score')
      shapes.add(images.shape)
      return scorer(*args)(variables, images)

    return scores

  alone = predict(weights, [tmp_path / '*.png'], batch_size=1)
  monkeypatch.setattr(command, 'read_square', reading)
  monkeypatch.setattr(command, 'scorer', scoring)
  found = predict(weights, [tmp_path / '*.png'], batch_size=3)
  assert order == (['read'] * 3 + ['score']) * 2 + ['read', 'score']
  assert shapes == {(3, 12, 12, 3)}
  for one, other in zip(
    alone['images'].values(), found['images'].values(), strict=True
  ):
    assert [x['class'] for x in one] == [x['class'] for x in other]


def test_few_classes_grey_and_a_mean_for_each_pixel(tmp_path):
  mean = tuple(tuple((float(10 * i + j),) for j in range(8)) for i in range(8))
  folder = save(
    tmp_path / 'w', size=8, classes=2, channels=1, mean=mean, std=(9.0,)
  )
  path = noise_photo(tmp_path / 'a.png', 8, 11)
  found = predict(folder, [path])
  # Such a mean is of data in memory, which are not cropped.
  assert found['resize'] == 8
  pixels = np.asarray(Image.open(path))[None, :, 2:10, None]
  wanted = applied(folder, pixels)[0]
  (got,) = found['images'].values()
  assert len(got) == 2 and sum(x['probability'] for x in got) == pytest.approx(
    1
  )
  assert got[0]['probability'] == pytest.approx(wanted.max(), rel=1e-4)
  with pytest.raises(ValueError, match='mean of each pixel.*8 pixels only'):
    predict(folder, [path], size=9)


def test_other_sizes(weights, tmp_path):
  path = noise_photo(tmp_path / 'a.png', 24, 20, 3)
  found = predict(weights, [path], size=20, resize=20)
  wanted = applied(weights, np.asarray(Image.open(path))[None, 2:22])[0]
  (got,) = found['images'].values()
  assert got[0]['probability'] == pytest.approx(wanted.max(), rel=1e-4)
  assert predict(weights, [path], size=28)['resize'] == 32


def test_weights_that_diverged(tmp_path):
  folder = tmp_path / 'w'
  model = dict(name='wrn', depth=10, width=1)
  network = Network(create_model(**model), MEAN, STD, (8, 8, 3), 'small WRN')
  variables = jax.tree.map(lambda x: x * np.nan, variables_of(network, 0))
  save_weights(
    folder,
    network=network,
    model=model,
    variables=variables,
    class_names='0123456789',
  )
  path = noise_photo(tmp_path / 'a.png', 8, 8, 3)
  found = predict(folder, [path])
  assert found['images'] == {} and 'NaN' in found['failed'][path]


def test_pictures(tmp_path, capsys):
  network = tasn_network(shape=(12, 12, 3))
  save_network(
    tmp_path / 'weights', network, dict(TASN_SETTINGS, name='tasn'), 'abc'
  )
  paths = [noise_photo(tmp_path / name / 'a.png', 12, 30, 3) for name in 'xy']
  out = tmp_path / 'out'
  said, end = run(
    capsys,
    f'--workdir={tmp_path / "weights"}',
    f'--pictures={out}',
    '--format=json',
    '--images',
    *paths,
    'nowhere.png',
  )
  found = json.loads(said)
  assert list(found['images']) == paths and 'nowhere.png' in end
  assert sorted(path.name for path in out.glob('*.png')) == [
    'features_and_maps.png',
    'x_a.png_samples.png',
    'y_a.png_samples.png',
  ]
  with np.load(out / 'x_a.png_samples.npz') as arrays:
    assert arrays['image'].shape == (12, 12, 3)


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (['--top=0'], 'top must be 1 or more, got 0'),
    (['--batch_size=-1'], 'batch_size must be 1 or more'),
    (['--pictures=x'], 'small WRN does not sample by attention'),
    (['--resize=9'], 'data.size=12 must be .* at most data.resize=9'),
    (['--row=main', '--workdir=nowhere'], 'nowhere is no workdir'),
  ],
)
def test_errors(weights, tmp_path, capsys, arguments, words):
  path = noise_photo(tmp_path / 'a.png', 12, 12, 3)
  said, end = run(capsys, f'--workdir={weights}', '--images', path, *arguments)
  assert not said and re.search(words, end), end

"""`python -m at_jax.visualize --what=gates`: which arrays of which images."""

import dataclasses
import re

import numpy as np
import pytest
from saved_networks import noise_photo, save_network
from small_networks import SmallWRN, wrn_network

from at_jax.models import MODELS, create_model
from at_jax.objectives import Network
from at_jax.pictures import classes as pictures
from at_jax.train.class_views import class_views
from at_jax.train.weights import load_weights
from at_jax.visualize import gates as shows
from at_jax.visualize.__main__ import main as visualize
from at_jax.visualize.images import Shown

A3NET = dict(
  name='a3net',
  blocks=(1, 1),
  growth=4,
  stem=8,
  width=4,
  taps=(1, 2),
  num_classes=3,
)
NAMES = ('cat', 'dog', 'owl')


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
  model = create_model(**A3NET)
  network = Network(model, (100.0,), (50.0,), (32, 32, 1), 'small A3Net')
  folder = tmp_path_factory.mktemp('a3net') / 'weights'
  return save_network(folder, network, A3NET, NAMES)


def test_pictures_and_arrays(weights, tmp_path, capsys):
  paths = [
    noise_photo(tmp_path / 'a.jpg', 32, 48, 3),
    noise_photo(tmp_path / 'b.png', 9, 9),
  ]
  out = tmp_path / 'out'
  command = [f'--workdir={weights}', '--what=gates', f'--out={out}']
  visualize([*command, '--classes=top1,owl,0', '--images', *paths])
  said = capsys.readouterr().out
  assert (
    len(re.findall(r'[ab]_classes.png: \w+, probability [01]\.', said)) == 2
  )
  assert 'gates.png: of 2 images' in said
  assert sorted(path.name for path in out.iterdir()) == [
    'a_classes.npz',
    'a_classes.png',
    'b_classes.npz',
    'b_classes.png',
    'gates.png',
    'index.html',
  ]
  found = dict(np.load(out / 'a_classes.npz'))
  assert found['image'].shape == (32, 48, 1) and 'label' not in found
  assert {0, 2} <= {*found['chosen']}
  loaded = load_weights(weights)
  views = class_views(loaded.network)(loaded.variables, found['image'][None])
  np.testing.assert_allclose(found['probabilities'], views[0][0], rtol=1e-4)
  for name, array in views[1].items():
    np.testing.assert_allclose(found[name], array[0], rtol=1e-3, atol=1e-5)
  order = [NAMES[k] for k in np.argsort(-found['probabilities'])]
  cells = [line.split('|')[1:-1] for line in said.split('\n') if '–' in line]
  cells = [[cell.strip() for cell in line] for line in cells]
  assert [line[0] for line in cells[:2]] == ['a.jpg', '']
  drawn = [name for name in order if NAMES.index(name) in found['chosen']]
  assert [line[1] for line in cells[: len(drawn)]] == drawn


def show(weights, shown, monkeypatch, out, **flags):
  """What is handed to the functions that draw."""
  calls = {}
  monkeypatch.setattr(
    shows, 'draw_classes', lambda path, bands, names: calls.update(bands=bands)
  )
  monkeypatch.setattr(
    shows, 'draw_gates', lambda path, views, names: calls.update(gates=views)
  )
  calls['lines'] = shows.show_gates(
    weights, shown, out, say=lambda _: None, **flags
  )
  return calls


def test_several_labels_and_boxes(weights, tmp_path, monkeypatch):
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (32, 48, 1), dtype=np.uint8)
  boxes = np.array([[1.0, 2.0, 9.0, 8.0, 2.0]])
  shown = [
    Shown('x', 'dog, owl', image, np.array([0, 1, 1]), boxes),
    Shown('y', 'none', image // 2, np.array([0, 0, 0]), boxes * 0 - 1),
  ]
  loaded = dataclasses.replace(load_weights(weights), multi_label=True)
  names = loaded.class_names
  shown = [dataclasses.replace(one, class_names=names) for one in shown]
  flags = dict(classes='present,cat', places='*2')
  calls = show(loaded, shown, monkeypatch, tmp_path, **flags)
  (band,) = calls['bands']
  assert band.title == 'none · group2 · 4×6' and band.chosen == [0]
  views = class_views(loaded.network, True)
  chances, found = views(loaded.variables, (image // 2)[None])
  np.testing.assert_allclose(band.chances, chances[0], rtol=1e-4)
  for part in ('attention', 'scores', 'weighted', 'score'):
    close = dict(rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
      band.maps[part], found[f'{part}/group2'][0], **close
    )
  # Gates of all places, and of all images.
  shapes = {name: x.shape for name, x in calls['gates'].items()}
  assert shapes['scale'] == (2, 2, 3) and shapes['gate/group1'][0] == 2
  close = dict(rtol=1e-3, atol=1e-5)
  np.testing.assert_allclose(
    calls['gates']['scale'][1], found['scale'][0], **close
  )
  lines = calls['lines'][1:]
  labels = {line[1]: line[3] for line in lines[:3]}
  assert labels == dict(cat='absent', dog='present', owl='present')
  assert [lines[3][0], lines[3][1], lines[3][3]] == ['none', 'cat', 'absent']
  # They do not exclude each other.
  saved = np.load(tmp_path / 'x_classes.npz')
  assert saved['probabilities'].sum() != pytest.approx(1, abs=1e-3)
  np.testing.assert_array_equal(saved['boxes'], boxes)


def test_nothing_known_of_a_photo_draws_the_probable(
  weights, tmp_path, monkeypatch
):
  shown = [Shown('x', 'x.png', np.zeros((32, 32, 1), np.uint8))]
  loaded = load_weights(weights)
  calls = show(loaded, shown, monkeypatch, tmp_path, classes='top2,present')
  assert [band.title for band in calls['bands']] == [
    'x.png · group1 · 8×8',
    'x.png · group2 · 4×4',
  ]
  assert all(isinstance(band, pictures.Band) for band in calls['bands'])
  chances = calls['bands'][0].chances
  assert calls['bands'][0].chosen == np.argsort(-chances)[:2].tolist()
  with pytest.raises(ValueError, match='no image to look at'):
    show(loaded, [], monkeypatch, tmp_path)


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (['--classes=cow'], 'Unknown class .*cow.*: cat, dog, owl.*top3'),
    (['--classes=3'], "Unknown class '3'"),
    (['--places=group9'], 'Unknown place .*group9.*group1, group2'),
    (['--modules=*'], '--modules is for --what=masks, not for gates'),
    (['--channels=1'], '--channels is for --what=masks or samples, not for'),
  ],
)
def test_errors(weights, tmp_path, arguments, words):
  path = noise_photo(tmp_path / 'a.png', 32, 32)
  command = [f'--workdir={weights}', '--what=gates', f'--out={tmp_path}']
  with pytest.raises(SystemExit) as error:
    visualize([*command, '--images', path, *arguments])
  assert re.search(words, str(error.value)), error.value


def test_another_network_is_told(tmp_path, monkeypatch):
  monkeypatch.setitem(MODELS, 'wrn', SmallWRN)
  model = dict(name='wrn', depth=10, width=1)
  folder = save_network(tmp_path / 'weights', wrn_network(), model, NAMES)
  command = [f'--workdir={folder}', '--what=gates']
  command += ['--images', noise_photo(tmp_path / 'a.png', 8, 8)]
  with pytest.raises(SystemExit, match='has no maps of classes: --what=gates'):
    visualize(command)
  assert not (tmp_path / 'visualize').exists()

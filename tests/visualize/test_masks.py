"""`python -m at_jax.visualize --what=masks`: which arrays, of which images."""

import re
import shutil

import jax
import numpy as np
import pytest
from helpers import Quiet, one_device
from PIL import Image
from saved_networks import save_network
from small_networks import SmallRAN

from at_jax.data.augment import normalise
from at_jax.models import MODELS
from at_jax.objectives import Network
from at_jax.pictures import masks
from at_jax.train.config import load_config
from at_jax.train.study import run_study
from at_jax.train.weights import load_weights
from at_jax.visualize.__main__ import main as visualize

PARTS = ('active', 'fused', 'mask', 'product', 'split', 'trunk')


@pytest.fixture(scope='module', autouse=True)
def small():
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'ran_cifar', SmallRAN)
    yield


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  """A finished run with a mean for each pixel."""
  folder = tmp_path_factory.mktemp('masks') / 'work'
  config = load_config('configs/ran_cifar.py:tiny').unlock()
  config.data.update(per_pixel_mean=True, std=(255.0,))
  run_study(
    config.lock(), folder, name='masked', console=Quiet(), mesh=one_device()
  )
  return folder


@pytest.fixture(scope='module')
def grey(tmp_path_factory):
  """A weights folder alone, of grey images and one mean."""
  folder = tmp_path_factory.mktemp('grey') / 'weights'
  model = dict(name='ran_cifar', width=4, num_classes=3)
  network = Network(
    SmallRAN(width=4, num_classes=3), (100.0,), (50.0,), (8, 8, 1), 'small'
  )
  return save_network(folder, network, model, 'abc')


def photo(path, size, mode='RGB'):
  rng = np.random.default_rng(0)
  channels = {'L': (), 'RGB': (3,), 'CMYK': (4,)}[mode]
  pixels = rng.integers(0, 256, (*size, *channels), dtype=np.uint8)
  path.parent.mkdir(exist_ok=True)
  Image.fromarray(pixels, mode).save(path)


def names(folder):
  return sorted(path.name for path in folder.glob('*.png'))


def check_arrays(path, weights, modules):
  """The arrays of an .npz are those of the network at its image."""
  with np.load(path) as arrays:
    wanted = {f'{part}/{place}' for part in PARTS for place in modules}
    assert set(arrays) == {'image', *wanted}
    network = weights.network
    pixels = normalise(arrays['image'][None], network.mean, network.std)
    _, ends = jax.jit(network.apply)(weights.variables, pixels)
    for place in modules:
      for part in ('split', 'trunk', 'mask', 'fused'):
        name = f'{part}/{place}'
        close = dict(rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(arrays[name], ends[name][0], **close)
    return arrays['image'].shape


def test_test_images(workdir, tmp_path, capsys):
  command = [f'--workdir={workdir}', f'--out={tmp_path}', '--what=masks']
  visualize([*command, '--count=2'])
  said = capsys.readouterr().out
  assert (
    len(re.findall(r'test\d+_masks.png: \d, probability [01]\.', said)) == 2
  )
  assert said.count('| Attention-56 | group1/module1 |') == 1
  assert len(names(tmp_path)) == 2


def test_what_an_image_is_taken_for_stands_over_it(grey, tmp_path, monkeypatch):
  found = []

  def draw(path, images, names, bands, **looks):
    found.append((names, looks['head']))
    path.write_bytes(b'png')

  monkeypatch.setattr(masks, 'draw_masks', draw)
  photo(tmp_path / 'x.png', (8, 8), 'L')
  command = [f'--workdir={grey}', f'--out={tmp_path}', '--what=masks']
  visualize([*command, '--images', str(tmp_path / 'x.png')])
  ((names, head),) = found
  assert names == ['x']
  assert re.fullmatch(r'x\.png, seen as [abc] \([01]\.\d\d\)', head)


def test_photos_of_any_kind(workdir, tmp_path, capsys):
  photo(tmp_path / 'a.jpg', (30, 50))
  photo(tmp_path / 'grey.png', (20, 10), 'L')
  photo(tmp_path / 'cmyk.jpg', (9, 12), 'CMYK')
  photo(tmp_path / 'dot.png', (1, 1))
  out = tmp_path / 'out'
  patterns = [str(tmp_path / '*.jpg'), str(tmp_path / '*.png')]
  visualize(
    [f'--workdir={workdir}', f'--out={out}', '--channels=top1,max,3']
    + [
      '--what=masks',
      '--modules=group2/*',
      '--scale=shared',
      '--images',
      *patterns,
    ]
  )
  said = capsys.readouterr().out
  assert 'group2/module1' in said and 'group1' not in said
  assert names(out) == [
    f'{name}_masks.png' for name in ('a', 'cmyk', 'dot', 'grey')
  ]
  weights = load_weights(workdir / 'main/seed0/weights')
  # Every pixel has a mean of its own: the central square.
  shape = check_arrays(out / 'a_masks.npz', weights, ['group2/module1'])
  assert shape == (8, 8, 3)


def test_weights_alone_and_whole_photos(grey, tmp_path, capsys):
  photo(tmp_path / 'one/[1].png', (20, 50))
  photo(tmp_path / 'two/[1].png', (40, 30))
  photo(tmp_path / 'two/2.png', (9, 9), 'L')
  out = tmp_path / 'out'
  paths = [str(path) for path in sorted(tmp_path.glob('*/*.png'))]
  command = [f'--workdir={grey}', f'--out={out}', '--size=12', '--what=masks']
  visualize([*command, '--images', *paths])
  capsys.readouterr()
  assert names(out) == [
    f'{name}_masks.png' for name in ('one_[1].png', 'two_2.png', 'two_[1].png')
  ]
  modules = [f'group{g}/module1' for g in (1, 2, 3)]
  weights = load_weights(grey)
  path = out / 'one_[1].png_masks.npz'
  assert check_arrays(path, weights, modules) == (12, 30, 1)
  assert check_arrays(out / 'two_[1].png_masks.npz', weights, modules) == (
    16,
    12,
    1,
  )


def test_a_run_without_its_workdir(workdir, tmp_path, capsys):
  shutil.copytree(workdir / 'main', tmp_path / 'main')
  with pytest.raises(SystemExit, match='without a workdir around it'):
    visualize([f'--workdir={tmp_path / "main/seed0"}'])
  photo(tmp_path / 'a.png', (9, 9))
  visualize(
    [f'--workdir={tmp_path / "main/seed0"}', '--what=masks', '--images']
    + [str(tmp_path / 'a.png')]
  )
  assert 'a_masks.png: ' in capsys.readouterr().out
  assert names(tmp_path / 'main/seed0/visualize') == ['a_masks.png']


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (['--modules=group9/*'], 'Unknown module .*group9.*group2/module1'),
    (['--channels=8'], 'a number below 8'),
    (['--channels=top0'], 'takes mean, max, top3'),
    (['--images', 'nowhere*.jpg'], "No image is called 'nowhere"),
    (['--size=99', '--images', 'x.jpg'], 'mean of each pixel.*8 pixels'),
    (['--size=99'], '--size is for photos'),
    (['--count=0'], '--count is 1 or more'),
    (['--data_dir=x', '--images', 'x.jpg'], "--data_dir is for the workdir's"),
    (['--row=mian'], "Unknown row .*'mian'.*mean 'main'"),
  ],
)
def test_errors(workdir, tmp_path, arguments, words):
  with pytest.raises(SystemExit) as error:
    visualize(
      [f'--workdir={workdir}', f'--out={tmp_path}', '--what=masks', *arguments]
    )
  assert re.search(words, str(error.value)), error.value


def test_broken_photos_are_named(workdir, tmp_path):
  (tmp_path / 'x.jpg').write_bytes(b'no image')
  command = [f'--workdir={workdir}', '--what=masks', f'--out={tmp_path}']
  with pytest.raises(SystemExit, match=r'x\.jpg: it is no image'):
    visualize([*command, '--images', str(tmp_path / 'x.jpg')])
  # What can be read is shown all the same.
  photo(tmp_path / 'a.png', (9, 9))
  with pytest.raises(
    SystemExit, match=r'Not shown, 1 of the images:\n.*x\.jpg: it is no ima'
  ):
    visualize([*command, '--images', *map(str, tmp_path.glob('*.*g'))])
  assert names(tmp_path) == ['a.png', 'a_masks.png']
  assert 'data:image/png' in (tmp_path / 'index.html').read_text()

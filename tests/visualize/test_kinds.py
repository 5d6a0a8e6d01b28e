"""Every model by every --what it supports, on files of every kind."""

import functools
import re

import jax
import numpy as np
import pytest
from PIL import Image
from saved_networks import save_network
from small_networks import TASN_SETTINGS, variables_of

from at_jax.models import MODELS, create_model
from at_jax.models.densenet import DenseNet
from at_jax.objectives import Network
from at_jax.pictures import classes, consistency, gates, maps, masks, samples
from at_jax.train import looks
from at_jax.train.weights import Weights
from at_jax.visualize.__main__ import main as visualize
from at_jax.visualize.images import Photos
from at_jax.visualize.kinds import KINDS, chosen_kinds, draw
from at_jax.visualize.networks import Column

# A small form of each family, the size of its images, and what only it has.
RAN = dict(t=1, width=4, mask='local')
FORMS = {
  'wrn': (dict(depth=10, width=0.25), 8, ()),
  'nin': (dict(widths=8), 8, ()),
  'cifar_resnet': (dict(depth=8), 8, ()),
  'preact_cifar_resnet': (dict(depth=11), 8, ()),
  'resnet18': ({}, 32, ()),
  'preact_resnet18': ({}, 32, ()),
  'densenet121': (dict(growth=4, width=8), 32, ()),
  'ran_cifar': (RAN, 8, ('masks',)),
  'ran_cifar_wide': (RAN | dict(modules=1, width=8), 8, ('masks',)),
  'ran56': (RAN | dict(width=16), 32, ('masks',)),
  'ran_next56': (RAN | dict(width=64), 32, ('masks',)),
  'tasn': (TASN_SETTINGS, 24, ('samples',)),
  'a3net': (
    dict(blocks=(1, 1), growth=4, stem=8, width=4, taps=(1, 2)),
    32,
    ('gates',),
  ),
  'attention_cnn': (dict(width=4, k=4), 8, ('gates',)),
}
FEW = dict(channels='top1', modules='group1/module1')  # panels to draw
# The others are traced alone: compiling them takes most of a minute.
COMPILED = ('wrn', 'nin', 'attention_cnn', 'a3net', 'tasn')
# Of the same classes, and only larger.
LARGER = {
  'resnet18': ('resnet34', 'resnet50', 'resnet101', 'resnet152'),
  'preact_resnet18': ('preact_resnet34',),
  'ran56': ('ran92',),
  'ran_next56': ('ran_next92',),
}


@pytest.fixture(scope='module', autouse=True)
def short():
  """Of DenseNet-121's layers, which are no argument, one in each group."""
  with pytest.MonkeyPatch.context() as patch:
    model = functools.partial(DenseNet, blocks=(1, 1, 1, 1))
    patch.setitem(MODELS, 'densenet121', model)
    yield


def network_of(name):
  arguments, side, _ = FORMS[name]
  model = create_model(name, **arguments | dict(num_classes=3))
  return Network(model, (120.0,), (60.0,), (side, side, 3), name)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  """A file of every kind that people have."""
  folder = tmp_path_factory.mktemp('files')
  rng = np.random.default_rng(0)

  def pixels(*shape):
    small = rng.integers(
      0, 256, (*(-(-n // 25) for n in shape[:2]), *shape[2:])
    )
    large = np.repeat(np.repeat(small, 25, axis=0), 25, axis=1)
    return np.uint8(large[: shape[0], : shape[1]])

  Image.fromarray(pixels(375, 500, 3)).save(folder / 'photo.jpg')
  Image.fromarray(pixels(40, 30)).save(folder / 'grey.png')
  Image.fromarray(pixels(50, 60, 4), 'CMYK').save(folder / 'cmyk.jpg')
  Image.fromarray(pixels(1, 1, 3)).save(folder / 'dot.png')
  exif = Image.Exif()
  exif[0x0112] = 6
  Image.fromarray(pixels(50, 100, 3)).save(folder / 'turned.jpg', exif=exif)
  return folder


@pytest.fixture
def quick(monkeypatch):
  """Figures are made, and not rendered."""

  def save_png(figure, path, **_):
    assert figure.axes
    path.write_bytes(b'png')
    return path

  for module in (classes, consistency, gates, maps, masks, samples):
    monkeypatch.setattr(module, 'save_png', save_png)


class Traced:
  """`jax`, but what it would compile gives ones of the right shapes."""

  def __getattr__(self, name):
    return getattr(jax, name)

  def jit(self, function):
    found = []  # all images are of one shape

    def ones(*args):
      if not found:
        shapes = jax.eval_shape(function, *args)
        found.append(jax.tree.map(lambda x: np.ones(x.shape, x.dtype), shapes))
      return found[0]

    return ones


@pytest.fixture
def traced(monkeypatch):
  """Called, it keeps what looks at networks from compiling."""
  functions = (looks.tap_maps, looks.class_gradients, looks.mask_views)

  def start():
    monkeypatch.setattr(looks, 'jax', Traced())

  yield start
  for function in functions:
    function.cache_clear()


def test_every_model_is_here():
  larger = [name for names in LARGER.values() for name in names]
  assert {*FORMS, *larger} == {*MODELS}
  for small, names in LARGER.items():
    kind = getattr(MODELS[small], 'func', None)
    assert all(MODELS[name].func is kind for name in names)


@pytest.mark.parametrize('name', FORMS)
def test_every_kind_on_every_file(name, files, tmp_path, quick, traced):
  if name not in COMPILED:
    traced()
  network, (_, _, only) = network_of(name), FORMS[name]
  known = name in COMPILED
  variables = variables_of(network, 0) if known else network.variable_shapes
  column = Column(name, name, Weights(network, variables, 'abc', ''), None)
  found = chosen_kinds('', [column], print)
  assert list(found) == ['maps', 'gradients', *only]
  for what in KINDS.keys() - found.keys():
    with pytest.raises(ValueError, match=f'{name} .*--what={what}|pictures of'):
      chosen_kinds(what, [column], print)
  photos, out = Photos([f'{files}/*'], square=True), tmp_path / 'out'
  for kind, columns in found.values():
    (section,) = draw(kind, columns, photos, out, FEW, apart=False, say=print)
    for stem in ('photo', 'grey', 'cmyk', 'dot', 'turned'):
      assert section.picture(stem).exists()
    assert not kind.of_all or (out / kind.of_all).exists()
  assert len(list(out.glob('*.npz'))) == 5 * len(found)
  for path in out.glob('*.npz'):
    for key, array in np.load(path).items():
      assert np.isfinite(array).all(), (path.name, key)


def test_pixels_of_every_file(files, tmp_path, quick, capsys):
  """Whole and upright, with the colours of the file."""
  network = network_of('attention_cnn')
  save_network(
    tmp_path / 'weights',
    network,
    dict(name='attention_cnn', width=4, k=4, num_classes=3),
    'abc',
  )
  out = tmp_path / 'out'
  command = [f'--workdir={tmp_path / "weights"}', f'--out={out}']
  visualize([*command, '--what=maps', '--size=24', '--images', f'{files}/*'])
  images = {p.stem[:-5]: np.load(p)['image'] for p in out.glob('*.npz')}
  shapes = {name: image.shape for name, image in images.items()}
  assert shapes == dict(
    photo=(24, 32, 3),
    grey=(32, 24, 3),
    cmyk=(24, 28, 3),
    dot=(24, 24, 3),
    turned=(48, 24, 3),
  )
  assert (images['grey'] == images['grey'][..., :1]).all()
  assert np.ptp(images['dot'].reshape(-1, 3), axis=0).max() == 0
  stored = np.asarray(Image.open(files / 'turned.jpg'), float)
  upright = np.rot90(stored, -1)
  corner = images['turned'][:8, :8].mean((0, 1))
  np.testing.assert_allclose(corner, upright[:17, :17].mean((0, 1)), atol=12)


def test_a_class_of_several_that_may_be_right():
  """Its cost is that of a sigmoid."""
  network = network_of('attention_cnn')
  variables = variables_of(network, 0)
  image = np.full((1, 8, 8, 3), 200.0, np.float32)

  def cost(image):
    logits, _ = network.apply(variables, (image - 120) / 60)
    return -jax.nn.log_sigmoid(logits[0, 1]), jax.nn.sigmoid(logits)

  want, chances = jax.jit(jax.grad(cost, has_aux=True))(image)
  found = looks.class_gradients(network, True)(variables, image, np.array([1]))
  close = dict(rtol=1e-3, atol=1e-4 * np.abs(want).max())
  np.testing.assert_allclose(found[2], want, **close)
  np.testing.assert_allclose(found[0], chances, rtol=1e-4)


def test_help_names_them_all(capsys):
  with pytest.raises(SystemExit):
    visualize(['--help'])
  said = re.sub(r'\s+', ' ', capsys.readouterr().out)
  for what in KINDS:
    assert f'`{what}`' in said

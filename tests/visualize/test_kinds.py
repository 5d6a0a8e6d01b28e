"""Every model by every --what it supports, on files of every kind."""

import functools
import re

import jax
import numpy as np
import pytest
from saved_networks import save_network
from seen_photos import (
  FILES,
  check_image,
  check_lattice,
  check_panels,
  check_shapes,
  check_values,
  write_photos,
)
from small_families import FORMS, LARGER, MEAN, STD, network_of, shorten
from small_networks import variables_of

from at_jax.models import MODELS
from at_jax.objectives import Network
from at_jax.pictures import classes, consistency, gates, maps, masks, samples
from at_jax.train import looks
from at_jax.train.weights import Weights
from at_jax.visualize.__main__ import main as visualize
from at_jax.visualize.images import Photos
from at_jax.visualize.kinds import KINDS, chosen_kinds, draw
from at_jax.visualize.networks import Column

FEW = dict(channels='top1', modules='group1/module1')  # panels to draw
# The others are traced alone: compiling them takes most of a minute.
COMPILED = ('wrn', 'attention_cnn', 'a3net', 'tasn', 'ran_cifar')
# Slow to compile or to trace: their images have two shapes, not three.
SLOW = ('a3net', 'tasn', 'ran_cifar', 'ran_cifar_wide', 'ran56', 'ran_next56')


@pytest.fixture(scope='module', autouse=True)
def short():
  with pytest.MonkeyPatch.context() as patch:
    shorten(patch)
    yield


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  return write_photos(tmp_path_factory.mktemp('files'))


@pytest.fixture
def figures(monkeypatch):
  """{name of a picture: its figure}; they are made, and not rendered."""
  found = {}

  def save_png(figure, path, **_):
    found[path.stem] = figure
    path.write_bytes(b'png')
    return path

  for module in (classes, consistency, gates, maps, masks, samples):
    monkeypatch.setattr(module, 'save_png', save_png)
  return found


def ones(shapes):
  return jax.tree.map(lambda x: np.ones(x.shape, x.dtype), shapes)


class Traced:
  """`jax`, but what it would compile gives ones of the right shapes."""

  def __getattr__(self, name):
    return getattr(jax, name)

  def jit(self, function):
    found = {}  # by the shapes of the arguments

    def traced(*args):
      key = tuple(x.shape for x in jax.tree.leaves(args))
      if key not in found:
        found[key] = ones(jax.eval_shape(function, *args))
      return found[key]

    return traced


def traced_once(apply):
  """Likewise, of `Network.apply`: once for each shape of images."""

  @functools.cache
  def traced(network, shape):
    images = jax.ShapeDtypeStruct(shape, np.float32)
    own = functools.partial(apply, network)
    return ones(jax.eval_shape(own, network.variable_shapes, images))

  return lambda network, variables, images: traced(network, images.shape)


@pytest.fixture
def traced(monkeypatch):
  """Called, it keeps what looks at networks from compiling."""
  functions = (
    looks.endpoint_shapes,
    looks.tap_maps,
    looks.class_gradients,
    looks.mask_views,
  )

  def start():
    monkeypatch.setattr(looks, 'jax', Traced())
    monkeypatch.setattr(Network, 'apply', traced_once(Network.apply))

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
def test_every_kind_on_every_file(name, files, tmp_path, figures, traced):
  """Photos are whole, and so are their maps."""
  known = name in COMPILED
  if not known:
    traced()
  network, (_, _, only) = network_of(name), FORMS[name]
  variables = variables_of(network, 0) if known else network.variable_shapes
  column = Column(name, name, Weights(network, variables, 'abc', ''), None)
  found = chosen_kinds('', [column], print)
  assert list(found) == ['maps', 'gradients', *only]
  for what in KINDS.keys() - found.keys():
    with pytest.raises(ValueError, match=f'{name} .*--what={what}|pictures of'):
      chosen_kinds(what, [column], print)
  applied = jax.jit(lambda images: network.apply(variables, images))
  for what, (kind, columns) in found.items():
    square = name in SLOW or what == 'gradients'
    seen = draw_all(kind, columns, files, square, tmp_path)
    for stem, arrays in seen.items():
      assert all(np.isfinite(array).all() for array in arrays.values())
      squared = square and stem == 'grey'
      check_image(arrays['image'], files / FILES[stem], squared)
      check_panels(figures[f'{stem}_{kind.suffix}'], arrays)
      if what == 'samples':
        check_lattice(arrays)
    check_shapes(name, seen, squeezed=name == 'tasn')
    if known:
      check_values(name, seen['turned'], applied)


def draw_all(kind, columns, files, square, out):
  """{name of a file: its arrays}; the only upright one may be seen square."""
  for photos in (
    Photos([files / FILES['grey']], square=square),
    Photos([f'{files}/[!g]*']),
  ):
    (section,) = draw(kind, columns, photos, out, FEW, apart=False, say=print)
  assert not kind.of_all or (out / kind.of_all).exists()
  pictures = {stem: section.picture(stem) for stem in FILES}
  assert all(picture.exists() for picture in pictures.values())
  return {
    stem: dict(np.load(picture.with_suffix('.npz')))
    for stem, picture in pictures.items()
  }


def test_the_command_sees_photos_whole(files, tmp_path, figures, capsys):
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
    grey=(48, 24, 3),
    cmyk=(24, 32, 3),
    dot=(24, 24, 3),
    turned=(24, 32, 3),
  )
  for stem, file in FILES.items():
    check_image(images[stem], files / file)


def test_a_class_of_several_that_may_be_right():
  """Its cost is that of a sigmoid."""
  network = network_of('attention_cnn')
  variables = variables_of(network, 0)
  rng = np.random.default_rng(0)
  image = np.float32(rng.uniform(0, 255, (1, 8, 11, 3)))

  def cost(image):
    logits, _ = network.apply(variables, (image - MEAN) / STD)
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

"""A3Net: counts, taps, against NumPy, what it refuses, and that it learns."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from numpy_attention import densenet, random_variables_of, relu, triple
from numpy_networks import (
  assert_forward_equals,
  random_images,
)

import at_jax
from at_jax.models import create_model
from at_jax.models.a3net import A3Net
from at_jax.models.densenet import DenseNet

# Two groups: maps of 8x8 and 4x4 positions for 32x32 pixels.
small = functools.partial(
  A3Net,
  taps=(1, 2),
  width=6,
  blocks=(1, 2),
  growth=10,
  stem=22,
  num_classes=4,
)
ENDS = 'group', 'active/group'
PARTS = 'gate', 'gated', 'attention', 'scores', 'weighted', 'score'


@functools.cache
def traced(size=(224, 224), **kwargs):
  """(logits, endpoints), variables: shapes, at no cost."""
  model = create_model('a3net', **kwargs)
  images = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
  return jax.eval_shape(
    functools.partial(model.init_with_output, train=False),
    jax.random.key(0),
    images,
  )


def tiny(size=(125, 125), **kwargs):
  kwargs = dict(blocks=(1, 1, 1, 1), growth=2, stem=4, width=4) | kwargs
  return traced(size, **kwargs)


def count(tree):
  return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_counts():
  (logits, _), variables = traced()
  params = variables['params']
  attention = params['attention']
  assert count(params['backbone']) == 7_978_856 - 1000 * 1025
  for group, total in ((2, 2_669_596), (3, 3_037_212), (4, 3_037_212)):
    parts = [attention[f'{k}_group{group}'] for k in ('channel', 'element')]
    assert count(parts) == total
  assert count(attention['scale']) == 2 * 42 * 21
  assert count(params) == 15_699_640
  assert logits.shape == (2, 14)


def test_endpoints_at_224_pixels():
  (_, endpoints), _ = traced()
  wanted = dict(scale=(3, 14), fused=(7, 7, 14))
  sizes = (56, 256), (28, 512), (14, 1024), (7, 1024)
  for group, (n, depth) in enumerate(sizes, 1):
    wanted |= {f'{name}{group}': (n, n, depth) for name in ENDS}
    if group > 1:
      shapes = (depth,), (n, n, depth), *3 * ((n, n, 14),), (14,)
      named = zip(PARTS, shapes, strict=True)
      wanted |= {f'{part}/group{group}': shape for part, shape in named}
  assert {k: v.shape[1:] for k, v in endpoints.items()} == wanted


def test_backbone_takes_the_weights_of_a_densenet():
  """Same paths, same shapes, but for the head."""
  x = random_images(32, 32)
  model = small()
  ours = random_variables_of(model, x, train=False)
  theirs = random_variables_of(
    DenseNet(model.blocks, model.growth, model.stem), x, train=False
  )
  del theirs['params']['head']
  for kind in ('params', 'batch_stats'):
    own, other = ours[kind]['backbone'], theirs[kind]
    assert jax.tree.map(np.shape, own) == jax.tree.map(np.shape, other)


@pytest.mark.parametrize(
  'taps', [4, (4,), (1,), (2, 3), (4, 1), (1, 2, 3, 4), (3, 2, 4)]
)
def test_any_subset_of_the_groups(taps):
  (logits, endpoints), variables = tiny(taps=taps)
  groups = sorted(taps) if isinstance(taps, tuple) else [taps]
  for part in PARTS:
    found = {k for k in endpoints if k.startswith(f'{part}/')}
    assert found == {f'{part}/group{group}' for group in groups}
  several = len(groups) > 1
  assert logits.shape == (2, 14) and ('scale' in endpoints) == several
  if several:
    assert endpoints['scale'].shape == (2, len(groups), 14)
  coarsest = endpoints[f'attention/group{groups[-1]}'].shape
  assert endpoints['fused'].shape == coarsest
  # The backbone is whole whatever is tapped.
  assert 'group4_block1' in variables['params']['backbone']


@pytest.mark.parametrize('size, train', [((32, 30), False), ((38, 40), True)])
def test_equals_numpy(size, train):
  """Tapped after batch norm and ReLU, beside an unchanged backbone."""
  model = small(reading='space' if train else 'class')

  def reference(layers, x):
    ends = densenet(layers, x, model.blocks, ('backbone',))
    taps = {f'group{g}': ends[f'active/group{g}'] for g in (1, 2)}
    logits, parts = triple(layers, taps, 'attention', reading=model.reading)
    return logits, ends | parts

  x = random_images(*size)
  variables = random_variables_of(model, x, train=False)
  assert_forward_equals(model, variables, x, train, reference)


def test_concat_gap_equals_numpy():
  model = small(fusion='concat_gap')

  def reference(layers, x):
    ends = densenet(layers, x, model.blocks, ('backbone',))
    taps = {f'group{g}': ends[f'active/group{g}'] for g in (1, 2)}
    logits, parts = triple(layers, taps, 'attention')
    maps = relu(layers.conv(ends['active/group2'], 'maps'))
    both = np.concatenate([maps.mean((1, 2)), logits], -1)
    head = layers.params['head']
    return both @ head['kernel'] + head['bias'], ends | parts

  x = random_images(32, 32)
  variables = random_variables_of(model, x, train=False)
  assert_forward_equals(model, variables, x, False, reference)


def test_arguments_reach_the_modules():
  _, variables = tiny(taps=(3, 4), channel=False, element=False, scale=False)
  attention = variables['params']['attention']
  assert attention.keys() == {'scores_group3', 'scores_group4'}
  (_, ends), variables = tiny(fusion='features', taps=(3, 4), scale_per='scale')
  attention = variables['params']['attention']
  assert attention['element_fused']['conv0']['kernel'].shape[2:] == (512, 4)
  assert attention['scale']['dense1']['kernel'].shape == (256, 2)
  assert ends['attention/fused'].shape == (2, 4, 4, 14)
  (_, ends), variables = tiny(taps=(3, 4), grid='finest', last_bias=False)
  assert ends['fused'].shape == (2, 8, 8, 14)
  assert (
    'bias' not in variables['params']['attention']['element_group3']['conv2']
  )
  x = random_images(32, 32)
  model = small(scale_gate='softmax').clone(dtype=jnp.float64)
  variables = random_variables_of(model, x, train=False)
  with jax.enable_x64(True):
    _, ends = jax.jit(functools.partial(model.apply, train=False))(variables, x)
    np.testing.assert_allclose(ends['scale'].sum(1), 1)


def losses(model, params, stats, x, labels, aux=1.0):
  """Multi-label, with an auxiliary loss at every scale."""
  (logits, ends), updated = model.apply(
    {'params': params, 'batch_stats': stats},
    x,
    train=True,
    mutable=['batch_stats'],
  )
  scores = [v for k, v in ends.items() if k.startswith('score/')]
  one = np.ones(labels.shape[1], np.float32)
  total = 0.0
  for score, weight in ((logits, 1.0), *((score, aux) for score in scores)):
    loss = at_jax.weighted_sigmoid_cross_entropy(score, labels, one, one)
    total += weight * loss.mean()
  return total, (updated['batch_stats'], logits)


def test_gradients_reach_all_and_overfit_a_few_images():
  """6 images, 4 labels: every logit gets the sign of its label."""
  rng = np.random.default_rng(0)
  x = rng.standard_normal((6, 32, 32, 3)).astype(np.float32)
  labels = rng.integers(0, 2, (6, 4))
  model = small(blocks=(1, 1), width=16)
  key = jax.random.key(0, impl='rbg')
  variables = jax.jit(functools.partial(model.init, train=False))(key, x[:1])
  optimizer = optax.adam(1e-2)

  @jax.jit
  def step(params, stats, state):
    slopes, (stats, logits) = jax.grad(
      lambda p: losses(model, p, stats, x, labels), has_aux=True
    )(params)
    updates, state = optimizer.update(slopes, state)
    return optax.apply_updates(params, updates), stats, state, logits, slopes

  params, stats = variables['params'], variables['batch_stats']
  state = optimizer.init(params)
  *state, logits, slopes = step(params, stats, state)
  for path, leaf in jax.tree.leaves_with_path(slopes):
    names = [key.key for key in path]
    if names[-2:] != ['conv2', 'bias']:  # moves no softmax over positions
      assert np.isfinite(leaf).all() and np.abs(leaf).max() > 1e-7, names
  assert ((logits > 0) != labels).any()
  for _ in range(15):
    *state, logits, _ = step(*state)
  assert ((logits > 0) == labels).all()


def test_compiled_is_eager():
  model = small(blocks=(1,), taps=1)
  x = random_images(16, 16).astype(np.float32)
  variables = jax.tree.map(
    np.float32, random_variables_of(model, x, train=False)
  )
  forward = functools.partial(model.apply, train=False)
  logits, ends = forward(variables, x)
  compiled, others = jax.jit(forward)(variables, x)
  close = dict(rtol=1e-4, atol=1e-4)
  np.testing.assert_allclose(compiled, logits, **close)
  for name in ends:
    np.testing.assert_allclose(others[name], ends[name], **close)


@pytest.mark.parametrize(
  'size, arguments, message',
  [
    ((32, 32), {}, '32x32 .* 1x1 positions in group 4 .* 125x125'),
    ((32, 32), dict(taps=(4, 1)), '1x1 positions in group 4 .* 125x125'),
    ((124, 124), {}, '124x124 .* 3x3 positions .* 125x125'),
    ((125, 124), {}, '125x124 .* 4x3 positions .* 125x125'),
    ((60, 60), dict(taps=(3,)), '3x3 positions in group 3 .* 61x61'),
    ((28, 28), dict(taps=2), '3x3 positions in group 2 .* 29x29'),
    (
      (96, 96),
      dict(fusion='features'),
      '3x3 positions in group 4 .* 125x125 .*or taps of earlier groups',
    ),
    ((16, 16), dict(taps=1), 'too small for this DenseNet.* 29x29'),
  ],
)
def test_an_image_too_small_names_the_size_that_works(size, arguments, message):
  with pytest.raises(ValueError, match=message):
    tiny(size, **arguments)


@pytest.mark.parametrize(
  'size, arguments',
  [
    ((125, 125), {}),
    ((93, 189), {}),  # 3x6 positions
    ((61, 61), dict(taps=(1, 2, 3))),
    ((29, 29), dict(taps=2)),
    ((32, 32), dict(element=False)),
    ((61, 61), dict(taps=(3, 4), fusion='features', grid='finest')),
  ],
)
def test_sizes_that_work(size, arguments):
  (logits, _), _ = tiny(size, **arguments)
  assert logits.shape == (2, 14)


@pytest.mark.parametrize(
  'arguments, message',
  [
    (dict(taps=()), r'one or several of 1, 2, 3, 4, each once, got \(\)'),
    (dict(taps=(2, 2)), r'each once, got \(2, 2\)'),
    (dict(taps=(2, 5)), r'1, 2, 3, 4, each once, got \(2, 5\)'),
    (dict(taps=0), 'got 0'),
    (dict(fusion='concatgap'), "mean 'concat_gap'.*maps, features, concat"),
    (dict(reading='clas'), "mean 'class'"),
    (dict(scale_gate='softmx'), "mean 'softmax'"),
    (dict(scale_per='clss'), "mean 'class'"),
    (dict(grid='fine'), "mean 'finest'"),
  ],
)
def test_wrong_arguments(arguments, message):
  with pytest.raises(ValueError, match=message):
    tiny(**arguments)


def test_wrong_rank():
  with pytest.raises(ValueError, match=r'A3Net .*\[B, H, W, C\]'):
    small().init(jax.random.key(0), jnp.zeros((32, 32, 3)), train=False)

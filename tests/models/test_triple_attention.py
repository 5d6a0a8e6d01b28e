"""The three attentions against NumPy, their laws, and what feeds gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_attention import (
  apply64,
  channel,
  element,
  random_variables_of,
  scale,
  to_grid,
  triple,
)
from numpy_networks import Layers

from at_jax.models.scale_attention import stack_scales
from at_jax.models.triple_attention import (
  ChannelAttention,
  ElementAttention,
  ScaleAttention,
  TripleAttention,
)

CLASSES = 3
FREE = tuple(map(jax.tree_util.DictKey, ('conv2', 'bias')))
both_readings = pytest.mark.parametrize('reading', ['space', 'class'])
module64 = functools.partial(
  TripleAttention, CLASSES, width=5, dtype=jnp.float64
)


def normal(seed, *shape):
  return np.random.default_rng(seed).standard_normal(shape)


def two_scales():
  return {'fine': normal(0, 2, 8, 12, 32), 'rough': normal(1, 2, 4, 6, 6)}


def close(got, wanted):
  np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def count(module, *shape):
  variables = jax.eval_shape(
    module.init,
    jax.random.key(0),
    jax.ShapeDtypeStruct((1, *shape), jnp.float32),
  )
  return sum(leaf.size for leaf in jax.tree.leaves(variables))


@pytest.mark.parametrize('channels, hidden', [(32, 2), (40, 2), (6, 1)])
def test_channel_attention_equals_numpy(channels, hidden):
  x = normal(0, 2, 4, 5, channels)
  module = ChannelAttention(dtype=jnp.float64)
  variables = random_variables_of(module, x)
  assert variables['params']['dense0']['kernel'].shape == (channels, hidden)
  gated, gate = apply64(module, variables, x)
  wanted = channel(Layers(variables, False), x)
  close(gated, wanted[0])
  close(gate, wanted[1])
  assert (gate > 0).all() and (gate < 1).all()


@pytest.mark.parametrize('channels, hidden', [(32, 2), (48, 3), (24, 1)])
def test_channel_attention_does_not_begin_dead(channels, hidden):
  """Of features after a ReLU few units without bias often are, all of them."""
  module = ChannelAttention()
  x = np.maximum(normal(0, 2, 4, 5, channels), 0).astype(np.float32)

  @jax.jit
  @jax.vmap
  def slopes(key):
    variables = module.init(key, x)
    slope = jax.grad(lambda v: (module.apply(v, x)[1] ** 2).sum())(variables)
    return variables, slope

  variables, slope = slopes(jax.random.split(jax.random.key(0), 20))
  kernel = np.asarray(variables['params']['dense0']['kernel'])
  assert kernel.shape == (20, channels, hidden)
  half = -(-hidden // 2)
  np.testing.assert_array_equal(kernel[..., half:], -kernel[..., : hidden // 2])
  assert (kernel[..., :half].sum(1) > 0).all()
  for leaf in jax.tree.leaves(slope):
    assert (np.abs(leaf).max((1, 2)) > 1e-4).all()


def test_channel_attention_of_nothing_is_one_half():
  x = np.zeros((2, 4, 4, 32))
  module = ChannelAttention(dtype=jnp.float64)
  gated, gate = apply64(module, random_variables_of(module, x), x)
  assert (gate == 0.5).all() and (gated == 0).all()


@both_readings
@pytest.mark.parametrize('last_bias', [True, False])
def test_element_attention_equals_numpy(reading, last_bias):
  x = normal(0, 2, 4, 5, 7)
  module = ElementAttention(CLASSES, 6, reading, last_bias, jnp.float64)
  variables = random_variables_of(module, x)
  assert ('bias' in variables['params']['conv2']) == last_bias
  got = apply64(module, variables, x)
  names = 'attention', 'scores', 'weighted', 'score'
  wanted = element(Layers(variables, False), x, reading=reading)
  assert got.keys() == set(names)
  for name, array in zip(names, wanted, strict=True):
    close(got[name], array)


def test_scores_are_linear():
  """No sigmoid, no ReLU, and of the features that the attention sees."""
  x = normal(0, 2, 4, 5, 7)
  module = ElementAttention(CLASSES, 6, dtype=jnp.float64)
  variables = random_variables_of(module, x)
  bias = variables['params']['scores']['bias']
  one, two = (apply64(module, variables, f * x)['scores'] for f in (1, -3))
  close(two - bias, -3 * (one - bias))


def test_pooling_features_first_gives_the_scores():
  """Softmax maps times features, or times scores: one computation."""
  x = normal(0, 2, 4, 5, 7)
  for reading, same in (('space', True), ('class', False)):
    module = ElementAttention(CLASSES, 6, reading, dtype=jnp.float64)
    variables = random_variables_of(module, x)
    got = apply64(module, variables, x)
    classifier = variables['params']['scores']
    pooled = np.einsum('bijc,bijd->bcd', got['attention'], x)
    pooled = pooled if same else pooled / 20
    score = np.einsum('bcd,dc->bc', pooled, classifier['kernel'][0, 0])
    score += classifier['bias']
    assert (np.abs(score - got['score']).max() < 1e-5) == same


def test_parameter_counts():
  """Of the specification, for 14 classes."""
  for channels, total in ((1024, 3_037_212), (512, 2_669_596)):
    squeeze = count(ChannelAttention(), 4, 4, channels)
    assert squeeze == 2 * channels * channels // 16
    assert count(ElementAttention(14), 4, 4, channels) == total - squeeze
  whole = count(ElementAttention(14), 4, 4, 1024)
  assert whole == 2_891_790 + 14_350
  assert whole - count(ElementAttention(14, last_bias=False), 4, 4, 1024) == 14


@pytest.mark.parametrize('pool', ['sum', 'mean'])
@pytest.mark.parametrize('gate', ['sigmoid', 'softmax'])
@pytest.mark.parametrize('per', ['class', 'scale'])
def test_scale_attention_equals_numpy(pool, gate, per):
  maps = [normal(i, 2, 3 * n, 2 * n, CLASSES) for i, n in enumerate((4, 1, 2))]
  module = ScaleAttention(gate, per, 'coarsest', pool, jnp.float64)
  variables = random_variables_of(module, maps)
  hidden = variables['params']['dense0']['kernel']
  assert hidden.shape == (9, 5)  # half of 3 scales of 3 classes, rounded up
  weighed, gates = apply64(module, variables, maps)
  wanted = scale(Layers(variables, False), maps, pool=pool, gate=gate, per=per)
  close(weighed, wanted[0])
  close(gates, wanted[1])
  assert gates.shape == (2, 3, CLASSES)
  if gate == 'softmax':
    close(gates.sum(1), 1)
  assert (np.ptp(gates, axis=2) == 0).all() == (per == 'scale')


def test_scale_attention_of_nothing():
  maps = [np.zeros((2, n, n, CLASSES)) for n in (4, 2)]
  for gate in ('sigmoid', 'softmax'):
    module = ScaleAttention(gate, dtype=jnp.float64)
    weighed, gates = apply64(module, random_variables_of(module, maps), maps)
    assert (gates == 0.5).all() and (weighed == 0).all()


def means(x, length):
  """One axis: every entry `length` times, then equal parts of them."""
  return x.repeat(length).reshape(length, -1).mean(1)


@pytest.mark.parametrize('grid', ['coarsest', 'finest'])
@pytest.mark.parametrize('pool', ['sum', 'mean'])
def test_stacks_keep_what_is_pooled(grid, pool):
  maps = [normal(i, 2, n, 3 * n, CLASSES) for i, n in enumerate((8, 2, 4))]
  with jax.enable_x64(True):
    stack = np.asarray(stack_scales(maps, grid=grid, pool=pool))
  assert stack.shape == (
    (2, 2, 6, 3, CLASSES) if grid == 'coarsest' else (2, 8, 24, 3, CLASSES)
  )
  reduce = getattr(np, pool)
  for i, x in enumerate(maps):
    close(reduce(stack[..., i, :], axis=(1, 2)), reduce(x, axis=(1, 2)))
  kept = 1 if grid == 'coarsest' else 0
  np.testing.assert_array_equal(stack[..., kept, :], maps[kept])
  if grid == 'coarsest':
    close(stack[..., 0, :], to_grid(maps[0], (2, 6), pool))


def test_sizes_that_do_not_divide():
  maps = [normal(0, 2, 7, 9, CLASSES), normal(1, 2, 4, 2, CLASSES)]
  with jax.enable_x64(True):
    coarse, fine = (
      np.asarray(stack_scales(maps, grid=grid, pool='mean'))
      for grid in ('coarsest', 'finest')
    )
  wanted = np.apply_along_axis(means, 1, maps[0], 4)
  close(coarse[..., 0, :], np.apply_along_axis(means, 2, wanted, 2))
  with jax.enable_x64(True):
    wanted = jax.image.resize(
      maps[1], (2, 7, 9, CLASSES), 'bilinear', antialias=False
    )
  close(fine[..., 1, :], wanted)


@both_readings
@pytest.mark.parametrize('gate', ['sigmoid', 'softmax'])
def test_triple_attention_equals_numpy(reading, gate):
  features = two_scales()
  module = module64(reading=reading, scale_gate=gate)
  variables = random_variables_of(module, features)
  logits, parts = apply64(module, variables, features)
  wanted, ends = triple(
    Layers(variables, False), features, reading=reading, gate=gate
  )
  close(logits, wanted)
  assert parts.keys() == ends.keys()
  for name in ends:
    close(parts[name], ends[name])
  # What scale attention does to the scores of the scales.
  scores = np.stack([parts['score/fine'], parts['score/rough']], 1)
  close(logits, (parts['scale'] * scores).sum(1))


@both_readings
def test_switched_off(reading):
  features = two_scales()
  module = module64(reading=reading, channel=False, element=False, scale=False)
  variables = random_variables_of(module, features)
  layers = Layers(variables, False)
  logits, parts = apply64(module, variables, features)
  scores = []
  for name, x in features.items():
    s = layers.conv(x, f'scores_{name}')
    close(parts[f'scores/{name}'], s)
    share = s[0, :, :, 0].size if reading == 'space' else 1
    close(parts[f'weighted/{name}'], s / share)
    scores.append(s.mean((1, 2)))
    close(parts[f'score/{name}'], scores[-1])
  close(logits, np.mean(scores, axis=0))
  kinds = {name.partition('/')[0] for name in parts}
  assert kinds == {'scores', 'weighted', 'score', 'fused'}
  assert variables['params'].keys() == {'scores_fine', 'scores_rough'}


@pytest.mark.parametrize('off', ['channel', 'element', 'scale'])
def test_one_switch_leaves_the_others(off):
  module = module64(**{off: False})
  params = random_variables_of(module, two_scales())['params']
  kinds = {name.partition('_')[0] for name in params}
  plain = {'scores'} if off == 'element' else set()
  assert kinds == {'channel', 'element', 'scale'} - {off} | plain


@pytest.mark.parametrize('scaled', [True, False])
def test_fusion_of_features_equals_numpy(scaled, monkeypatch):
  monkeypatch.setattr('at_jax.models.triple_attention.PROJECTED', 4)
  features = two_scales()
  module = module64(fusion='features', scale=scaled)
  variables = random_variables_of(module, features)
  layers = Layers(variables, False)
  maps = []
  for name, x in features.items():
    x, _ = channel(layers, x, f'channel_{name}')
    maps.append(layers.conv(x, f'project_{name}'))
  if scaled:
    stack, gates = scale(layers, maps, 'scale', pool='mean')
    fused = np.concatenate([stack[..., 0, :], stack[..., 1, :]], -1)
  else:
    maps[0] = to_grid(maps[0], (4, 6), 'mean')
    fused = np.concatenate(maps, -1)
  wanted = element(layers, fused, 'element_fused')
  logits, parts = apply64(module, variables, features)
  names = 'attention', 'scores', 'weighted', 'score'
  for name, array in zip(names, wanted, strict=True):
    close(parts[f'{name}/fused'], array)
  close(parts['fused'], fused)
  close(logits, wanted[-1])
  assert ('scale' in parts) == scaled
  if scaled:
    close(parts['scale'], gates)


def test_one_scale_has_nothing_to_weigh():
  x = {'only': normal(0, 2, 4, 5, 6)}
  module = module64()
  variables = random_variables_of(module, x)
  assert variables['params'].keys() == {'channel_only', 'element_only'}
  logits, parts = apply64(module, variables, x)
  close(logits, parts['score/only'])
  np.testing.assert_array_equal(parts['fused'], parts['weighted/only'])
  assert 'scale' not in parts


def test_finest_grid():
  features = two_scales()
  module = module64(grid='finest')
  variables = random_variables_of(module, features)
  logits, parts = apply64(module, variables, features)
  assert parts['fused'].shape == (2, 8, 12, CLASSES)
  scores = np.stack([parts['score/fine'], parts['score/rough']], 1)
  close(logits, (parts['scale'] * scores).sum(1))


@both_readings
def test_classes_in_another_order(reading):
  """Their parameters permuted, all outputs are, and nothing else happens."""
  order = np.array([2, 0, 1])
  features = two_scales()
  module = module64(reading=reading)
  variables = random_variables_of(module, features)
  logits, parts = apply64(module, variables, features)
  both = np.concatenate([order, order + CLASSES])

  def permuted(path, leaf):
    _, owner, layer, name = (key.key for key in path)
    if layer in ('conv2', 'scores'):
      return leaf[..., order]
    if owner == 'scale':
      return leaf[both] if layer == 'dense0' else leaf[:, both]
    return leaf

  other = jax.tree.map_with_path(permuted, variables)
  other_logits, other_parts = apply64(module, other, features)
  close(other_logits, logits[:, order])
  for name, array in parts.items():
    ordered = array if 'gate' in name else array[..., order]
    close(other_parts[name], ordered)


@pytest.mark.parametrize('fusion', ['maps', 'features'])
@both_readings
def test_gradients_reach_every_parameter(fusion, reading):
  features = jax.tree.map(np.float32, two_scales())
  module = TripleAttention(CLASSES, 5, reading, fusion=fusion)
  variables = random_variables_of(module, features)
  variables = jax.tree.map(np.float32, variables)

  @jax.jit
  @functools.partial(jax.grad, argnums=(0, 1))
  def slopes(variables, features):
    logits, _ = module.apply(variables, features)
    return (logits * normal(5, 2, CLASSES).astype(np.float32)).sum()

  for path, leaf in jax.tree.leaves_with_path(slopes(variables, features)):
    if reading == 'space' and path[-2:] == FREE:
      # What is added to all positions alike moves no softmax over them.
      np.testing.assert_allclose(leaf, 0, atol=1e-4)
    else:
      assert np.isfinite(leaf).all() and np.abs(leaf).max() > 1e-6, path


def test_zero_features():
  """No biases either: everything is even, and its gradient finite."""
  features = jax.tree.map(lambda x: 0 * np.float32(x), two_scales())
  module = TripleAttention(CLASSES, 5)
  variables = jax.tree.map_with_path(
    lambda path, x: np.float32(x) * (path[-1].key != 'bias'),
    random_variables_of(module, features),
  )

  def loss(variables):
    logits, parts = module.apply(variables, features)
    return jnp.sum((logits - 1) ** 2), (logits, parts)

  with jax.debug_nans(True):
    slopes, (logits, parts) = jax.jit(jax.grad(loss, has_aux=True))(variables)
  np.testing.assert_array_equal(logits, 0)
  np.testing.assert_allclose(parts['attention/fine'], 1 / 96, rtol=1e-6)
  np.testing.assert_array_equal(parts['scale'], 0.5)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
  bias = slopes['params']['element_rough']['scores']['bias']
  np.testing.assert_allclose(bias, 2 * -2 * 0.5, rtol=1e-5)


def test_compiled_is_eager_whatever_the_order_of_the_dict():
  """jit hands on a dict with its names sorted: so the module takes them."""
  features = {'a': normal(0, 1, 4, 4, 3), 'b': normal(1, 1, 4, 4, 3)}
  features = jax.tree.map(np.float32, features)
  backwards = dict(reversed(features.items()))
  module = TripleAttention(CLASSES, 5)
  variables = random_variables_of(module, features)
  variables = jax.tree.map(np.float32, variables)
  eager, parts = module.apply(variables, backwards)
  compiled, ends = jax.jit(module.apply)(variables, backwards)
  np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-4)
  for name in parts:
    np.testing.assert_allclose(ends[name], parts[name], rtol=1e-4, atol=1e-4)


@both_readings
def test_bfloat16_is_for_activations_only(reading):
  features = two_scales()
  variables = random_variables_of(module64(reading=reading), features)
  wanted, ends = apply64(module64(reading=reading), variables, features)
  module = TripleAttention(CLASSES, 5, reading, dtype=jnp.bfloat16)
  shapes = jax.eval_shape(module.init, jax.random.key(0), features)
  assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(shapes))
  logits, parts = jax.jit(module.apply)(variables, features)
  assert all(leaf.dtype == jnp.bfloat16 for leaf in (logits, *parts.values()))
  np.testing.assert_allclose(np.float32(logits), wanted, atol=0.1)
  attention = np.float32(parts['attention/fine'])
  np.testing.assert_allclose(attention, ends['attention/fine'], atol=0.05)
  axes = (1, 2) if reading == 'space' else 3
  np.testing.assert_allclose(attention.sum(axes), 1, atol=0.02)


def test_names_with_a_slash_make_no_paths():
  x = {'group1/block2': np.zeros((1, 4, 4, 8))}
  params = random_variables_of(module64(), x)['params']
  assert params.keys() == {'channel_group1_block2', 'element_group1_block2'}


def test_initial_variables():
  """Kernels with a ReLU after them double the variance, others keep it."""
  key = jax.random.key(0, impl='rbg')
  for module, gains, x in (
    (ChannelAttention(), dict(dense0=2, dense1=1), np.zeros((1, 1, 1, 640))),
    (
      ElementAttention(90, 90),
      dict(conv0=2, conv1=2, conv2=1, scores=1),
      np.zeros((1, 4, 4, 90)),
    ),
    (ScaleAttention(), dict(dense0=2, dense1=1), 2 * [np.zeros((1, 4, 4, 90))]),
  ):
    params = jax.jit(module.init)(key, x)['params']
    for name, gain in gains.items():
      fan_in = np.prod(params[name]['kernel'].shape[:-1])
      std = params[name]['kernel'].std()
      np.testing.assert_allclose(std, np.sqrt(gain / fan_in), rtol=0.05)
      assert (np.asarray(params[name].get('bias', 0)) == 0).all()


FOUR = np.zeros((1, 4, 4, 3), np.float32)


@pytest.mark.parametrize(
  'module, x, message',
  [
    (ChannelAttention(), FOUR[0], r'ChannelAttention .*\[B, H, W, D\]'),
    (ElementAttention(2), FOUR[0], r'ElementAttention .*\[B, H, W, D\]'),
    (ElementAttention(2), FOUR[:, :3], r'3x4 .*wants 16 \(4x4\).*larger image'),
    (ElementAttention(2), FOUR[:, :1, :1], '1x1 positions'),
    (ElementAttention(2, 4, 'spce'), FOUR, "mean 'space'"),
    (ScaleAttention(), [FOUR[0]], r'stack_scales wants .*\[B, H, W, C\]'),
    (ScaleAttention(), [], r'one batch and number of channels.*\[\]'),
    (ScaleAttention(), [FOUR, FOUR[..., :2]], r'\(1, 4, 4, 2\)'),
    (ScaleAttention('softmx'), [FOUR], "scale gate.*'softmax'"),
    (ScaleAttention(per='clas'), [FOUR], "mean 'class'"),
    (ScaleAttention(grid='rough'), [FOUR], 'grid of scales.*coarsest, finest'),
    (ScaleAttention(pool='max'), [FOUR], 'pool of scales.*sum, mean'),
    (TripleAttention(2), FOUR, r'in a dict, \{name: \[B, H, W, D\]\}'),
    (TripleAttention(2), {}, 'at least one, got dict'),
    (TripleAttention(2), {'a': FOUR[0]}, r'TripleAttention .*\[B, H, W, D\]'),
    (TripleAttention(2, reading='spac'), {'a': FOUR}, "mean 'space'"),
    (
      TripleAttention(2, reading='spac', element=False),
      {'a': FOUR},
      'reading of element attention',
    ),
    (TripleAttention(2, fusion='mps'), {'a': FOUR}, "mean 'maps'.*features"),
  ],
)
def test_errors_name_the_way_out(module, x, message):
  with pytest.raises(ValueError, match=message):
    jax.eval_shape(module.init, jax.random.key(0), x)

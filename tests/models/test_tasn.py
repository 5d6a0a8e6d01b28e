"""TASN: counts, shapes, where what is sampled comes from, what learns."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_networks import random_variables
from small_networks import TASN_SETTINGS, assert_trees_close

import at_jax
from at_jax.models import create_model
from at_jax.models.tasn import TASN
from at_jax.models.tasn_attention import Dilated, distinct_channels

SMALL = TASN_SETTINGS | dict(num_classes=5)
IMAGES = np.random.default_rng(0).uniform(0, 1, (6, 24, 20, 3))
IMAGES = IMAGES.astype(np.float32)


def shapes(size=512, train=True, **kwargs):
  """(shapes of the variables, endpoints), at no cost."""
  model = create_model('tasn', **kwargs)
  images = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
  variables = jax.eval_shape(
    lambda key, x: model.init(key, x, train=False), jax.random.key(0), images
  )
  apply = functools.partial(model.apply, train=train, mutable=['batch_stats'])
  (_, ends), _ = jax.eval_shape(
    lambda variables, x: apply(variables, x, rngs={'draw': jax.random.key(0)}),
    variables,
    images,
  )
  return variables, {name: end.shape[1:] for name, end in ends.items()}


def count(tree):
  return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_counts_and_shapes():
  variables, ends = shapes()
  params = variables['params']
  attention = params['attention']
  # torchvision's ResNet-18 without its last layer.
  assert count(attention['trunk']) == 11_689_512 - 513_000
  assert attention['dilated0']['kernel'].shape == (3, 3, 512, 512)
  assert count(params['backbone']) == 25_557_032 - 2_049_000 + 2049 * 200
  assert count(params['part_head']) == count(params['master_head']) == 409_800
  assert ends['features'] == ends['attention'] == (28, 28, 512)
  assert ends['map/structure'] == ends['map/detail'] == (28, 28)
  for branch in ('structure', 'detail'):
    assert ends[f'sampled/{branch}'] == (224, 224, 3)
  assert ends['backbone/group4'] == (7, 7, 2048) and ends['detail_index'] == ()
  logits = [name for name in ends if name.startswith('logits/')]
  assert sorted(name[7:] for name in logits) == [
    'attention',
    'master',
    'master_shared',
    'part',
    'part_shared',
  ]


def test_evaluation_has_no_part():
  _, ends = shapes(train=False)
  assert not [name for name in ends if 'part' in name or 'detail' in name]
  assert 'logits/master' in ends and 'sampled/structure' in ends


@functools.cache
def small(**kwargs):
  """(model, variables that are nowhere at their initial value)."""
  model = create_model('tasn', **(SMALL | kwargs))
  shaped = _Sized(model)
  return model, random_variables(shaped)


class _Sized:
  """So that `random_variables` sees images of this size."""

  def __init__(self, model):
    self.model = model

  def init(self, key, images, train):
    del images
    return self.model.init(key, jnp.asarray(IMAGES[:1]), train=train)


@functools.cache
def compiled(model, train):
  return jax.jit(
    functools.partial(model.apply, train=train, mutable=['batch_stats'])
  )


def run(model, variables, key=0, train=True, images=IMAGES):
  """(logits, endpoints, new statistics)."""
  (logits, ends), updated = compiled(model, train)(
    variables, images, rngs={'draw': jax.random.key(key)}
  )
  return logits, ends, updated.get('batch_stats', {})


def test_maps_are_trilinear_and_images_sampled_by_them():
  model, variables = small()
  _, ends, _ = run(model, variables)
  close = dict(rtol=1e-4, atol=1e-5)
  attention = at_jax.trilinear_attention(ends['features'])
  np.testing.assert_allclose(ends['attention'], attention, **close)
  structure = np.asarray(attention).mean(-1)
  np.testing.assert_allclose(ends['map/structure'], structure, **close)
  index = np.asarray(ends['detail_index'])
  detail = np.asarray(attention)[np.arange(len(index)), ..., index]
  np.testing.assert_allclose(ends['map/detail'], detail, **close)
  for branch in ('structure', 'detail'):
    wanted = at_jax.attention_sample(IMAGES, ends[f'map/{branch}'], (8, 8))
    got = ends[f'sampled/{branch}']
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-4)
  assert np.abs(ends['sampled/structure'] - ends['sampled/detail']).max() > 0.01


def test_every_image_and_step_draws_a_channel_of_its_own():
  model, variables = small()
  drawn = [run(model, variables, key)[1]['detail_index'] for key in range(4)]
  assert all(len(set(np.asarray(one).tolist())) > 1 for one in drawn)
  assert len({tuple(np.asarray(one).tolist()) for one in drawn}) == 4
  again = run(model, variables, 3)[1]['detail_index']
  np.testing.assert_array_equal(again, drawn[3])


def test_distinct_sums_have_equal_chances():
  """Of dead channels, which are alike, one only is drawn."""
  sums = jnp.asarray([[3.0, 1.0, 1.0, 2.0, 1.0]])
  draw = jax.jit(jax.vmap(lambda key: distinct_channels(key, sums)[0]))
  drawn = np.asarray(draw(jax.random.split(jax.random.key(0), 3000)))
  chosen, counts = np.unique(drawn, return_counts=True)
  assert chosen.tolist() == [0, 1, 3]
  np.testing.assert_allclose(counts / 3000, 1 / 3, atol=0.04)


def test_draws_may_leave_out_channels_that_are_alike():
  model, variables = small(draw='distinct')
  sums = np.asarray(run(model, variables)[1]['attention']).sum((1, 2))
  for key in range(3):
    _, ends, _ = run(model, variables, key)
    for own, index in zip(sums, np.asarray(ends['detail_index']), strict=True):
      assert np.flatnonzero(own == own[index])[0] == index


@pytest.mark.parametrize('index', ['mean', 3])
def test_a_part_network_may_be_evaluated(index):
  model, variables = small(detail_index=index)
  _, ends, _ = run(model, variables, train=False)
  attention = np.asarray(ends['attention'])
  detail = attention.mean(-1) if index == 'mean' else attention[..., index]
  np.testing.assert_allclose(ends['map/detail'], detail, rtol=1e-5, atol=1e-6)
  (logits, _), _ = backbone_alone(
    model, variables, ends['sampled/detail'], False
  )
  close = dict(rtol=1e-3, atol=1e-3)
  np.testing.assert_allclose(ends['logits/part_shared'], logits, **close)
  # In training it is drawn as ever.
  assert len(set(np.asarray(run(model, variables)[1]['detail_index']))) > 1


def backbone_alone(model, variables, images, train):
  name, arguments = model.backbone
  backbone = create_model(name, **dict(arguments), num_classes=5)
  own = {kind: tree['backbone'] for kind, tree in variables.items()}
  return jax.jit(
    functools.partial(backbone.apply, train=train, mutable=['batch_stats'])
  )(own, images)


def test_both_branches_are_one_batch_for_the_batch_norms():
  model, variables = small()
  _, ends, stats = run(model, variables)
  batch = np.concatenate([ends['sampled/detail'], ends['sampled/structure']])
  (logits, _), alone = backbone_alone(model, variables, batch, True)
  close = dict(rtol=1e-3, atol=1e-3)
  np.testing.assert_allclose(ends['logits/part_shared'], logits[:6], **close)
  np.testing.assert_allclose(ends['logits/master_shared'], logits[6:], **close)
  assert_trees_close(stats['backbone'], alone['batch_stats'], **close)


def test_evaluation_is_the_structure_branch():
  model, variables = small()
  logits, ends, _ = run(model, variables, train=False)
  (wanted, found), _ = backbone_alone(
    model, variables, ends['sampled/structure'], False
  )
  close = dict(rtol=1e-3, atol=1e-3)
  np.testing.assert_allclose(logits, wanted, **close)
  np.testing.assert_allclose(ends['backbone/group3'], found['group3'], **close)


@pytest.mark.parametrize(
  'backbone',
  [
    ('wrn', (('depth', 10), ('width', 0.25))),
    ('cifar_resnet', (('depth', 8),)),
  ],
)
def test_separate_heads_read_what_the_shared_one_reads(backbone):
  """With its weights they say the same, in networks that end in a norm, too."""
  model, variables = small(backbone=backbone)
  params = dict(variables['params'])
  params['part_head'] = params['master_head'] = params['backbone']['head']
  _, ends, _ = run(model, variables | {'params': params})
  for branch in ('part', 'master'):
    one, other = (ends[f'logits/{branch}{end}'] for end in ('', '_shared'))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    assert np.ptp(one) > 0.1


def gradients(branch, **kwargs):
  model, variables = small(**kwargs)

  @jax.jit
  def gradient(params):
    def loss(params):
      (_, ends), _ = model.apply(
        variables | {'params': params},
        IMAGES,
        train=True,
        mutable=['batch_stats'],
        rngs={'draw': jax.random.key(0)},
      )
      return jnp.sum(ends[f'logits/{branch}'] ** 2)

    return jax.grad(loss)(params)

  found = gradient(variables['params'])
  return {
    name: max(float(jnp.abs(x).max()) for x in jax.tree.leaves(tree))
    for name, tree in found.items()
  }


def test_nothing_comes_back_through_the_sampler():
  found = gradients('master')
  assert found['attention'] == 0 and found['part_head'] == 0
  assert found['backbone'] > 0 and found['master_head'] > 0
  found = gradients('attention')
  assert found['attention'] > 0 and found['backbone'] == 0


def test_a_uniform_sampler_resizes():
  model, variables = small(sampler='uniform', heads='shared')
  _, ends, _ = run(model, variables, train=False)
  even = at_jax.attention_sample(IMAGES, np.ones((6, 3, 3)), (8, 8))
  np.testing.assert_allclose(ends['sampled/structure'], even, atol=1e-5)
  assert 'logits/master' not in ends and 'logits/master_shared' in ends
  assert 'part_head' not in variables['params']


def test_settings_reach_maps_and_sampler():
  model, variables = small(
    power=2.0, detail_floor=0.5, rule='pt', joint=False, align_corners=True
  )
  _, ends, _ = run(model, variables)
  attention = np.asarray(ends['attention'])
  close = dict(rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(
    ends['map/structure'], attention.mean(-1) ** 2, **close
  )
  index = np.asarray(ends['detail_index'])
  detail = attention[np.arange(6), ..., index] + 0.5
  np.testing.assert_allclose(ends['map/detail'], detail, **close)
  large = at_jax.resize_align_corners(
    ends['map/structure'][..., None], IMAGES.shape[1:3]
  )[..., 0]
  wanted = at_jax.attention_sample(
    IMAGES, large, (8, 8), rule='pt', joint=False
  )
  np.testing.assert_allclose(ends['sampled/structure'], wanted, **close)


def test_a_filtered_resize_averages():
  """Of stripes of one pixel a plain resize keeps what it hits."""
  stripes = np.zeros((6, 16, 16, 3), np.float32)
  stripes[:, :, ::4] = 4
  model, variables = small(sampler='filtered', heads='shared', part=False)
  for sampler, off in (('filtered', 0.0), ('uniform', 1.0)):
    own = model.clone(sampler=sampler, sampled_size=4)
    (_, ends) = own.apply(variables, stripes, train=False)
    inner = np.asarray(ends['sampled/structure'])[:, :, 1:3]
    np.testing.assert_allclose(np.abs(inner - 1).max(), off, atol=0.05)


@pytest.mark.parametrize('dilations', [(1, 2), (1, 2, 3)])
def test_dilated_convolutions_share_a_kernel(dilations):
  rng = np.random.default_rng(1)
  x = rng.standard_normal((2, 7, 6, 3))
  kernel = rng.standard_normal((3, 3, 3, 3))
  bias = rng.standard_normal(3)
  wanted = np.zeros_like(x)
  for d in dilations:
    padded = np.pad(x, ((0, 0), (d, d), (d, d), (0, 0)))
    y = bias + sum(
      padded[:, i * d : i * d + 7, j * d : j * d + 6] @ kernel[i, j]
      for i in range(3)
      for j in range(3)
    )
    wanted += np.maximum(y, 0)
  params = {'kernel': np.float32(kernel), 'bias': np.float32(bias)}
  got = Dilated(dilations, jnp.float32).apply({'params': params}, np.float32(x))
  np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_for_activations_only():
  model, variables = small()
  half = model.clone(dtype=jnp.bfloat16)
  logits, ends, stats = run(half, variables)
  assert logits.dtype == jnp.bfloat16
  assert ends['attention'].dtype == ends['map/structure'].dtype == jnp.float32
  assert {x.dtype for x in jax.tree.leaves(stats)} == {np.dtype(np.float32)}
  assert all(bool(jnp.isfinite(x).all()) for x in jax.tree.leaves(ends))


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (dict(sampler='cfd'), "Unknown sampler of TASN 'cfd'.*mean 'cdf'"),
    (dict(draw='any'), "Unknown draw of TASN 'any'.*channel, distinct"),
    (dict(detail_index='max'), "detail_index of TASN is.* 16 channels, got 'm"),
    (dict(detail_index=16), 'detail_index of TASN is .*got 16'),
    (dict(heads='own'), 'Unknown heads of TASN.*both, shared, separate'),
    (dict(stem='large'), "Unknown stem of TASN's attention 'large'"),
    (dict(backbone='resnet51'), "Unknown backbone of TASN.*mean 'resnet50'"),
    (dict(variant='bot'), "Unknown variant of trilinear.*mean 'both'"),
    (dict(rule='center'), "Unknown rule.*mean 'centre'"),
  ],
)
def test_unknown_settings(arguments, words):
  with pytest.raises(ValueError, match=words):
    shapes(24, **(SMALL | arguments))


def test_wrong_rank_and_argument():
  with pytest.raises(ValueError, match=r'TASN wants shape \[B, H, W, C\]'):
    TASN(**SMALL).init(jax.random.key(0), IMAGES[0], train=False)
  with pytest.raises(ValueError, match="mean 'attention_size'"):
    create_model('tasn', attention_siz=3)

"""Residual attention networks by their shapes: counts, sizes, errors."""

import functools
import math

import jax
import jax.extend
import jax.numpy as jnp
import pytest

from at_jax.models import create_model

ARGUMENTS_452 = dict(modules=6, p=2, t=4, r=3)


@functools.cache
def traced(name, size, **kwargs):
  """(logits, endpoints), variables, multiply-adds of one image: no numbers."""
  model = create_model(name, **kwargs)
  images = jax.ShapeDtypeStruct((2, *size, 3), jnp.float32)
  jaxpr, (ends, variables) = jax.make_jaxpr(
    lambda key, x: model.init_with_output(key, x, train=False),
    return_shape=True,
  )(jax.random.key(0), images)
  return ends, variables, multiply_adds(jaxpr.jaxpr) // 2


def shapes(name, size, **kwargs):
  """{endpoint: shape without the batch}."""
  (_, endpoints), _, _ = traced(name, size, **kwargs)
  return {name: end.shape[1:] for name, end in endpoints.items()}


def count(variables):
  return sum(leaf.size for leaf in jax.tree.leaves(variables))


def multiply_adds(jaxpr):
  """Of convolutions and of products of two matrices.

  Interpolation, which the paper does not count, multiplies batches of them.
  """
  total = 0
  for eqn in jaxpr.eqns:
    out = math.prod(eqn.outvars[0].aval.shape)
    if eqn.primitive.name == 'conv_general_dilated':
      total += out * math.prod(eqn.invars[1].aval.shape[:-1])
    elif eqn.primitive.name == 'dot_general' and eqn.invars[0].aval.ndim == 2:
      total += out * eqn.invars[0].aval.shape[1]
    for inner in jax.extend.core.jaxprs_in_params(eqn.params):
      total += multiply_adds(inner)
  return total


def check_cifar(variables, parameters, of_100_classes):
  assert count(variables['params']) == parameters
  assert variables['params']['head']['kernel'].shape == (256, 10)
  assert parameters + 90 * (256 + 1) == of_100_classes


@pytest.mark.parametrize(
  'modules, parameters, of_100_classes, millions',
  [
    (1, 1_030_362, 1_053_492, 122.8),  # Attention-56
    (2, 1_841_242, 1_864_372, 211.9),  # 92: the paper has 1.9M
    (3, 2_652_122, 2_675_252, 301.0),  # 128
    (4, 3_463_002, 3_486_132, 390.1),  # 164
    (6, 5_084_762, 5_107_892, 568.3),  # 236: the paper has 5.1M
  ],
)
def test_counts_of_cifar(modules, parameters, of_100_classes, millions):
  _, variables, work = traced('ran_cifar', (32, 32), modules=modules)
  check_cifar(variables, parameters, of_100_classes)
  assert abs(work / 1e6 - millions) < 0.06


def test_counts_of_attention_452():
  _, variables, work = traced('ran_cifar', (8, 8), **ARGUMENTS_452)
  check_cifar(variables, 10_181_210, 10_204_340)
  # At 32x32; all maps but the logits have 16 times the positions there.
  assert abs((16 * (work - 2560) + 2560) / 1e6 - 984.4) < 0.06


def test_100_classes():
  _, variables, _ = traced('ran_cifar', (8, 8), num_classes=100)
  assert count(variables['params']) == 1_053_492


@pytest.mark.parametrize(
  'name, parameters, of_norms, work',
  [
    ('ran56', 31_810_728, 72_704, 6_270_836_736),
    ('ran92', 52_466_344, 133_632, 10_533_789_696),
    ('ran_next56', 31_318_824, 98_432, 6_419_106_816),
    ('ran_next92', 52_102_952, 171_136, 10_704_337_920),
  ],
)
def test_counts_of_imagenet(name, parameters, of_norms, work):
  """Those of the authors' Caffe files, to the unit."""
  _, variables, found = traced(name, (224, 224))
  assert count(variables['params']) == parameters
  assert count(variables['batch_stats']) == of_norms
  assert found == work
  assert variables['params']['head']['kernel'].shape == (2048, 1000)
  of_10_classes = {'ran56': 29_782_218, 'ran92': 50_437_834}
  fewer = parameters - 990 * (2048 + 1)
  assert of_10_classes.get(name, fewer) == fewer


def test_counts_of_parts():
  params = traced('ran56', (224, 224))[1]['params']
  for group, wider, module in (
    (1, 74_112, 976_896),
    (2, 377_856, 3_046_912),
    (3, 1_509_376, 8_804_352),
  ):
    assert count(params[f'group{group}_wider']) == wider
    assert count(params[f'group{group}_module1']) == module
  assert count(params['group4_wider']) == 6_033_408
  assert count(params['group4_unit2']) == 4_462_592
  params = traced('ran_next56', (224, 224))[1]['params']
  for group, wider, module in (
    (1, 63_488, 985_600),
    (2, 349_184, 3_068_928),
    (3, 1_390_592, 8_857_600),
  ):
    assert count(params[f'group{group}_wider']) == wider
    assert count(params[f'group{group}_module1']) == module
  assert count(params['group4_wider']) == 5_550_080
  assert count(params['group4_unit1']) == 4_497_408
  params = traced('ran_cifar', (8, 8), **ARGUMENTS_452)[1]['params']
  for group, module in ((1, 135_680), (2, 406_912), (3, 1_117_696)):
    assert count(params[f'group{group}_module6']) == module


@pytest.mark.parametrize(
  'modules, parameters', [((1, 2, 3), 12_170_730), (1, 7_202_794)]
)
def test_counts_of_the_wide_one(modules, parameters):
  _, variables, work = traced('ran_cifar_wide', (32, 32), modules=modules)
  assert count(variables['params']) == parameters
  if modules != 1:
    assert abs(work / 1.09e9 - 1) < 0.01


def all_ends(*groups):
  """{name: shape} of endpoints, of (modules, shape) of every group."""
  wanted = {}
  for group, (modules, shape) in enumerate(groups, 1):
    wanted[f'group{group}'] = shape
    for i in range(1, modules + 1):
      place = f'group{group}/module{i}'
      parts = ('split', 'trunk', 'mask', 'fused')
      names = [place, *(f'{part}/{place}' for part in parts)]
      wanted |= dict.fromkeys(names, shape)
  return wanted


def test_endpoints():
  assert shapes('ran_cifar', (32, 32), modules=2) == all_ends(
    (2, (32, 32, 64)), (2, (16, 16, 128)), (2, (8, 8, 256))
  )
  assert shapes('ran_cifar_wide', (32, 32), modules=(1, 2, 3)) == all_ends(
    (1, (32, 32, 128)),
    (2, (16, 16, 256)),
    (3, (8, 8, 512)),
    (0, (8, 8, 1024)),
  )
  for name in ('ran92', 'ran_next92'):
    assert shapes(name, (224, 224)) == all_ends(
      (1, (56, 56, 256)),
      (2, (28, 28, 512)),
      (3, (14, 14, 1024)),
      (0, (7, 7, 2048)),
    )


@pytest.mark.parametrize(
  'name, size, sides',
  [
    ('ran56', (320, 299), ((80, 75), (40, 38), (20, 19), (10, 10))),
    ('ran56', (31, 97), ((8, 24), (4, 12), (2, 6), (1, 3))),
    ('ran_cifar', (33, 47), ((33, 47), (17, 24), (9, 12))),
    ('ran_cifar', (8, 9), ((8, 9), (4, 5), (2, 3))),
    ('ran_cifar_wide', (4, 7), ((4, 7), (2, 4), (1, 2), (1, 2))),
  ],
)
def test_masks_follow_the_trunk_at_any_size(name, size, sides):
  small = dict(t=1, width=4)
  found = shapes(name, size, **small)
  for group, side in enumerate(sides, 1):
    assert found[f'group{group}'][:2] == side
  masks = [place for place in found if place.startswith('mask/')]
  assert len(masks) >= 3
  for place in masks:
    trunk = place.replace('mask/', 'trunk/')
    assert found[place] == found[trunk]
    assert found[place][:2] == found[place.split('/')[1]][:2]


def test_a_local_mask_has_three_units_and_the_same_head():
  params = traced('ran_cifar', (8, 8), mask='local')[1]['params']
  for group, unit in ((1, 4_544), (2, 17_792), (3, 70_400)):
    mask = params[f'group{group}_module1']['mask']
    channels = 32 * 2**group
    assert count(mask) == 3 * unit + 2 * channels**2 + 4 * channels


@pytest.mark.parametrize(
  'name, size, mask, smallest',
  [
    ('ran_cifar', (7, 32), 'encoder_decoder', 8),
    ('ran_cifar', (32, 7), 'encoder_decoder', 8),
    ('ran_cifar_wide', (3, 3), 'encoder_decoder', 4),
    ('ran56', (30, 224), 'encoder_decoder', 31),
    ('ran_next92', (28, 28), 'encoder_decoder', 31),
    ('ran56', (2, 2), 'local', 3),
  ],
)
def test_an_image_too_small_names_the_smallest(name, size, mask, smallest):
  message = f'Images of {size[0]}x{size[1]} .*takes {smallest}x{smallest} or'
  with pytest.raises(ValueError, match=message):
    traced(name, size, mask=mask)


def test_the_smallest_images_work():
  small = dict(t=1, width=4)
  for name, side in (('ran_cifar', 1), ('ran56', 3)):
    found = shapes(name, (side, side), mask='local', **small)
    assert found['mask/group3/module1'] == (1, 1, 16)


@pytest.mark.parametrize(
  'arguments, message',
  [
    (dict(gate='chanel'), "'chanel'. Did you mean 'channel'.*mixed, channel, "),
    (dict(mask='locl'), "mask structure 'locl'. Did you mean 'local'"),
    (dict(p=0), 'smallest p of a .* 1, got 0'),
    (dict(t=-1), 'smallest t of a .* 1, got -1'),
    (dict(r=0), 'smallest r of a .* 1, got 0'),
    (dict(r=1.5), 'smallest r of a .* 1, got 1.5'),
    (dict(modules=0), 'smallest modules of a .* 1, got 0'),
    (dict(modules=(1, 0, 2)), r'smallest modules .* 1, got \(1, 0, 2\)'),
    (dict(modules=(1, 2)), r'has 3 stages.*got \(1, 2\)'),
    (dict(width=6), 'multiple of 4, got 6'),
    (dict(width=0), 'multiple of 4, got 0'),
  ],
)
def test_wrong_arguments(arguments, message):
  with pytest.raises(ValueError, match=message):
    traced('ran_cifar', (32, 32), **arguments)


def test_other_errors():
  with pytest.raises(ValueError, match='multiple of 64, got 32'):
    traced('ran_next56', (32, 32), width=32)
  model = create_model('ran_cifar')
  with pytest.raises(ValueError, match=r'RANCifar.*\[B, H, W, C\]'):
    model.init(jax.random.key(0), jnp.zeros((32, 32, 3)), train=False)


def test_modules_belong_to_the_names_on_imagenet():
  assert create_model('ran92').modules == (1, 2, 3)
  with pytest.raises(ValueError, match="Unknown argument .*'modules'.*gate"):
    create_model('ran56', modules=2)


def test_without_masks_the_trunk_is_left():
  (_, ends), variables, _ = traced('ran_cifar', (32, 32), mask='none')
  masks = [name for name in variables['params'] if 'mask' in name]
  assert masks == [] and not any('mask' in name for name in ends)
  # What the masks of Attention-56 have, 2rd + d - 1 units and a head each.
  units = {64: (4_544, 8), 128: (17_792, 5), 256: (70_400, 2)}
  saved = sum(
    count_ * size + 2 * c * c + 4 * c for c, (size, count_) in units.items()
  )
  assert count(variables['params']) == 1_030_362 - saved
  assert ends['fused/group1/module1'].shape == ends['group1/module1'].shape

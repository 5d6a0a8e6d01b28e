"""NIN against NumPy in float64, and what a count of parameters cannot see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy_networks import (
  apply64,
  assert_bfloat16_is_for_activations_only,
  assert_forward_equals,
  count_parameters,
  initial_variables,
  random_images,
  random_variables,
  shapes_of,
)

from at_jax.models.layers import conv
from at_jax.models.nin import NIN, avg_pool_ceil

SMALL = dict(widths=((4, 3, 5), (3, 6, 4), (5, 4, 3)), kernels=(5, 3, 1))
AUTHORS = ((192, 160, 96), (192, 192, 192), (192, 192, 192))


def reference_pool(x, reduce):
  """3x3 windows from 0, 2, ...; a slice ends at the edge."""
  return np.stack(
    [
      np.stack(
        [
          reduce(x[:, top : top + 3, left : left + 3], (1, 2))
          for left in range(0, max(x.shape[2] - 1, 1), 2)
        ],
        axis=1,
      )
      for top in range(0, max(x.shape[1] - 1, 1), 2)
    ],
    axis=1,
  )


def reference(batch_norm, relu_before_pool):
  """The network, written from the specification."""

  def forward(layers, x):
    endpoints = {}
    for group in (1, 2, 3):
      for i in (0, 1, 2):
        x = layers.conv(x, f'group{group}_conv{i}')
        if i == 2:
          endpoints[f'group{group}/conv'] = x
        if batch_norm:
          x = layers.norm(x, f'group{group}_bn{i}')
        if i < 2 or relu_before_pool:
          x = np.maximum(x, 0)
      endpoints[f'group{group}'] = x
      if group == 1:
        x = reference_pool(x, np.max)
      if group == 2:
        x = reference_pool(x, np.mean)
    return layers.head(x), endpoints

  return forward


@pytest.mark.parametrize(
  'batch_norm, relu, train, size',
  [
    (True, True, False, (12, 10)),
    (True, True, True, (12, 10)),
    (True, False, True, (12, 10)),
    (False, True, True, (8, 7)),
    (False, False, False, (8, 7)),
  ],
)
def test_forward_equals_numpy(batch_norm, relu, train, size):
  model = NIN(**SMALL, batch_norm=batch_norm, relu_before_pool=relu)
  variables = random_variables(model)
  assert_forward_equals(
    model, variables, random_images(*size), train, reference(batch_norm, relu)
  )


def by_hand(widths, kernels, batch_norm, classes):
  total, before = 0, 3
  for block, first in zip(widths, kernels, strict=True):
    for width, kernel in zip(block, (first, 1, 1), strict=True):
      total += kernel**2 * before * width + (2 if batch_norm else 1) * width
      before = width
  return total + before * classes + classes


@pytest.mark.parametrize(
  'widths, kernels, count',
  [
    (192, (3, 3, 3), 895_306),
    (96, (3, 3, 3), 226_474),
    (AUTHORS, (5, 5, 3), 1_005_642),
    (((96, 80, 48), (96, 96, 96), (96, 96, 96)), (5, 5, 3), 256_298),
  ],
)
def test_parameter_counts(widths, kernels, count):
  triples = ((widths,) * 3,) * 3 if isinstance(widths, int) else widths
  assert by_hand(triples, kernels, True, 10) == count
  for batch_norm, classes in ((True, 10), (True, 100), (False, 10)):
    model = NIN(widths, kernels, batch_norm, num_classes=classes)
    wanted = by_hand(triples, kernels, batch_norm, classes)
    assert count_parameters(model) == wanted
  assert NIN().widths == 192 and NIN().kernels == (3, 3, 3)


def test_endpoints_at_32_pixels():
  model = NIN(widths=AUTHORS, kernels=(5, 5, 3), num_classes=100)
  x = jax.ShapeDtypeStruct((5, 32, 32, 3), jnp.float32)
  logits, endpoints = jax.eval_shape(
    lambda v, x: model.apply(v, x, train=False), shapes_of(model), x
  )
  wanted = {}
  for group, (size, width) in enumerate(((32, 96), (16, 192), (8, 192)), 1):
    for name in ('', '/conv'):
      wanted[f'group{group}{name}'] = (5, size, size, width)
  assert {k: v.shape for k, v in endpoints.items()} == wanted
  assert logits.shape == (5, 100)


def test_names_and_biases():
  names = [
    f'group{g}_{kind}{i}'
    for g in (1, 2, 3)
    for i in (0, 1, 2)
    for kind in ('conv', 'bn')
  ]
  params = shapes_of(NIN(**SMALL))['params']
  assert set(params) == {*names, 'head'}
  assert all('bias' not in params[name] for name in names if 'conv' in name)
  variables = shapes_of(NIN(**SMALL, batch_norm=False))
  assert set(variables) == {'params'}
  params = variables['params']
  assert set(params) == {*(n for n in names if 'conv' in n), 'head'}
  assert all('bias' in layer for layer in params.values())


def test_signs_tell_which_relus_are_there():
  for relu in (True, False):
    model = NIN(**SMALL, relu_before_pool=relu)
    _, ends, _ = apply64(
      model, random_variables(model), random_images(12, 10), train=True
    )
    for group in ('group1', 'group2', 'group3'):
      assert (ends[f'{group}/conv'] < 0).any()
      assert (ends[group] < 0).any() == (not relu)


def test_truncated_windows_are_averaged_over_what_is_inside():
  x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
  wanted = [[5, 6.5], [11, 12.5]]  # of 9, 6, 6 and 4 pixels
  np.testing.assert_allclose(avg_pool_ceil(x)[0, :, :, 0], wanted)
  assert avg_pool_ceil(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16
  torch = pytest.importorskip('torch')
  x = random_images(12, 9)
  theirs = torch.nn.functional.avg_pool2d(
    torch.tensor(x).permute(0, 3, 1, 2), 3, 2, ceil_mode=True
  )
  np.testing.assert_allclose(
    avg_pool_ceil(x.astype(np.float32)),
    theirs.permute(0, 2, 3, 1).numpy(),
    atol=1e-6,
  )


def test_initial_values():
  scales = []
  for layer in initial_variables(NIN(widths=24), train=False)[
    'params'
  ].values():
    if 'kernel' in layer:
      kernel = layer['kernel']
      z = kernel / np.sqrt(2 / np.prod(kernel.shape[:-1]))
      assert abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)
    if 'bias' in layer:
      np.testing.assert_array_equal(layer['bias'], 0)
    if 'scale' in layer:
      scales.append(layer['scale'])
  assert len(scales) == 9
  scales = np.concatenate(scales)  # uniform in [0, 1), as WRN's
  assert 0 <= scales.min() < 0.05 and 0.95 < scales.max() < 1
  biased = initial_variables(conv(4, 1, 1, use_bias=True))['params']
  np.testing.assert_array_equal(biased['bias'], np.zeros(4))


def test_second_derivatives_reach_every_layer():
  """Gradients with respect to images are trained on: no batch norm here."""
  model = NIN(**SMALL, batch_norm=False, relu_before_pool=False)
  variables = random_variables(model)
  images = random_images(8, 7).astype(np.float32)

  @jax.jit
  @jax.grad
  def gradient(params):
    def value(x):
      return jnp.sum(model.apply({'params': params}, x, train=True)[0] ** 2)

    return jnp.sum(jax.grad(value)(images) ** 2)

  for path, leaf in jax.tree.leaves_with_path(gradient(variables['params'])):
    assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, path


def test_bfloat16_is_for_activations_only():
  model = NIN(**SMALL, dtype=jnp.bfloat16)
  assert_bfloat16_is_for_activations_only(model, random_images(12, 10), 0.2)


@pytest.mark.parametrize(
  'argument, value',
  [
    ('widths', 0),
    ('widths', (8, 8, 8)),
    ('widths', ((8, 8, 8),) * 2),
    ('widths', ((8, 8, 8), (8, 8), (8, 8, 8))),
    ('widths', ((8, 8, 8), (8, -8, 8), (8, 8, 8))),
    ('widths', 9.6),
    ('kernels', (3, 3)),
    ('kernels', 3),
    ('kernels', (3, 4, 3)),
    ('kernels', (3, 3, -1)),
  ],
)
def test_wrong_arguments(argument, value):
  with pytest.raises(ValueError, match=f'{argument} of a NIN') as error:
    shapes_of(NIN(**{argument: value}))
  assert str(value) in str(error.value)


def test_images_without_a_batch_are_refused():
  with pytest.raises(ValueError, match='B, H, W, C'):
    NIN().init(jax.random.key(0), jnp.zeros((8, 8, 3)), train=False)

"""Our residual attention networks against plain PyTorch ones.

Skipped where PyTorch is not installed.
"""

import jax
import numpy as np
import pytest
from small_networks import variables_of

from at_jax.models import create_model
from at_jax.objectives import Network

torch = pytest.importorskip('torch')
from torch_copies import (  # noqa: E402 (imports torch)
  assert_close,
  load,
  nchw,
)

from benchmarks import torch_ran  # noqa: E402


def ours(name, size, **kwargs):
  model = create_model(name, **kwargs)
  return Network(model, (0.0,), (1.0,), (*size, 3), name)


@pytest.mark.parametrize(
  'name, make, count',
  [
    ('ran_cifar', torch_ran.attention56_cifar, 1_030_362),
    ('ran56', torch_ran.attention56, 31_810_728),
  ],
)
def test_counts(name, make, count):
  variables = ours(name, (32, 32)).variable_shapes
  assert sum(x.size for x in jax.tree.leaves(variables['params'])) == count
  with torch.device('meta'):
    model = make()
  assert sum(x.numel() for x in model.parameters()) == count


@pytest.mark.parametrize(
  'name, size, kwargs, make',
  [
    ('ran_cifar', (32, 32), {}, torch_ran.attention56_cifar),
    # Of each size an interpolation or a pool meets odd ones.
    ('ran_cifar', (27, 9), {}, torch_ran.attention56_cifar),
    (
      'ran56',
      (64, 75),
      dict(width=32, num_classes=100),
      lambda: torch_ran.attention56(100, width=32),
    ),
  ],
)
@pytest.mark.parametrize('train', [False, True])
def test_logits(name, size, kwargs, make, train):
  network = ours(name, size, **kwargs)
  variables = variables_of(network, seed=1)
  pixels = np.random.default_rng(2).normal(size=(4, *size, 3))
  pixels = pixels.astype(np.float32)
  apply = jax.jit(network.apply, static_argnames='train')
  outputs = apply(variables, pixels, train=train)
  logits, _ = outputs[0] if train else outputs
  model = load(make(), variables).train(train)
  with torch.no_grad():
    assert_close(model(nchw(pixels)), logits, 1e-4)

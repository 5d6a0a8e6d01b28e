"""Networks that compile fast, and data for them, for the tests of training."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from at_jax.gates import attention_gate
from at_jax.models import create_model
from at_jax.models.nin import NIN
from at_jax.models.tasn import HEADS, TASN
from at_jax.objectives import Network

MEAN, STD = (120.0, 130.0, 110.0), (60.0, 70.0, 65.0)


class TinyNet(nn.Module):
  """Two groups, the first of two blocks; group2 has half the size of group1."""

  width: int = 4
  num_classes: int = 10
  stride: Any = 1  # of the first convolution
  norm: bool = True
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    x, ends = images, {}
    for name, stride in (
      ('group1/block1', self.stride),
      ('group1/block2', 1),
      ('group2/block1', 2),
    ):
      x = nn.Conv(self.width, (3, 3), stride, dtype=self.dtype)(x)
      if self.norm:
        x = nn.BatchNorm(not train, momentum=0.9, dtype=self.dtype)(x)
      x = ends[name] = x + 0.1 * nn.relu(x)
      ends[name.partition('/')[0]] = x
    x = jnp.mean(nn.relu(x), axis=(1, 2))
    return nn.Dense(self.num_classes, dtype=self.dtype)(x), ends


class SmallWRN(nn.Module):
  """Takes a WRN's place: its arguments, names and endpoints, 4 convolutions."""

  depth: int = 10
  width: float = 1
  num_classes: int = 10
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    x, ends = nn.Conv(4, (3, 3), dtype=self.dtype, name='conv0')(images), {}
    for group, stride in ((1, 1), (2, 2), (3, 2)):
      x = nn.Conv(
        int(4 * self.width) * group,
        (3, 3),
        stride,
        dtype=self.dtype,
        name=f'group{group}_conv',
      )(nn.relu(x))
      x = nn.BatchNorm(
        not train, momentum=0.9, dtype=self.dtype, name=f'group{group}_bn'
      )(x)
      ends[f'group{group}'] = x
    x = jnp.mean(nn.relu(x), axis=(1, 2))
    logits = nn.Dense(self.num_classes, dtype=self.dtype, name='head')(x)
    return logits, ends


def tiny_network(mean=MEAN, std=STD, shape=(8, 8, 3), **kwargs):
  return Network(TinyNet(**kwargs), mean, std, shape, 'TinyNet')


def wrn_network(depth=10, width=1, mean=MEAN, std=STD, **kwargs):
  model = create_model('wrn', depth=depth, width=width, **kwargs)
  return Network(model, mean, std, (8, 8, 3), f'WRN-{depth}-{width}')


TASN_SETTINGS = dict(
  backbone=('wrn', (('depth', 10), ('width', 0.25))),
  attention_size=16,
  sampled_size=8,
  stem='small',
  width=4,
  blocks=(1, 1, 1),
  num_classes=3,
)


def tasn_network(mean=MEAN, std=STD, shape=(24, 24, 3), **kwargs):
  model = create_model('tasn', **(TASN_SETTINGS | kwargs))
  return Network(model, mean, std, shape, 'small TASN')


def variables_of(network, seed):
  """Variables from NumPy: no initialiser to compile.

  The running statistics are those of no batch in particular.
  """
  rng = np.random.RandomState(seed)

  def fill(x):
    if len(x.shape) > 1:
      spread = np.sqrt(2 / np.prod(x.shape[:-1]))
      return jnp.asarray(rng.normal(0, spread, x.shape), x.dtype)
    return jnp.asarray(rng.uniform(0.5, 1.5, x.shape), x.dtype)

  return jax.tree.map(fill, jax.eval_shape(network.init, jax.random.key(0)))


def random_split(count, shape=(8, 8, 3), seed=0):
  """uint8 images and int32 labels."""
  rng = np.random.RandomState(seed)
  return {
    'image': rng.randint(0, 256, (count, *shape)).astype(np.uint8),
    'label': rng.randint(0, 10, count).astype(np.int32),
  }


def assert_trees_close(got, want, **tolerance):
  """Every leaf close, and the same structure; the message names the leaf."""
  assert jax.tree.structure(got) == jax.tree.structure(want)
  leaves = jax.tree_util.tree_leaves_with_path(want)
  for (path, leaf), other in zip(leaves, jax.tree.leaves(got), strict=True):
    np.testing.assert_allclose(
      np.asarray(other, np.float64),
      np.asarray(leaf, np.float64),
      err_msg=jax.tree_util.keystr(path),
      **tolerance,
    )


def assert_trees_equal(got, want):
  """Bitwise."""
  assert_trees_close(got, want, rtol=0, atol=0)


class SmallRAN(nn.Module):
  """Takes a residual attention net's place: its arguments and endpoints."""

  modules: int = 1
  p: int = 1
  t: int = 1
  r: int = 1
  gate: str = 'mixed'
  residual: bool = True
  mask: str = 'encoder_decoder'
  width: int = 4
  num_classes: int = 10
  dtype: Any = jnp.float32

  unit = 'next'  # no batch norm follows a module

  @nn.compact
  def __call__(self, images, *, train):
    x, ends = images, {}
    for group, stride in ((1, 1), (2, 2), (3, 2)):
      place = f'group{group}/module1'
      split = nn.Conv(self.width, (3, 3), stride, dtype=self.dtype)(x)
      fused = trunk = split - 0.5 * nn.relu(split)
      if self.mask != 'none':
        gate = nn.Conv(self.width, (1, 1), dtype=self.dtype)(jnp.abs(split))
        ends[f'mask/{place}'] = gate = attention_gate(gate, kind=self.gate)
        fused = (1 + gate) * trunk if self.residual else gate * trunk
      x = fused
      ends |= {f'split/{place}': split, f'trunk/{place}': trunk}
      ends[f'fused/{place}'] = x
      ends[f'group{group}'] = x
    x = jnp.mean(nn.relu(x), axis=(1, 2))
    return nn.Dense(self.num_classes, dtype=self.dtype)(x), ends


class SmallNIN(NIN):
  """Takes a NIN's place: its arguments and endpoints, 3 convolutions."""

  @nn.compact
  def __call__(self, images, *, train):
    x, ends = images, {}
    for group, stride in ((1, 1), (2, 2), (3, 2)):
      x = nn.Conv(4, (3, 3), stride, dtype=self.dtype)(x)
      ends[f'group{group}/conv'] = x
      if self.batch_norm:
        x = nn.BatchNorm(not train, momentum=0.9, dtype=self.dtype)(x)
      x = x - 0.5 * nn.relu(x)  # a plain ReLU of so few channels may be dead
      ends[f'group{group}'] = nn.relu(x) if self.relu_before_pool else x
    x = jnp.mean(x, axis=(1, 2))
    return nn.Dense(self.num_classes, dtype=self.dtype)(x), ends


class SmallTASN(TASN):
  """Takes TASN's place: its arguments and endpoints, 2 convolutions."""

  @nn.compact
  def __call__(self, images, *, train):
    x = nn.Conv(4, (3, 3), 2, dtype=self.dtype, name='attention')(images)
    maps = nn.softplus(x.astype(jnp.float32))
    mean, side = jnp.mean(maps, axis=-1), self.sampled_size
    views = {'master': mean}
    ends = {'features': x, 'attention': maps, 'map/structure': mean}
    if self.part and (train or self.detail_index != 'none'):
      views['part'] = ends['map/detail'] = maps[..., 0]
    if train and self.part:
      key = self.make_rng('draw')
      index = jax.random.randint(key, (len(images),), 0, 4)
      ends['detail_index'] = index
      views['part'] = ends['map/detail'] = jax.vmap(lambda m, i: m[..., i])(
        maps, index
      )
    backbone = nn.Conv(4, (3, 3), 2, dtype=self.dtype, name='backbone')
    head = nn.Dense(self.num_classes, dtype=self.dtype, name='head')
    ends['logits/attention'] = head(jnp.mean(x, axis=(1, 2)))
    for branch, map_ in views.items():
      name = 'structure' if branch == 'master' else 'detail'
      weights = jax.image.resize(map_, images.shape[:3], 'nearest')
      seen = (images * weights[..., None])[:, :side, :side]
      ends[f'sampled/{name}'] = seen
      group = backbone(seen)
      ends |= {'backbone/group1': group} if branch == 'master' else {}
      logits = head(jnp.mean(nn.relu(group), axis=(1, 2)))
      for kind in HEADS[self.heads]:
        ending = '_shared' * (kind == 'shared')
        ends[f'logits/{branch}{ending}'] = logits
    shared = '_shared' * ('shared' in HEADS[self.heads])
    return ends[f'logits/master{shared}'], ends

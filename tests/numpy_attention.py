"""Dense layers and the three attentions in NumPy, by `Layers`, in float64.

Written from the specification: nothing of the modules but the names of their
parameters.
"""

import functools

import jax
import numpy as np


def random_variables_of(module, x, **kwargs):
  """Nothing at its initial value; `x`, or what is in it, sets the shapes."""
  rng = np.random.default_rng(1)

  def draw(path, leaf):
    name = path[-1].key
    if name == 'kernel':
      spread = np.sqrt(2 / np.prod(leaf.shape[:-1]))
      return spread * rng.standard_normal(leaf.shape)
    if name == 'var':
      return rng.uniform(0.1, 2, leaf.shape)
    return rng.standard_normal(leaf.shape)

  init = functools.partial(module.init, **kwargs)
  with jax.enable_x64(True):
    shapes = jax.eval_shape(init, jax.random.key(0), x)
  return jax.tree.map_with_path(draw, shapes)


def apply64(module, variables, x, **kwargs):
  with jax.enable_x64(True):
    got = jax.jit(functools.partial(module.apply, **kwargs))(variables, x)
    return jax.tree.map(np.asarray, got)


def relu(x):
  return np.maximum(x, 0)


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def softmax(x, axes):
  e = np.exp(x - x.max(axes, keepdims=True))
  return e / e.sum(axes, keepdims=True)


def dense_layer(layers, x, *path):
  y = relu(layers.norm(x, *path, 'bn0'))
  y = relu(layers.norm(layers.conv(y, *path, 'conv0'), *path, 'bn1'))
  return np.concatenate([x, layers.conv(y, *path, 'conv1')], -1)


def halved(x):
  """2x2 averages, one by one."""
  return np.stack(
    [
      np.stack(
        [
          x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean((1, 2))
          for j in range(x.shape[2] // 2)
        ],
        1,
      )
      for i in range(x.shape[1] // 2)
    ],
    1,
  )


def stem(layers, x, *path):
  x = relu(layers.norm(layers.conv(x, *path, 'conv0', stride=2), *path, 'bn0'))
  sides = ((0, 0), (1, 1), (1, 1), (0, 0))
  x = np.pad(x, sides, constant_values=-np.inf)
  windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
  return windows[:, ::2, ::2].max((-2, -1))


def densenet(layers, x, blocks, path=()):
  """Endpoints."""
  x, ends = stem(layers, x, *path, 'stem'), {}
  for group, count in enumerate(blocks, 1):
    for i in range(1, count + 1):
      x = dense_layer(layers, x, *path, f'group{group}_block{i}')
    ends[f'group{group}'] = x
    if group == len(blocks):
      ends[f'active/group{group}'] = relu(layers.norm(x, *path, 'bn'))
      return ends
    name = (*path, f'transition{group}')
    active = ends[f'active/group{group}'] = relu(layers.norm(x, *name, 'bn0'))
    x = layers.conv(halved(active), *name, 'conv0')


def kernel(layers, *path):
  tree = layers.params
  for name in path:
    tree = tree[name]
  return tree['kernel']


def channel(layers, x, *path):
  """(u * x, u)."""
  z = x.mean((1, 2)) @ kernel(layers, *path, 'dense0')
  u = sigmoid(relu(z) @ kernel(layers, *path, 'dense1'))
  return u[:, None, None] * x, u


def element(layers, x, *path, reading='space'):
  """(A, S, M, y)."""
  z = relu(layers.conv(x, *path, 'conv0'))
  z = relu(layers.conv(z, *path, 'conv1'))
  z = layers.conv(z, *path, 'conv2')
  s = layers.conv(x, *path, 'scores')
  a = softmax(z, (1, 2) if reading == 'space' else (3,))
  m = s * a
  return a, s, m, m.sum((1, 2)) if reading == 'space' else m.mean((1, 2))


def to_grid(x, size, pool):
  """Sums or means of the blocks that become one; sizes must divide."""
  batch, height, width, channels = x.shape
  rows, columns = height // size[0], width // size[1]
  x = x.reshape(batch, size[0], rows, size[1], columns, channels)
  return x.sum((2, 4)) if pool == 'sum' else x.mean((2, 4))


def scale(layers, maps, *path, pool='sum', gate='sigmoid', per='class'):
  """(gates * T `[B, h, w, L, C]`, gates `[B, L, C]`)."""
  size = min((x.shape[1:3] for x in maps), key=np.prod)
  t = np.stack([to_grid(x, size, pool) for x in maps], 3)
  g = t.sum((1, 2)) if pool == 'sum' else t.mean((1, 2))
  batch, count, classes = g.shape
  hidden = relu(g.reshape(batch, -1) @ kernel(layers, *path, 'dense0'))
  s = hidden @ kernel(layers, *path, 'dense1')
  s = s.reshape(batch, count, classes if per == 'class' else 1)
  s = sigmoid(s) if gate == 'sigmoid' else softmax(s, (1,))
  s = s.repeat(classes // s.shape[2], axis=2)
  return np.einsum('blc,bijlc->bijlc', s, t), s


def triple(layers, features, *path, reading='space', gate='sigmoid'):
  """(logits, parts) of the fusion of maps, everything switched on."""
  parts, maps = {}, []
  for name, x in features.items():
    x, u = channel(layers, x, *path, f'channel_{name}')
    a, s, m, y = element(layers, x, *path, f'element_{name}', reading=reading)
    found = dict(gate=u, gated=x, attention=a, scores=s, weighted=m, score=y)
    parts |= {f'{part}/{name}': array for part, array in found.items()}
    maps.append(m)
  pool = 'sum' if reading == 'space' else 'mean'
  f = maps[0]
  if len(maps) > 1:
    t, parts['scale'] = scale(
      layers, maps, *path, 'scale', pool=pool, gate=gate
    )
    f = t.sum(3)
  parts['fused'] = f
  return f.sum((1, 2)) if pool == 'sum' else f.mean((1, 2)), parts

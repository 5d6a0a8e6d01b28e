"""A workdir of three rows of small networks with a teacher, untrained."""

import jax
import numpy as np
from saved_networks import save_network
from small_networks import SmallWRN

from at_jax.data.augment import normalise
from at_jax.objectives import Network
from at_jax.train.checkpoint import write_json
from at_jax.train.weights import load_weights
from at_jax.visualize.images import Images, Shown


def save(folder, seed=0, label='small', shape=(8, 8, 3)):
  model = dict(name='wrn', depth=10, width=1, num_classes=3)
  network = Network(SmallWRN(num_classes=3), (120.0,), (60.0,), shape, label)
  return save_network(folder, network, model, 'abc', seed)


def make_study(above):
  """The workdir; two of its rows are taught. `SmallWRN` is the model 'wrn'."""
  for seed, row in enumerate(('alone', 'at', 'kd')):
    save(above / f'work/{row}/seed0/weights', seed, f'student {row}')
  write_json(above / 'work/config.json', {'rows': dict(alone={}, at={}, kd={})})
  teacher = above / 'teachers/wrn-1'
  save(teacher / 'main/seed0/weights', 9, 'WRN-16-2')
  write_json(teacher / 'config.json', {'rows': {}})
  digest = load_weights(teacher / 'main/seed0/weights').digest
  entry = dict(
    label='WRN-16-2',
    folder='../teachers/wrn-1',
    hash=digest,
    rows=['at', 'kd'],
  )
  write_json(above / 'work/teachers.json', [entry])
  return above / 'work'


class Some(Images):
  """Random images of the size that networks take."""

  def __init__(self, count=1, label=None, class_names='abc'):
    super().__init__()
    self._count, self._label = count, label
    self._names = tuple(class_names)

  def named(self):
    return {f'x{i}': i for i in range(self._count)}

  def read(self, index, name, networks):
    def shown(network):
      rng = np.random.default_rng(index)
      image = rng.integers(0, 256, network.input_shape, dtype=np.uint8)
      title = f'title {name}'
      return Shown(name, title, image, self._label, class_names=self._names)

    return list(map(shown, networks))


def forward(column, image):
  """(probabilities, endpoints) of one image, computed apart."""
  network = column.network
  pixels = normalise(image[None], network.mean, network.std)
  logits, ends = jax.jit(network.apply)(column.weights.variables, pixels)
  return jax.nn.softmax(logits)[0], ends

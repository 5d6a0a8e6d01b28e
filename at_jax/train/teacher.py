"""Teachers: read from a weights folder, or trained first by another config."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from at_jax.objectives import Network
from at_jax.train.bench import check_fits, make_network
from at_jax.train.checkpoint import read_json
from at_jax.train.config import check_config, teacher_config
from at_jax.train.differences import fingerprint
from at_jax.train.start import find_start
from at_jax.train.weights import load_weights

# What a table says of a teacher, where it was measured.
MEASURED = ('test_error', 'test_top5_error', 'localisation')


@dataclasses.dataclass
class Teacher:
  """A teacher's network, known at once, and its weights, trained when asked.

  Attributes:
    network: a `Network`.
    fetch: gives (`Weights`, entry of teachers.json); may take hours.
  """

  network: Network
  fetch: Callable
  _found: Any = None

  def get(self):
    """What `fetch` gives, fetched once."""
    if self._found is None:
      self._found = self.fetch()
    return self._found


def teacher_key(config):
  """Equal for rows that are taught by the same weights."""
  if config.teacher.weights:
    return (config.teacher.weights, config.dtype, str(config.data))
  own = teacher_config(config)
  # Where the data lie counts too: it may be other data.
  return (config.teacher.config, fingerprint(own), own.data.dir)


def find_teacher(config, study):
  """The `Teacher` that a row's config names.

  Args:
    config: of the row.
    study: the one that asks: its session, workdir, `say` and `beside`.

  Raises:
    ValueError, FileNotFoundError: it does not exist, or does not fit.
  """
  if config.teacher.weights:
    return _from_weights(config, study)
  return _from_config(config, study)


def _from_weights(config, study):
  folder = pathlib.Path(config.teacher.weights).expanduser()
  weights = load_weights(folder, dtype=config.dtype)
  bench = study.session.bench(config)
  network = _for_images(weights.network, folder, bench.dataset)
  _check_order(weights.class_names, folder, bench.dataset)

  def fetch():
    measured = {}
    # Of other classes attention can be learned, but an error means nothing.
    if len(weights.class_names) == len(bench.dataset.class_names):
      evaluation = bench.evaluator(network, 'test')(weights.variables)
      measured = evaluation.as_dict('test')
      measured['localisation'] = evaluation.localisation()
    return weights, _entry(weights, folder, measured, study)

  return Teacher(network, fetch)


def _from_config(config, study):
  """Trained once, for all workdirs beside the study's that want the same."""
  own = teacher_config(config)
  check_config(own)
  name = pathlib.Path(config.teacher.config.partition(':')[0]).stem
  dataset = study.session.dataset(own.data)
  with own.unlocked():
    own.label = own.label or name
  check_fits(own, dataset, f'the teacher {own.label}')
  network = make_network(own, dataset)
  data = study.session.dataset(config.data)
  if network.input_shape != data.image_shape:
    raise ValueError(_other_size(network, own.label, data))
  start = find_start(own.start, network)
  digest = fingerprint(own, dataset.fingerprint, start.digests)
  workdir = study.workdir.parent / 'teachers' / f'{name}-{digest}'

  def wait():
    study.say(f'Another process is training the teacher in {workdir}; waiting.')

  def fetch():
    runs = study.beside(own, workdir, name)
    if runs.missing():
      study.say(f'teacher {own.label}: training it first, in {workdir}')
      runs.run(wait=wait, table=False)
    folder = runs.folder('main', 0)
    weights = load_weights(folder / 'weights', dtype=config.dtype)
    measured = read_json(folder / 'result.json')
    return weights, _entry(weights, workdir, measured, study)

  return Teacher(network, fetch)


def _for_images(network, name, dataset):
  """A trained network for images of the data's size, if it takes any size."""
  shape = dataset.image_shape
  if shape == network.input_shape:
    return network
  if shape[-1] == network.input_shape[-1]:
    other = dataclasses.replace(network, input_shape=shape)
    if other.variable_shapes == network.variable_shapes:
      return other
  raise ValueError(_other_size(network, name, dataset))


def _other_size(network, name, dataset):
  return (
    f"The teacher {name} takes images of {network.input_shape}, the student's "
    f'data {dataset.name} has {dataset.image_shape}: give them that size '
    '(data.size), or name a teacher for these.'
  )


def _check_order(names, folder, dataset):
  """Raises ValueError where the teacher has the same classes in another order.

  Other names alone are no mistake: converted weights may have numbers.
  """
  if names != dataset.class_names and set(names) == set(dataset.class_names):
    raise ValueError(
      f'The teacher {folder} has the classes of {dataset.name} in another '
      f'order ({", ".join(names[:3])}, …; here '
      f'{", ".join(dataset.class_names[:3])}, …): its answers would be taken '
      'for others. Convert it again with --classes=FILE in the right order.'
    )


def _entry(weights, folder, measured, study):
  """What teachers.json says of a teacher."""
  sizes = map(np.size, jax.tree.leaves(weights.variables['params']))
  return {
    'label': weights.network.label,
    'folder': os.path.relpath(folder, study.workdir),
    'hash': weights.digest,
    **{name: measured[name] for name in MEASURED if name in measured},
    'parameters': int(sum(sizes)),
  }

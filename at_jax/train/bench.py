"""A data set where it is trained on, and the networks that fit it."""

import dataclasses
from typing import Any

import jax.numpy as jnp

from at_jax.data.dataset import Dataset
from at_jax.models import create_model
from at_jax.objectives import Network
from at_jax.objectives.paths import check_patterns
from at_jax.train.evaluation import Evaluator
from at_jax.train.mesh import put, replicated


def make_network(config, dataset):
  """The `Network` of `config.model` for a data set's images and classes."""
  model = create_model(
    **model_arguments(config, dataset), dtype=jnp.dtype(config.dtype)
  )
  shape = dataset.image_shape
  for field in ('mean', 'std'):
    if len(config.data[field]) not in (1, shape[-1]):
      raise ValueError(
        f'config.data.{field} has {len(config.data[field])} values, the images '
        f'of {dataset.name} have {shape[-1]} channels.'
      )
  mean = tuple(config.data.mean)
  if config.data.per_pixel_mean:
    if not dataset.in_memory:
      raise ValueError(
        'config.data.per_pixel_mean is for sets in memory; the images of '
        f'{dataset.name} are streamed: set config.data.mean.'
      )
    mean = dataset.mean_image
  network = Network(
    model,
    mean,
    tuple(config.data.std),
    tuple(shape),
    config.label,
    frozen_norms=('',) if config.bn == 'frozen' else tuple(config.freeze),
  )
  parameters = network.variable_shapes['params']
  check_patterns('config.freeze', config.freeze, parameters)
  check_patterns('config.optimizer.rates', config.optimizer.rates, parameters)
  undecayed = config.optimizer.undecayed
  check_patterns('config.optimizer.undecayed', undecayed, parameters)
  return network


def check_fits(config, dataset, whose=''):
  """Raises ValueError where a batch is larger than the training set.

  Args:
    config: of a run.
    dataset: its data.
    whose: whose batch it is where there are two networks.
  """
  count = len(dataset.train)
  if config.batch_size <= count:
    return
  of_whom = whose and f' of {whose}'
  text = (
    f'config.batch_size={config.batch_size}{of_whom} is larger than the '
    f'training set of {count} images: use at most {count}.'
  )
  if whose:
    text += (
      f" --config.batch_size={count} sets the student's alone; both take the "
      f"config's argument :batch={count} where it has one, the teacher "
      f"config.teacher.overrides = {{'batch_size': {count}}}."
    )
  raise ValueError(text)


def model_arguments(config, dataset):
  """Arguments of `create_model`, as a weights folder remembers them."""
  return dict(config.model) | {'num_classes': len(dataset.class_names)}


def check_same_kind(row, dataset, first):
  """Raises ValueError where a row has labels of another kind than the first."""
  if dataset.multi_label != first.multi_label:
    kinds = ('a label each', 'several labels')
    raise ValueError(
      f'Row {row!r} has images of {kinds[dataset.multi_label]}, the first row '
      f'{kinds[first.multi_label]}: errors and AUROCs make no table. Give it a '
      'config of its own.'
    )


@dataclasses.dataclass
class Bench:
  """A data set on the devices, and what is compiled once per network."""

  dataset: Dataset
  mesh: Any
  eval_batch_size: int
  precision: str
  _train: Any = None
  _evaluators: dict = dataclasses.field(default_factory=dict)

  @property
  def train_split(self):
    """The training images and labels, on every device (in memory only)."""
    if self._train is None:
      split = self.dataset.train
      self._train = put(
        {'image': split.images, 'label': split.labels}, replicated(self.mesh)
      )
    return self._train

  def evaluator(self, network, split):
    """The `Evaluator` of a network on 'test' or 'validation'."""
    if (network, split) not in self._evaluators:
      self._evaluators[network, split] = Evaluator(
        network,
        getattr(self.dataset, split),
        batch_size=self.eval_batch_size,
        mesh=self.mesh,
        precision=self.precision,
      )
    return self._evaluators[network, split]

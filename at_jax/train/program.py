"""One row of a study, ready to run: all that does not depend on the seed."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from at_jax.data.dataset import Dataset
from at_jax.data.in_memory import epoch_order
from at_jax.maps import attention_map
from at_jax.models import create_model
from at_jax.objectives import Network, make_objective
from at_jax.objectives.gradients import IMAGES, differentiate
from at_jax.objectives.paths import check_patterns
from at_jax.train.evaluation import Evaluator
from at_jax.train.mesh import check_batch, put, replicated
from at_jax.train.optimizer import make_optimizer
from at_jax.train.start import find_start
from at_jax.train.state import init_state, named_key
from at_jax.train.step import make_chunk, make_step


def make_network(config, dataset):
  """The `Network` of `config.model` for a data set's images and classes."""
  model = create_model(
    **model_arguments(config, dataset), dtype=jnp.dtype(config.dtype)
  )
  shape = dataset.train.images.shape[1:]
  for field in ('mean', 'std'):
    if len(config.data[field]) not in (1, shape[-1]):
      raise ValueError(
        f'config.data.{field} has {len(config.data[field])} values, the images '
        f'of {dataset.name} have {shape[-1]} channels.'
      )
  network = Network(
    model,
    tuple(config.data.mean),
    tuple(config.data.std),
    tuple(shape),
    config.label,
    frozen_norms=('',) if config.bn == 'frozen' else tuple(config.freeze),
  )
  parameters = network.variable_shapes['params']
  check_patterns('config.freeze', config.freeze, parameters)
  check_patterns('config.optimizer.rates', config.optimizer.rates, parameters)
  return network


def model_arguments(config, dataset):
  """Arguments of `create_model`, as a weights folder remembers them."""
  return dict(config.model) | {'num_classes': len(dataset.class_names)}


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
    """The training images and labels, on every device."""
    if self._train is None:
      split = self.dataset.train
      self._train = put(
        {'image': split.images, 'label': split.labels}, replicated(self.mesh)
      )
    return self._train

  def evaluator(self, network, split):
    """The `Evaluator` of a network on 'test' or 'validation'."""
    if (network, split) not in self._evaluators:
      data = getattr(self.dataset, split)
      self._evaluators[network, split] = Evaluator(
        network,
        data.images,
        data.labels,
        batch_size=self.eval_batch_size,
        mesh=self.mesh,
        precision=self.precision,
      )
    return self._evaluators[network, split]


class Program:
  """A row's networks, objective and compiled step.

  Args:
    config: of the row.
    bench: where its data lie.
    teacher: a `Network`, or None.

  Raises:
    ValueError: settings that do not fit each other or the data.
  """

  def __init__(self, config, bench, *, teacher):
    self.config, self.bench = config, bench
    count = len(bench.dataset.train.labels)
    if config.batch_size > count:
      raise ValueError(
        f'config.batch_size={config.batch_size} is larger than the training '
        f'set of {count} images: use at most {count}.'
      )
    check_batch('config.batch_size', config.batch_size, bench.mesh)
    self.steps_per_epoch = count // config.batch_size
    self.total_steps = self.steps_per_epoch * config.epochs
    self.network = make_network(config, bench.dataset)
    self.start = find_start(config.start, self.network)
    self.objective = make_objective(
      config.objective.to_dict(),
      student=self.network,
      teacher=teacher,
      steps_per_epoch=self.steps_per_epoch,
      epochs=config.epochs,
    )
    self.teacher_variables = {}
    # In pictures; a study sets it for all rows where one reads gradients.
    self.shows_gradients = self.objective.reads_gradients
    self._compile()

  @property
  def needs_teacher(self):
    return self.objective.teacher is not None

  def set_teacher(self, variables):
    """Hands over the teacher's variables, once they are there."""
    if self.needs_teacher:
      self.teacher_variables = put(variables, replicated(self.bench.mesh))

  def _compile(self):
    config, mesh = self.config, self.bench.mesh
    self.optimizer, schedule = make_optimizer(
      config.optimizer.to_dict(),
      steps_per_epoch=self.steps_per_epoch,
      epochs=config.epochs,
      freeze=tuple(config.freeze),
    )
    step = make_step(
      self.objective,
      self.optimizer,
      schedule,
      data=config.data.to_dict(),
      batch_size=config.batch_size,
      steps_per_epoch=self.steps_per_epoch,
      mesh=mesh,
      bn=config.bn,
      freeze=tuple(config.freeze),
    )
    self._scan = mesh.devices.flat[0].platform != 'cpu'
    self._chunk = make_chunk(
      step, mesh=mesh, precision=config.precision, scan=self._scan
    )
    count = len(self.bench.dataset.train.labels)

    def init(key):
      return init_state(
        key,
        student=self.network,
        objective=self.objective,
        optimizer=self.optimizer,
      )

    def order(key, step):
      epoch = step // self.steps_per_epoch
      return epoch_order(named_key(key, 'order'), epoch, count)

    placed = {'out_shardings': replicated(mesh)}
    self._init = jax.jit(init, **placed)
    self._order = jax.jit(order, **placed)

  def init(self, seed):
    """The state before the first step."""
    state = self._init(jax.random.key(seed))
    if not self.start.variables:
      return state
    variables = self.start.apply(student_variables(state))
    variables = put(variables, replicated(self.bench.mesh))
    return state.replace(
      params=state.params | {'student': variables['params']},
      batch_stats=variables['batch_stats'],
    )

  def order(self, state):
    """The order of the training images in the state's epoch."""
    return self._order(state.key, state.step)

  def next_boundary(self, step):
    """The step at which the next row of metrics is due."""
    begin = step // self.steps_per_epoch * self.steps_per_epoch
    rows = (step - begin) // self.config.log_every + 1
    return begin + min(rows * self.config.log_every, self.steps_per_epoch)

  def advance(self, state, order, step):
    """Dispatches the next steps: (state, metrics stacked, number of steps).

    A chunk up to the next boundary on an accelerator, one step on a CPU. The
    state is donated.
    """
    length = self.next_boundary(step) - step if self._scan else 1
    state, metrics = self._chunk(
      state,
      self.teacher_variables,
      self.bench.train_split,
      order,
      length=length,
    )
    return state, metrics, length

  def evaluate(self, state, split):
    """An `Evaluation` of the student."""
    return self.bench.evaluator(self.network, split)(student_variables(state))


def student_variables(state):
  """What `Network.apply` and a weights folder want."""
  return {'params': state.params['student'], 'batch_stats': state.batch_stats}


@functools.cache
def group_maps(network):
  """(variables, images) -> attention maps of the group endpoints, by name."""

  @jax.jit
  def maps(variables, images):
    _, ends = network.apply(variables, images)
    return {
      name: attention_map(end)
      for name, end in ends.items()
      if end.ndim == 4 and '/' not in name
    }

  return maps


@functools.cache
def gradient_map(network, own):
  """(variables, images, labels) -> the gradient at the pixels, in eval mode.

  Args:
    network: a `Network`.
    own: the `Network` that the images are normalised for.
  """

  @jax.jit
  def gradient(variables, images, labels):
    _, passed = differentiate(
      network, variables, images, labels, {IMAGES}, given_for=own
    )
    return passed.gradients[IMAGES]

  return gradient

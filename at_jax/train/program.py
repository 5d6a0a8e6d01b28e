"""One row of a study, ready to run: all that does not depend on the seed."""

import jax

from at_jax.data.in_memory import epoch_order
from at_jax.objectives import (
  count_labels,
  make_objective,
  reads_label_counts,
)
from at_jax.train.bench import check_fits, make_network
from at_jax.train.feed import ResidentFeed, StreamFeed, taker
from at_jax.train.mesh import check_batch, for_one_run, put, replicated
from at_jax.train.optimizer import make_optimizer
from at_jax.train.start import find_start
from at_jax.train.state import init_state, named_key
from at_jax.train.step import make_chunk, make_step


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
    whose = 'the student' if config.teacher.config else ''
    check_fits(config, bench.dataset, whose)
    check_batch('config.batch_size', config.batch_size, bench.mesh)
    self.steps_per_epoch = len(bench.dataset.train) // config.batch_size
    self.total_steps = self.steps_per_epoch * config.epochs
    self.network = make_network(config, bench.dataset)
    self.start = find_start(config.start, self.network)
    settings, counts = config.objective.to_dict(), None
    if reads_label_counts(settings['name']):
      dataset = bench.dataset
      counts = count_labels(
        dataset.train.each_label(), len(dataset.class_names)
      )
    self.objective = make_objective(
      settings,
      student=self.network,
      teacher=teacher,
      steps_per_epoch=self.steps_per_epoch,
      epochs=config.epochs,
      label_counts=counts,
      multi_label=bench.dataset.multi_label,
    )
    self.teacher_variables = {}
    # In pictures; a study sets it for all rows where one reads gradients.
    self.shows_gradients = self.objective.reads_gradients
    self.compiled = False  # by the first run of it
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
      take=taker(
        self.bench.dataset,
        batch_size=config.batch_size,
        steps_per_epoch=self.steps_per_epoch,
      ),
      data=config.data.to_dict(),
      normalisation=(self.network.mean, self.network.std),
      mesh=mesh,
      bn=config.bn,
      freeze=tuple(config.freeze),
    )
    on_cpu = mesh.devices.flat[0].platform == 'cpu'
    self._scan = self.bench.dataset.in_memory and not on_cpu
    self._chunk = make_chunk(
      step, mesh=mesh, precision=config.precision, scan=self._scan
    )
    count = len(self.bench.dataset.train)

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
    self._init = jax.jit(init, compiler_options=for_one_run(mesh), **placed)
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

  def feed(self, seed, step):
    """Where the steps of a run get their batches from, from `step` on."""
    if self.bench.dataset.in_memory:
      return ResidentFeed(
        self.bench.train_split, self.order, self.steps_per_epoch
      )
    return StreamFeed(
      self.bench.dataset.train,
      self.bench.mesh,
      seed=seed,
      batch_size=self.config.batch_size,
      epochs=self.config.epochs,
      first_step=step,
    )

  def advance(self, state, feed, step):
    """Dispatches the next steps: (state, metrics stacked, number of steps).

    A chunk up to the next boundary where an accelerator has the data, else one
    step. The state is donated.
    """
    length = self.next_boundary(step) - step if self._scan else 1
    state, metrics = self._chunk(
      state, self.teacher_variables, *feed(state, step), length=length
    )
    return state, metrics, length

  def evaluate(self, state, split):
    """What `Evaluator` says of the student."""
    return self.bench.evaluator(self.network, split)(student_variables(state))


def student_variables(state):
  """What `Network.apply` and a weights folder want."""
  return {'params': state.params['student'], 'batch_stats': state.batch_stats}

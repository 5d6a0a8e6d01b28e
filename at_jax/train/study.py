"""A study: rows x seeds of runs, with their teachers, in one workdir."""

import dataclasses
import os
import pathlib
from typing import Any

import jax
import numpy as np
from clu import parameter_overview

import at_jax
from at_jax.data import load_dataset
from at_jax.train.checkpoint import read_json, write_json
from at_jax.train.config import (
  as_json,
  check_config,
  fingerprint,
  row_config,
  row_names,
  teacher_config,
)
from at_jax.train.console import Console
from at_jax.train.loop import train
from at_jax.train.mesh import data_mesh, describe_devices, is_first_host
from at_jax.train.program import Bench, Program, make_network
from at_jax.train.stopping import StopFlag
from at_jax.train.weights import load_weights
from at_jax.train.workdir import Lock, check_data, git_commit, open_workdir


def run_study(config, workdir, *, name, arguments='', console=None, mesh=None):
  """Trains every row and seed of a config that is not yet trained.

  Args:
    config: locked ConfigDict, as `configs/` make them.
    workdir: where everything goes; see DESIGN of the README's links.
    name: of the config, for tables and messages.
    arguments: of the config, likewise.
    console: a `Console`, by default one for standard output.
    mesh: devices, by default all.

  Raises:
    Stopped: on SIGINT or SIGTERM, after a checkpoint.
    ValueError, FileNotFoundError, FloatingPointError, OSError: see messages.
  """
  with StopFlag() as stop:
    check_config(config)
    session = _Session(
      console or Console(), mesh or data_mesh(), stop, datasets={}
    )
    session.hello(name, arguments, workdir)
    _Study(config, workdir, name, arguments, session).run()


@dataclasses.dataclass
class _Session:
  """What a study shares with the runs of its teachers."""

  console: Console
  mesh: Any
  stop: StopFlag
  datasets: dict

  def hello(self, name, arguments, workdir):
    commit = git_commit()
    self.console.say(
      f'at_jax {at_jax.__version__}{f" ({commit})" if commit else ""}, jax '
      f'{jax.__version__}, {describe_devices()}'
    )
    self.console.say(
      f'config {name}{f":{arguments}" if arguments else ""} -> {workdir}'
    )

  def dataset(self, settings):
    """Reads a data set, once for equal settings."""
    key = str(sorted(settings.to_dict().items()))
    if key not in self.datasets:
      self.datasets[key] = load_dataset(settings)
    return self.datasets[key]

  def bench(self, config):
    return Bench(
      self.dataset(config.data),
      self.mesh,
      config.eval_batch_size,
      config.precision,
    )


class _Study:
  def __init__(self, config, workdir, name, arguments, session):
    self.config, self.session = config, session
    self.workdir = pathlib.Path(workdir).absolute()
    self.name, self.arguments = name, arguments
    self.say = session.console.say
    self.teachers = {}  # key of a teacher -> _Teacher

  def folder(self, row, seed):
    return self.workdir / row / f'seed{seed}'

  def missing(self):
    """(seed, row) of the runs without a result, in the order to run them."""
    return [
      (seed, row)
      for seed in range(self.config.seeds)
      for row in row_names(self.config)
      if read_json(self.folder(row, seed) / 'result.json') is None
    ]

  def run(self, wait=None):
    lock = Lock(self.workdir, wait=wait)
    try:
      about = {'config': self.name, 'arguments': self.arguments}
      open_workdir(self.workdir, self.config, about)
      if not self.missing():
        self.say(f'All runs in {self.workdir} are finished.')
        return
      programs = self.programs()
      self.find_teachers(programs)
      for seed, row in self.missing():
        self.train(programs[row], row, seed)
    finally:
      lock.release()

  def programs(self):
    """Every row's `Program`: whatever does not fit is said before training."""
    bench = self.session.bench(self.config)
    check_data(self.workdir, bench.dataset)
    self.say(
      f'data {bench.dataset.name}: {bench.dataset.source}; '
      + ', '.join(f'{k} {len(v):,}' for k, v in bench.dataset.splits.items())
    )
    programs, benches = {}, {str(self.config.data): bench}
    for row in row_names(self.config):
      config = self.row_config(row)
      key = str(config.data)
      if key not in benches:
        benches[key] = self.session.bench(config)
      teacher = self.teacher(config)
      programs[row] = Program(
        config, benches[key], teacher=teacher and teacher.network
      )
    self.describe(programs)
    return programs

  def row_config(self, row):
    config = row_config(self.config, row)
    with config.unlocked():
      config.label = config.label or (self.name if row == 'main' else row)
    return config

  def describe(self, programs):
    """Parameter tables go to a file; a single row's is shown."""
    tables = {}
    for program in programs.values():
      shapes = jax.eval_shape(program.network.init, jax.random.key(0))
      table = parameter_overview.get_parameter_overview(
        shapes['params'], include_stats=False
      )
      tables[str(program.network.model)] = table
    if len(tables) == 1 and not self.config.rows:
      self.say(next(iter(tables.values())))
    if is_first_host():
      (self.workdir / 'parameters.txt').write_text('\n\n'.join(tables.values()))

  def teacher(self, config):
    """The `_Teacher` a row's config names, or None."""
    if not (config.teacher.config or config.teacher.weights):
      return None
    key = str(config.teacher) + str(config.data)
    if key not in self.teachers:
      make = _weights_teacher if config.teacher.weights else _trained_teacher
      self.teachers[key] = make(config, self)
    return self.teachers[key]

  def find_teachers(self, programs):
    """Trains or reads each teacher that a row asks, and hands it over."""
    found = {}
    for row, program in programs.items():
      if not program.needs_teacher:
        continue
      teacher = self.teacher(program.config)
      weights, about = teacher.get()
      program.set_teacher(weights.variables)
      about = found.setdefault(weights.digest, about | {'rows': []})
      about['rows'].append(row)
    for about in found.values():
      self.say(
        f'teacher {about["label"]}: test error {about["test_error"]:.2f} %, '
        f'{about["parameters"]:,} parameters'
      )
    if is_first_host():
      write_json(self.workdir / 'teachers.json', list(found.values()))

  def about_teacher(self, weights, folder, error):
    """A teacher's entry in teachers.json."""
    sizes = map(np.size, jax.tree.leaves(weights.variables['params']))
    return {
      'label': weights.network.label,
      'folder': os.path.relpath(folder, self.workdir),
      'hash': weights.digest,
      'test_error': error,
      'parameters': int(sum(sizes)),
    }

  def train(self, program, row, seed):
    digest = None
    if program.needs_teacher:
      digest = self.teacher(program.config).get()[0].digest
    label = program.config.label
    title = label if self.config.seeds == 1 else f'{label}, seed {seed}'
    train(
      program,
      seed=seed,
      folder=self.folder(row, seed),
      title=title,
      console=self.session.console,
      stop=self.session.stop,
      teacher_hash=digest,
    )


@dataclasses.dataclass
class _Teacher:
  """A teacher's network, and `get`, which gives (Weights, about) for it."""

  network: Any
  fetch: Any
  found: Any = None

  def get(self):
    if self.found is None:
      self.found = self.fetch()
    return self.found


def _weights_teacher(config, study):
  """A teacher read from a weights folder, measured on this run's test set."""
  weights = load_weights(config.teacher.weights, dtype=config.dtype)
  bench = study.session.bench(config)
  shape = bench.dataset.test.images.shape[1:]
  if weights.network.input_shape != shape:
    raise ValueError(
      f'The teacher {config.teacher.weights} takes images of '
      f'{weights.network.input_shape}, {bench.dataset.name} has {shape}.'
    )

  def fetch():
    folder = pathlib.Path(config.teacher.weights).expanduser()
    error = bench.evaluator(weights.network, 'test')(weights.variables).error
    return weights, study.about_teacher(weights, folder, error)

  return _Teacher(weights.network, fetch)


def _trained_teacher(config, study):
  """A teacher that another config makes, once for all workdirs beside it."""
  own = teacher_config(config)
  name = pathlib.Path(config.teacher.config.partition(':')[0]).stem
  dataset = study.session.dataset(own.data)
  with own.unlocked():
    own.label = own.label or name
  digest = fingerprint(own, dataset.fingerprint)
  workdir = study.workdir.parent / 'teachers' / f'{name}-{digest}'

  def wait():
    study.say(f'Another process is training the teacher in {workdir}; waiting.')

  def fetch():
    runs = _Study(own, workdir, name, '', study.session)
    if runs.missing():
      study.say(f'teacher {own.label}: training it first, in {workdir}')
      runs.run(wait=wait)
    weights = load_weights(
      runs.folder('main', 0) / 'weights', dtype=config.dtype
    )
    result = read_json(runs.folder('main', 0) / 'result.json')
    return weights, study.about_teacher(weights, workdir, result['test_error'])

  return _Teacher(make_network(own, dataset), fetch)

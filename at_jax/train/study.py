"""A study: rows x seeds of runs, with their teachers, in one workdir."""

import dataclasses
import pathlib
from typing import Any

import jax
from clu import parameter_overview

import at_jax
from at_jax.data import load_dataset
from at_jax.train.bench import Bench, check_same_kind
from at_jax.train.checkpoint import read_json, write_json
from at_jax.train.config import check_config, row_config, row_names
from at_jax.train.console import Console
from at_jax.train.loop import train
from at_jax.train.mesh import data_mesh, describe_devices, is_first_host
from at_jax.train.program import Program
from at_jax.train.stopping import StopFlag
from at_jax.train.teacher import find_teacher, teacher_key
from at_jax.train.versions import git_commit
from at_jax.train.workdir import (
  Lock,
  check_origin,
  check_workdir,
  claim_workdir,
)

LINES = 100  # of a parameter table; a longer one is in a file only


def run_study(config, workdir, *, name, arguments='', console=None, mesh=None):
  """Trains every row and seed of a config that is not yet trained.

  Args:
    config: locked ConfigDict, as `configs/` make them.
    workdir: where everything goes.
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
    session = _Session(console or Console(), mesh or data_mesh(), stop)
    session.hello(name, arguments, workdir)
    if config.tiny:
      session.console.say('tiny: this tests the path, its numbers mean nothing')
    _Study(config, workdir, name, arguments, session).run()


@dataclasses.dataclass
class _Session:
  """What a study shares with the runs of its teachers."""

  console: Console
  mesh: Any
  stop: StopFlag
  datasets: dict = dataclasses.field(default_factory=dict)
  benches: dict = dataclasses.field(default_factory=dict)

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
    """The data of a config on the devices, once for equal settings."""
    dataset = self.dataset(config.data)
    key = (id(dataset), config.eval_batch_size, config.precision)
    if key not in self.benches:
      self.benches[key] = Bench(dataset, self.mesh, *key[1:])
    return self.benches[key]


class _Study:
  def __init__(self, config, workdir, name, arguments, session):
    self.config, self.session = config, session
    self.workdir = pathlib.Path(workdir).absolute()
    self.name, self.arguments = name, arguments
    self.say = session.console.say
    self.teachers = {}  # row -> `Teacher` or None; equal ones are one object

  def beside(self, config, workdir, name):
    """Another study of the same session: a teacher's."""
    return _Study(config, workdir, name, '', self.session)

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

  def run(self, *, wait=None, table=True):
    """Runs what is missing; `wait` and `table`: see `Lock`, `describe`."""
    lock = Lock(self.workdir, wait=wait)
    try:
      check_workdir(self.workdir, self.config)
      if not self.missing():
        self.say(f'All runs in {self.workdir} are finished.')
        return
      programs = self.programs()
      self.describe(programs, table)
      self.find_teachers(programs)
      for seed, row in self.missing():
        self.train(programs[row], row, seed)
    finally:
      lock.release()

  def programs(self):
    """Every row's `Program`: whatever does not fit is said before training."""
    bench = self.session.bench(self.config)
    self.say(bench.dataset.describe())
    programs, known = {}, {}
    for row in row_names(self.config):
      config = self.row_config(row)
      dataset = self.session.dataset(config.data)
      if dataset.fingerprint != bench.dataset.fingerprint:
        check_same_kind(row, dataset, bench.dataset)
        self.say(f'row {row}: {dataset.describe()}')
      teacher = self.teachers[row] = self.teacher(config, known)
      program = programs[row] = Program(
        config, self.session.bench(config), teacher=teacher and teacher.network
      )
      for note in program.start.notes:
        self.say(f'row {row}: {note}' if self.config.rows else note)
    shown = any(program.shows_gradients for program in programs.values())
    for program in programs.values():
      program.shows_gradients = shown
    about = {'config': self.name, 'arguments': self.arguments}
    claim_workdir(self.workdir, self.config, bench.dataset, about)
    return programs

  def row_config(self, row):
    config = row_config(self.config, row)
    check_config(config)
    with config.unlocked():
      config.label = config.label or (self.name if row == 'main' else row)
    return config

  def describe(self, programs, table):
    """Parameter tables go to a file; with `table` a plain config's is shown.

    Where it is long, and of studies, the totals are.
    """
    tables = {}
    for program in programs.values():
      text = parameter_overview.get_parameter_overview(
        program.network.variable_shapes['params'], include_stats=False
      )
      tables[str(program.network.model)] = text
    short = all(text.count('\n') <= LINES for text in tables.values())
    if table and short and len(tables) == 1 and not self.config.rows:
      self.say(next(iter(tables.values())))
    elif table:
      for name, program in programs.items():
        leaves = jax.tree.leaves(program.network.variable_shapes['params'])
        total = sum(leaf.size for leaf in leaves)
        row = f'row {name}: ' if self.config.rows else ''
        self.say(f'{row}{total:,} parameters (see parameters.txt)')
    if is_first_host():
      (self.workdir / 'parameters.txt').write_text('\n\n'.join(tables.values()))

  def teacher(self, config, known):
    """The `Teacher` a row's config names, or None; `known` are those by key."""
    if not (config.teacher.config or config.teacher.weights):
      return None
    key = teacher_key(config)
    if key not in known:
      known[key] = find_teacher(config, self)
    return known[key]

  def find_teachers(self, programs):
    """Trains or reads each teacher that a row asks, and hands it over."""
    found = {}
    for row, program in programs.items():
      if not program.needs_teacher:
        continue
      weights, about = self.teachers[row].get()
      program.set_teacher(weights.variables)
      about = found.setdefault(weights.digest, about | {'rows': []})
      about['rows'].append(row)
    self.check_finished(programs)
    for about in found.values():
      error = about.get('test_error')
      error = 'other classes' if error is None else f'test error {error:.2f} %'
      size = f'{about["parameters"]:,} parameters'
      self.say(f'teacher {about["label"]}: {error}, {size}')
    for about in read_json(self.workdir / 'teachers.json') or []:
      # Rows of an earlier command in this workdir.
      rows = [row for row in about['rows'] if row not in programs]
      if rows:
        entry = found.setdefault(about['hash'], about | {'rows': []})
        entry['rows'] = rows + entry['rows']
    if is_first_host():
      write_json(self.workdir / 'teachers.json', list(found.values()))

  def teacher_hash(self, program, row):
    """Digest of the weights that teach a row, or None."""
    if not program.needs_teacher:
      return None
    return self.teachers[row].get()[0].digest

  def check_finished(self, programs):
    """Finished seeds of a row must have had the same data and teacher."""
    for row, program in programs.items():
      now = {
        'data_fingerprint': program.bench.dataset.fingerprint,
        'teacher_hash': self.teacher_hash(program, row),
        'start_hashes': program.start.digests,
      }
      for path in sorted((self.workdir / row).glob('seed*/result.json')):
        before = read_json(path)
        if before is not None:  # a damaged one counts as missing, as elsewhere
          check_origin(path.parent, before, now)

  def train(self, program, row, seed):
    label = program.config.label
    title = label if self.config.seeds == 1 else f'{label}, seed {seed}'
    train(
      program,
      seed=seed,
      folder=self.folder(row, seed),
      title=title,
      console=self.session.console,
      stop=self.session.stop,
      teacher_hash=self.teacher_hash(program, row),
    )

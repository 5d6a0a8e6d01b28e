"""Small runs shared by the tests of training."""

import contextlib

import jax

from at_jax.train.bench import Bench, make_network
from at_jax.train.config import load_config, row_config, teacher_config
from at_jax.train.console import Console
from at_jax.train.mesh import data_mesh
from at_jax.train.program import Program
from at_jax.train.writer import read_rows


def tiny_config(spec='configs/wrn_at_kd.py:tiny', **changes):
  """A tiny config's only row, unlocked paths replaced."""
  config = row_config(load_config(spec), 'main')
  with config.unlocked():
    config.epochs = 3
    config.checkpoint_seconds = 1e9
    config.label = config.label or 'run'
    config.update_from_flattened_dict(changes)
  return config


def one_device():
  return data_mesh(jax.devices()[:1])


def make_program(config, dataset, mesh=None):
  """A `Program` with an untrained teacher of the config's kind."""
  mesh = mesh or one_device()
  bench = Bench(dataset, mesh, config.eval_batch_size, config.precision)
  teacher = None
  if config.teacher.config:
    own = teacher_config(config)
    teacher = make_network(own, dataset)
  program = Program(config, bench, teacher=teacher)
  if teacher:
    program.set_teacher(jax.device_get(teacher.init(jax.random.key(9))))
  return program


class Quiet(Console):
  """Collects lines."""

  def __init__(self):
    super().__init__(bar=False)
    self.lines = []

  def say(self, text=''):
    self.lines.append(text)


class StopAt:
  """A StopFlag that is signalled once the loop has looked `count` times."""

  def __init__(self, count=None):
    self.count = count

  def deferred(self):
    return contextlib.nullcontext()

  @property
  def number(self):
    if self.count is None:
      return None
    self.count -= 1
    return 15 if self.count < 0 else None


def numbers(folder):
  """The rows of metrics.jsonl without what the clock decides."""
  rows = read_rows(folder / 'metrics.jsonl')
  return [
    {k: v for k, v in row.items() if k != 'images_per_second'} for row in rows
  ]


class Context:
  """A StopFlag that stops by count."""

  def __init__(self, stop):
    self.stop = stop

  def __enter__(self):
    return self.stop

  def __exit__(self, *_):
    pass

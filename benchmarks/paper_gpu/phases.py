"""What is measured before training, each once: its file says it is done."""

import dataclasses
import sys
from typing import Any

from at_jax.train.checkpoint import read_json, write_json
from benchmarks.paper_gpu import jobs
from benchmarks.paper_gpu.processes import Process, Time, environment
from benchmarks.table import summarise

# The most wanted first; each takes a few minutes with PyTorch beside it.
STEPS = ('at', 'kd', 'ce')
TINY_STEPS = ('ce',)


@dataclasses.dataclass
class Call:
  """What all parts of one call share.

  Attributes:
    flags: of the command.
    time: a `Time`.
    lock: what children keep open, see `locked`.
    problems: lines for the end.
  """

  flags: Any
  time: Time
  lock: int | None = None
  problems: list[str] = dataclasses.field(default_factory=list)

  @property
  def workdir(self):
    return self.flags.workdir

  @property
  def progress(self):
    return jobs.Progress(self.workdir / 'jobs')

  @property
  def jobs(self):
    return jobs.all_jobs(
      seeds=self.flags.seeds, epochs=self.flags.epochs, tiny=self.flags.tiny
    )

  def say(self, text):
    minutes = self.time.spent() / 60
    print(f'[{minutes:4.1f} min] {text}', flush=True)

  def problem(self, text):
    """Something failed: said now and at the end."""
    self.say(text)
    self.problems.append(text)

  def start(self, command, log, **env):
    """A `Process` of this python, with its log in the workdir."""
    return Process(
      [sys.executable, *map(str, command)],
      self.workdir / 'logs' / f'{log}.log',
      env=environment(self.workdir) | env,
      lock=self.lock,
    )


def measure(call, name, command):
  """Runs a command that writes --out, unless <workdir>/<name>.json is there.

  Args:
    call: a `Call`.
    name: of the file and of the log.
    command: for this python.
  """
  path = call.workdir / f'{name}.json'
  if read_json(path) is not None:
    return
  part = path.with_name(f'{path.stem}.part.json')
  part.parent.mkdir(parents=True, exist_ok=True)
  part.unlink(missing_ok=True)
  fresh = call.time.fresh()
  call.say(f'{name}: begins')
  process = call.start([*command, f'--out={part}'], name.replace('/', '_'))
  code = process.wait(call.time.left)
  found = read_json(part)
  part.unlink(missing_ok=True)
  if code is None and (call.time.stopped or not fresh):
    call.say(f'{name}: no time left, begins anew in the next call')
  elif code is None:
    why = f'takes longer than a whole call; to try again, remove {path}'
    write_json(path, {'failed': why})
    call.say(f'{name}: given up, {why}')
  elif found is None:
    call.problem(f'{name}: FAILED, code {code}\n{process.last_lines()}')
  else:
    write_json(path, found)
    call.say(f'{name}: done\n{process.last_lines(30)}')


def checks(call):
  tiny = ['--tiny'] if call.flags.tiny else []
  measure(call, 'checks', ['-m', 'benchmarks.paper_gpu.checks', *tiny])


def pieces(flags):
  """Names of the parts of the step's measurement, as one call can hold one."""
  steps = TINY_STEPS if flags.tiny else STEPS
  return [
    (f'step/{step}_{number}', step)
    for number in range(1, flags.rounds + 1)
    for step in steps
  ]


def step(call):
  tiny = '--batch=4 --seconds=0.1'.split() if call.flags.tiny else []
  for name, kind in pieces(call.flags):
    if call.time.left():
      command = ['-m', 'benchmarks.step', f'--steps={kind}', '--rounds=1']
      python = f'--torch_python={call.flags.torch_python}'
      measure(call, name, [*command, '--seconds=3', python, *tiny])
  found = [read_json(call.workdir / f'{n}.json') for n, _ in pieces(call.flags)]
  found = [piece for piece in found if piece and 'measurements' in piece]
  if found:
    rows = [one for piece in found for one in piece['measurements']]
    about = {key: found[0][key] for key in ('flags', 'at_jax', 'torch')}
    write_json(
      call.workdir / 'step.json',
      about | {'rows': summarise(rows), 'measurements': rows},
    )


def engine(call):
  command = ['-m', 'benchmarks.engine']
  if call.flags.tiny:
    command += '--step=ce --batch=4 --rounds=1 --steps=2'.split()
  else:
    command += ['--steps=500']
  measure(call, 'engine', command)


def parallel(call):
  if call.flags.parallel:
    return
  command = ['-m', 'benchmarks.paper_gpu.parallel']
  if call.flags.tiny:
    command += '--counts=1,2 --step=ce --batch=4 --seconds=0.3'.split()
  measure(call, 'parallel', command)


def at_once(call):
  """How many jobs to train side by side."""
  found = read_json(call.workdir / 'parallel.json') or {}
  return call.flags.parallel or found.get('best', 1)

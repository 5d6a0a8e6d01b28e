"""Trains jobs, a few at once, until all are done or the time is up."""

import time

from benchmarks.paper_gpu.phases import at_once
from benchmarks.paper_gpu.processes import stop

WORTH = 30.0  # seconds that a job needs to start: with less left, none does
# Not failed, but asked to end: SIGTERM and SIGINT, before and after a save.
ENDED = (143, 130, -15, -2)


def command(job, workdir, data_dir=''):
  """What trains a job: arguments for python."""
  data = [f'--config.data.dir={data_dir}'] if data_dir else []
  return [
    'train.py',
    f'--config={job.config}',
    f'--workdir={workdir}',
    *data,
    '--config.checkpoint_seconds=60',
    # An epoch of CIFAR at 128 in one dispatch, so one program to compile.
    *([] if job.tiny else ['--config.log_every=390']),
  ]


def train(call):
  """Starts jobs in order; each is tried once in a call."""
  count, jobs, progress = at_once(call), call.jobs, call.progress
  call.say(f'training, {count} at once')
  running, tried = {}, set()
  worth = 0.0 if call.flags.tiny else WORTH
  while call.time.left():
    for job in [job for job in running if running[job].code() is not None]:
      ended(call, job, running.pop(job))
    job = None
    if len(running) < count and call.time.left() > worth:
      job = progress.next(
        jobs, {job: job in running for job in tried | set(running)}
      )
    if job:
      tried.add(job)
      running[job] = start(call, job)
    elif not running:
      return
    else:
      time.sleep(0.2)
  call.say(f'time is up, {len(running)} jobs save')
  stop(list(running.values()))
  for job, process in running.items():
    ended(call, job, process, told=True)


def start(call, job):
  call.say(f'{job.name}: begins')
  return call.start(
    command(job, call.progress.workdir(job), call.flags.data_dir),
    job.name,
    XLA_PYTHON_CLIENT_PREALLOCATE='false',
  )


def ended(call, job, process, told=False):
  """Says how a job ended; `told`: we asked it to."""
  code = process.code()
  if call.progress.done(job):
    call.say(f'{job.name}: done')
  elif told or code in ENDED:
    call.say(f'{job.name}: stopped, goes on in the next call (code {code})')
  else:
    call.problem(
      f'{job.name}: FAILED, code {code}, the end of its log:\n'
      f'{process.last_lines()}'
    )

"""The paper's Tables 1 and 2 on a GPU, in calls of a few minutes.

  python -m benchmarks.paper_gpu --data_dir=DATA            # again and again
  python -m benchmarks.paper_gpu --data_dir=DATA --out=FOLDER    # to take along
  python -m benchmarks.paper_gpu --tiny             # a CPU, no files

Checks the device against the CPU, measures the training step (against PyTorch,
where there is one), how many trainings at once are fastest, and then trains the
rows of both tables, the most valuable first, until the minutes are over. What
is done is in the workdir: the same command goes on from there, also after a
kill. With --out it ends by packing what a fresh machine needs to go on.

The exit code is 1 where a check, a measurement or a job failed, 143 or 130
after SIGTERM or Ctrl-C.
"""

import argparse
import pathlib
import sys

from benchmarks.paper_gpu import phases, summary, train
from benchmarks.paper_gpu.processes import Time, locked

PHASES = {
  'checks': phases.checks,
  'step': phases.step,
  'engine': phases.engine,
  'parallel': phases.parallel,
  'train': train.train,
}
MARGIN = 45.0  # seconds at the end of a call: saving, reports, archives


def parse(arguments):
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.paper_gpu',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    '--minutes', type=float, default=9.0, help='of this call, all included'
  )
  parser.add_argument(
    '--workdir', default='runs/paper_gpu', help='all that is done'
  )
  parser.add_argument('--data_dir', default='', help='config.data.dir')
  parser.add_argument('--out', help='a folder for what to take along')
  parser.add_argument('--epochs', type=int, default=200)
  parser.add_argument('--seeds', type=int, default=3)
  parser.add_argument(
    '--parallel', type=int, default=0, help='trainings at once; 0: measured'
  )
  parser.add_argument(
    '--rounds', type=int, default=1, help='of the measurements of the step'
  )
  parser.add_argument(
    '--phases', default=','.join(PHASES), help='which of them, in this order'
  )
  parser.add_argument(
    '--tiny', action='store_true', help='tests the path: minutes on a CPU'
  )
  parser.add_argument(
    '--torch_python',
    default=sys.executable,
    help='a python that has torch; default: this one',
  )
  flags = parser.parse_args(arguments)
  flags.workdir = pathlib.Path(flags.workdir).expanduser().absolute()
  if flags.data_dir:
    flags.data_dir = pathlib.Path(flags.data_dir).expanduser().absolute()
  flags.phases = [name for name in flags.phases.split(',') if name]
  for name in flags.phases:
    if name not in PHASES:
      parser.error(f'unknown phase {name!r}, there are {", ".join(PHASES)}')
  if flags.minutes <= 0 or min(flags.epochs, flags.seeds, flags.rounds) < 1:
    parser.error('--minutes, --epochs, --seeds and --rounds must be positive')
  return flags


def main(arguments=None):
  """The command; returns its exit code."""
  flags = parse(arguments)
  time = Time(flags.minutes, min(MARGIN, 15 * flags.minutes))
  try:
    with locked(flags.workdir) as lock:
      call = phases.Call(flags, time, lock)
      for name in flags.phases:
        if time.left():
          PHASES[name](call)
      code = summary.finish(call)
      return code or (128 + time.stopped if time.stopped else 0)
  except BlockingIOError as error:
    sys.exit(str(error))


if __name__ == '__main__':
  sys.exit(main())

"""Processes that end when they are told to, or when the command is killed."""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRACE = 25.0  # seconds to save, then a process is killed
PATIENCE = 60.0  # seconds to wait for what a killed call left behind
_LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None


@contextlib.contextmanager
def locked(folder):
  """Holds a folder; yields a number that children keep open.

  The kernel lets go when the last of them has ended, so a call after a kill
  waits until the training that it left behind has saved.

  Raises:
    BlockingIOError: another call is at work.
  """
  folder.mkdir(parents=True, exist_ok=True)
  with (folder / '.lock').open('w') as file:
    end = time.monotonic() + PATIENCE
    waiting = False
    while True:
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
      except BlockingIOError:
        if time.monotonic() > end:
          raise BlockingIOError(
            f'Another call is at work in {folder}: wait for it, or give this '
            'one another --workdir.'
          ) from None
      if not waiting:
        print(f'{folder} is in use by another call, waiting.', flush=True)
      waiting = True
      time.sleep(0.5)
    yield file.fileno()


class Time:
  """What is left of a call; nothing is, once a signal came.

  Args:
    minutes: of the whole call.
    margin: seconds of it kept back, to save and to report.
  """

  def __init__(self, minutes, margin):
    self.begin, self.stopped = time.monotonic(), None
    self.last = self.begin + 60 * minutes
    self.end = self.last - margin
    for number in (signal.SIGINT, signal.SIGTERM):
      signal.signal(number, self._note)

  def left(self):
    """Seconds, 0 when there are none."""
    return 0.0 if self.stopped else max(0.0, self.end - time.monotonic())

  def margin_left(self):
    """Seconds to the very end of the call, of which `left` keeps some back."""
    return max(0.0, self.last - time.monotonic())

  def spent(self):
    """Seconds since it began."""
    return time.monotonic() - self.begin

  def fresh(self):
    """Whether hardly anything of the call is spent."""
    return self.spent() < 0.2 * (self.end - self.begin)

  def _note(self, number, _):
    print(f'\n{signal.Signals(number).name}: saving and reporting.', flush=True)
    self.stopped = number


class Process:
  """A command with its output in a log, and everything that it starts.

  Args:
    command: a list.
    log: a path; it is appended to.
    env: environment variables besides those of this process.
    lock: what `locked` yields.
  """

  def __init__(self, command, log, *, env=None, lock=None):
    log.parent.mkdir(parents=True, exist_ok=True)
    self._log = log
    with log.open('a') as file:
      file.write(f'\n$ {shlex.join(map(str, command))}\n')
      file.flush()
      self._begin = file.tell()
      self._process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=file,
        stderr=subprocess.STDOUT,
        # A group, to stop what it starts too; not a session of its own, which
        # would outlive those who end this command by its session.
        process_group=0,
        pass_fds=() if lock is None else (lock,),
        preexec_fn=_end_with_parent,
      )

  def code(self):
    """The exit status, None while it runs."""
    return self._process.poll()

  def signal(self, number):
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self._process.pid, number)

  def wait(self, time_left):
    """The exit status, or None where time ran out and it was stopped."""
    while self.code() is None:
      if not time_left():
        stop([self])
        return None
      time.sleep(0.1)
    return self.code()

  def output(self):
    """What it printed."""
    with self._log.open(errors='replace') as file:
      file.seek(self._begin)
      return file.read()

  def last_lines(self, count=12):
    return '\n'.join(self.output().splitlines()[-count:])


def stop(processes, grace=GRACE):
  """Asks all to save and end; kills those that do not."""
  end = time.monotonic() + grace
  for process in processes:
    process.signal(signal.SIGTERM)
  while any(p.code() is None for p in processes) and time.monotonic() < end:
    time.sleep(0.1)
  for process in processes:
    if process.code() is None:
      process.signal(signal.SIGKILL)
    while process.code() is None:
      time.sleep(0.1)


def environment(workdir):
  """What every process of ours gets: compiled programs are kept."""
  return {
    'JAX_COMPILATION_CACHE_DIR': os.environ.get(
      'JAX_COMPILATION_CACHE_DIR', str(workdir / 'cache')
    ),
    'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0.3',
    'PYTHONUNBUFFERED': '1',
  }


def _end_with_parent():
  if _LIBC:
    _LIBC.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG

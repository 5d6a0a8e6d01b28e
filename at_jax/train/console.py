"""What a run shows: lines, and on a terminal a progress bar below them."""

import sys
import time

from at_jax.train.mesh import is_first_host

QUIET_SECONDS = 5.0  # between epoch lines
PLAIN_SECONDS = 30.0  # between progress lines where there is no bar


class Console:
  """Prints on the first host; on a terminal a progress bar follows."""

  def __init__(self, bar=None):
    self._bar = sys.stdout.isatty() if bar is None else bar
    self._progress = self._task = None
    self._last_line = 0.0

  def say(self, text=''):
    """A line, above the progress bar."""
    if not is_first_host():
      return
    if self._progress:
      self._progress.console.print(
        text, markup=False, highlight=False, soft_wrap=True
      )
    else:
      print(text, flush=True)

  def epoch(self, text, *, always=False):
    """A line that may be left out when the last one was a moment ago."""
    now = time.monotonic()
    if always or now - self._last_line >= QUIET_SECONDS:
      self._last_line = now
      self.say(text)

  def start(self, title, *, total, done):
    """Begins a progress bar of `total` steps of which some are done."""
    self._title, self._total = title, total
    self._last_line = time.monotonic() - QUIET_SECONDS
    if not (self._bar and is_first_host()):
      return
    from rich import progress

    self._progress = progress.Progress(
      progress.TextColumn('{task.description}'),
      progress.BarColumn(),
      progress.MofNCompleteColumn(),
      progress.TextColumn('{task.fields[rate]}'),
      progress.TimeRemainingColumn(),
      transient=True,
    )
    self._task = self._progress.add_task(
      title, total=total, completed=done, rate=''
    )
    self._progress.start()

  def advance(self, step, *, rate, batch_size):
    """Moves the bar to `step`, or now and then prints a line.

    Args:
      step: steps done.
      rate: images/s, 0 where not yet known.
      batch_size: images in a step, for the time left.
    """
    if self._progress:
      self._progress.update(
        self._task, completed=step, rate=f'{rate:,.0f} images/s'
      )
      return
    if rate and time.monotonic() - self._last_line >= PLAIN_SECONDS:
      left = (self._total - step) * batch_size / rate
      self.epoch(
        f'{self._title}: step {step:,}/{self._total:,}, {rate:,.0f} images/s, '
        f'{_duration(left)} left',
        always=True,
      )

  def stop(self):
    """Takes the bar away."""
    if self._progress:
      self._progress.stop()
      self._progress = None


def _duration(seconds):
  minutes = round(seconds / 60)
  if minutes < 1:
    return f'{seconds:.0f} s'
  return f'{minutes} min' if minutes < 60 else f'{minutes / 60:.1f} h'

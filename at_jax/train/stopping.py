"""Leaving in order when asked to: Ctrl-C and SIGTERM."""

import signal


class Stopped(Exception):
  """Training was asked to stop; its state has been saved.

  Attributes:
    number: of the signal.
  """

  def __init__(self, number, message):
    super().__init__(message)
    self.number = number


class StopFlag:
  """Notes SIGINT and SIGTERM; a second one interrupts at once.

  with StopFlag() as stop:
    while not stop.requested: ...
  """

  def __init__(self):
    self.number = None

  @property
  def requested(self):
    return self.number is not None

  def __enter__(self):
    self._before = {
      number: signal.signal(number, self._note)
      for number in (signal.SIGINT, signal.SIGTERM)
    }
    return self

  def __exit__(self, *_):
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def _note(self, number, _):
    if self.requested:
      raise KeyboardInterrupt
    self.number = number
    print(
      f'\n{signal.Signals(number).name}: finishing the step and saving '
      '(once more to leave at once).',
      flush=True,
    )

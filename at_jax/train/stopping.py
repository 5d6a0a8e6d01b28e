"""Leaving in order when asked to: Ctrl-C and SIGTERM."""

import contextlib
import signal


class Stopped(BaseException):
  """A signal asked to stop; what had to be saved is saved.

  Not an `Exception`: it may come in the middle of anything, and whoever handles
  errors there, of a disk for instance, must not take it for one.

  Attributes:
    number: of the signal.
    at_once: whether it interrupted whatever Python was doing, where otherwise
      the training loop ended in order.
  """

  def __init__(self, number, message, *, at_once=False):
    super().__init__(message)
    self.number, self.at_once = number, at_once


class StopFlag:
  """What SIGINT and SIGTERM do: end at once, or when the loop is ready.

  with StopFlag() as stop:
    ...                     # a signal raises Stopped
    with stop.deferred():   # a signal is noted; a second one interrupts
      while not stop.number: ...

  Attributes:
    number: of the signal that was noted, or None.
  """

  def __init__(self):
    self.number, self._deferred = None, False

  @contextlib.contextmanager
  def deferred(self):
    """Inside, the training loop looks at `number` after every step."""
    self._deferred = True
    try:
      yield
    finally:
      self._deferred = False

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
    name = signal.Signals(number).name
    if not self._deferred or self.number:
      raise Stopped(
        number,
        f'{name}: left at once; what was saved before is whole. Run the same '
        'command again to go on.',
        at_once=True,
      )
    self.number = number
    print(
      f'\n{name}: finishing the step and saving (once more to leave at once).',
      flush=True,
    )

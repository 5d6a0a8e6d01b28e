"""Signals: noted while the loop runs, an end at once anywhere else."""

import os
import signal

import pytest

from at_jax.train.stopping import StopFlag, Stopped


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_outside_the_loop_a_signal_ends_at_once(number):
  with StopFlag() as stop, pytest.raises(Stopped) as stopped:
    os.kill(os.getpid(), number)
  assert stopped.value.number == number and stop.number is None


def test_inside_the_loop_it_is_noted_and_the_second_ends():
  with StopFlag() as stop, stop.deferred():
    os.kill(os.getpid(), signal.SIGTERM)
    assert stop.number == signal.SIGTERM
    with pytest.raises(Stopped, match='left at once'):
      os.kill(os.getpid(), signal.SIGTERM)


def test_handlers_are_put_back():
  before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
  with StopFlag():
    assert signal.getsignal(signal.SIGTERM) != before[1]
  assert (
    signal.getsignal(signal.SIGINT),
    signal.getsignal(signal.SIGTERM),
  ) == before

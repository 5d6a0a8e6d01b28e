"""`train.py` with a small network and without pictures, as a command.

AT_JAX_TESTS_DIE=5 in the environment kills it with signal 9 just before the
fifth checkpoint of a run is whole.
"""

import os
import pathlib
import re
import runpy
import signal

from small_networks import SmallWRN

from at_jax.models import MODELS
from at_jax.report import pictures

TRAIN = pathlib.Path(__file__).resolve().parents[1] / 'train.py'


def die_before(number):
  """Renaming is what makes a checkpoint whole."""
  rename, left = os.rename, number

  def dying(source, target, **kwargs):
    nonlocal left
    if re.search(r'main/seed0/checkpoints/\d+$', str(target)):
      left -= 1
      if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(source, target, **kwargs)

  os.rename = dying


if __name__ == '__main__':
  MODELS['wrn'] = SmallWRN
  pictures.draw_curves = lambda *_: 'test'
  pictures.draw_attention = lambda *_: None
  if 'AT_JAX_TESTS_DIE' in os.environ:
    die_before(int(os.environ['AT_JAX_TESTS_DIE']))
  runpy.run_path(str(TRAIN), run_name='__main__')

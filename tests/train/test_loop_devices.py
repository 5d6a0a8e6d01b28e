"""A run goes on on another number of devices, and says so."""

import jax
from helpers import Quiet, StopAt, make_program, tiny_config

from at_jax.data import load_dataset
from at_jax.train.loop import train
from at_jax.train.mesh import data_mesh
from at_jax.train.stopping import Stopped


def test_another_number_of_devices_is_said(small_wrn, tmp_path):
  config = tiny_config('configs/wrn.py:tiny', epochs=1)
  dataset = load_dataset(config.data)

  def run(count, stop):
    program = make_program(config, dataset, data_mesh(jax.devices()[:count]))
    console = Quiet()
    with_stop = dict(seed=0, title='run', console=console, stop=stop)
    try:
      train(program, folder=tmp_path, **with_stop)
    except Stopped:
      pass
    return [line for line in console.lines if 'differ by rounding' in line]

  assert run(1, StopAt(0)) == []
  assert run(1, StopAt(0)) == []  # the same number is nothing to mention
  (line,) = run(2, StopAt())
  assert 'on 2 device(s) now, 1 before' in line
  assert (tmp_path / 'result.json').exists()

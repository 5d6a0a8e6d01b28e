"""Two devices of one CPU, where that changes nothing but rounding."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from config_changes import AT, study

from at_jax.train import config as c
from configs import common

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEVICES = 'xla_force_host_platform_device_count'
# What `split_cpu` reads of each config, as JSON, to (devices asked for, what
# became of XLA_FLAGS), one after the other: jax has no device before the end.
SCRIPT = """
import json, os, sys, types
import jax
from at_jax.train import mesh
before = os.environ.get('XLA_FLAGS')
asked = jax.config.jax_num_cpu_devices
found = []
for configs in json.loads(sys.argv[1]):
  mesh.split_cpu([types.SimpleNamespace(**own) for own in configs])
  found.append([jax.config.jax_num_cpu_devices, os.environ.get('XLA_FLAGS')])
  last = os.environ.pop('XLA_FLAGS', '')
  if before is not None:
    os.environ['XLA_FLAGS'] = before
  jax.config.update('jax_num_cpu_devices', asked)
jax.config.update('jax_num_cpu_devices', found[-1][0])
os.environ['XLA_FLAGS'] = last
print(json.dumps([found, jax.device_count(), mesh.data_mesh().size]))
"""


def decide(*studies, **environment):
  """[(devices asked for, XLA_FLAGS) of each], and how many the last has."""
  fields = ('bn', 'batch_size', 'eval_batch_size')
  read = [
    [{name: own[name] for name in fields} for own in c.all_configs(config)]
    for config in studies
  ]
  clean = {
    k: v
    for k, v in os.environ.items()
    if k not in ('XLA_FLAGS', 'JAX_NUM_CPU_DEVICES')
  }
  done = subprocess.run(
    [sys.executable, '-c', SCRIPT, json.dumps(read)],
    cwd=ROOT,
    env=clean | {'JAX_PLATFORMS': 'cpu'} | environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  found, devices, size = json.loads(done.stdout)
  assert devices == size
  return found, devices


def teacher(**changes):
  return {'teacher.overrides': common.dotted(changes)}


EVEN = {
  'plain': c.load_config('configs/wrn.py'),
  'taught': c.load_config(AT),
  'tiny': c.load_config(f'{AT}:tiny'),
  'rows': study(alone={'teacher.config': ''}, at={}),
  'table1': c.load_config('configs/table1.py'),
  'digits': c.load_config('configs/digits_at.py'),
}
WHOLE = {
  'odd batch': study(at={'batch_size': 125}),
  'odd batch of a later row': study(alone={}, at={'batch_size': 125}),
  'odd evaluation': study(at={'eval_batch_size': 25}, kd={}),
  'both odd': study(at={'batch_size': 125, 'eval_batch_size': 25}),
  'odd batch of the teacher': study(at=teacher(batch_size=125)),
  'odd evaluation of one teacher': study(a={}, b=teacher(eval_batch_size=5)),
  'per device': study(at={'bn': 'per_device'}),
  'per device in one row': study(at={}, alone={'bn': 'per_device'}, kd={}),
  'per device in the teacher': study(at=teacher(bn='per_device')),
}


@pytest.fixture(scope='module')
def decided():
  """What becomes of every study, and the devices of the last, an even one."""
  names = [*WHOLE, *EVEN]
  found, devices = decide(*WHOLE.values(), *EVEN.values())
  return dict(zip(names, found, strict=True)), devices


@pytest.mark.parametrize('name', EVEN)
def test_even_batches_are_halved(decided, name):
  count, flags = decided[0][name]
  assert count == 2
  # A suspended run must not be ended by XLA when it wakes up.
  assert 'xla_cpu_collective_call_terminate_timeout_seconds=1000000' in flags
  assert 'xla_cpu_collective_call_warn_stuck_timeout_seconds=1000000' in flags
  assert flags.count('--') == 2 and DEVICES not in flags


def test_jax_makes_two_devices_and_knows_the_flags(decided):
  assert decided[1] == 2


@pytest.mark.parametrize('name', WHOLE)
def test_what_halving_would_change_stays_whole(decided, name):
  count, flags = decided[0][name]
  assert count == -1 and DEVICES not in flags


def test_one_device_for_odd_batches():
  assert decide(WHOLE['odd batch'])[1] == 1


def test_the_user_s_number_of_devices_stays():
  flags = f'--{DEVICES}=4'
  found, devices = decide(EVEN['taught'], XLA_FLAGS=flags)
  ((count, now),) = found
  assert count == -1 and devices == 4
  # Not those of ours alone are patient with a suspended process.
  assert now.startswith(flags) and 'terminate_timeout' in now


def test_jax_s_own_variable_stays():
  found, devices = decide(EVEN['taught'], JAX_NUM_CPU_DEVICES='3')
  assert found[0][0] == devices == 3


def test_the_user_s_patience_stays():
  flags = '--xla_cpu_collective_call_terminate_timeout_seconds=60'
  ((_, now),), _ = decide(EVEN['taught'], XLA_FLAGS=flags)
  assert now == flags


def test_other_flags_of_the_user_are_kept():
  flags = '--xla_cpu_enable_fast_math=false'
  ((count, now),), devices = decide(EVEN['taught'], XLA_FLAGS=flags)
  assert count == devices == 2 and now.startswith(f'{flags} --')

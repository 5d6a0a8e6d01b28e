"""Everything that knows about devices and hosts.

A one-dimensional mesh with the axis `data`: state and data set are replicated,
batches are split. `jax.jit` over arrays placed like this is what `pjit` was;
`pmap` is in maintenance and not used.
"""

import os
import resource
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

AXIS = 'data'
# XLA ends a process whose two halves wait for each other for 40 seconds, which
# a suspended process (Ctrl-Z, a closed laptop) does without being stuck.
PATIENCE = ''.join(
  f' --xla_cpu_collective_{name}_timeout_seconds=1000000'
  for name in ('call_warn_stuck', 'call_terminate')
)


def split_cpu(configs):
  """Makes two devices of a CPU; call it before jax has any.

  Two halves of a batch at once leave fewer cores waiting than one whole batch,
  see docs/scaling.md. Results differ by rounding, so the number does not depend
  on the machine. Nothing happens where halves would be something else
  (`bn='per_device'`, odd batches), or where the user has set a number.

  Args:
    configs: of all rows and teachers.
  """
  flags = os.environ.get('XLA_FLAGS', '')
  if 'xla_cpu_collective' not in flags:
    os.environ['XLA_FLAGS'] = flags + PATIENCE
  chosen = 'xla_force_host_platform_device_count' in flags
  if chosen or jax.config.jax_num_cpu_devices != -1:
    return
  if all(
    c.bn != 'per_device' and c.batch_size % 2 == c.eval_batch_size % 2 == 0
    for c in configs
  ):
    jax.config.update('jax_num_cpu_devices', 2)


def for_one_run(mesh):
  """XLA's options for a program that runs once, such as initialisers.

  A random generator for every parameter takes a CPU's compiler seconds to
  optimise; with these it takes a third, for the same numbers and as fast. Where
  the user has set a level, it stays.
  """
  chosen = 'xla_backend_optimization_level' in os.environ.get('XLA_FLAGS', '')
  if mesh.devices.flat[0].platform != 'cpu' or chosen:
    return {}
  return {
    'xla_backend_optimization_level': 1,
    'xla_llvm_disable_expensive_passes': True,
  }


def data_mesh(devices=None):
  """A mesh over `devices`, by default all there are.

  Host after host, which `jax.make_mesh` does not promise: each host's part of a
  batch lies where its number says.
  """
  devices = jax.devices() if devices is None else devices
  devices = sorted(devices, key=lambda d: (d.process_index, d.id))
  return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def replicated(mesh):
  return NamedSharding(mesh, P())


def split(mesh):
  return NamedSharding(mesh, P(AXIS))


def check_batch(name, size, mesh):
  """Raises ValueError unless the devices can share a batch of `size`."""
  if size % mesh.size:
    near = max(size // mesh.size, 1) * mesh.size
    raise ValueError(
      f'{name}={size} cannot be shared by {mesh.size} devices: use a multiple '
      f'of {mesh.size}, say {near}.'
    )


def put(tree, sharding):
  """Host arrays, the same on every host, onto the devices."""

  def place(array):
    array = np.asarray(array)
    return jax.make_array_from_callback(
      array.shape, sharding, lambda index: array[index]
    )

  with jax.transfer_guard('allow'):  # this is the explicit way
    return jax.tree.map(place, tree)


def put_shares(tree, sharding):
  """This host's shares of arrays that all hosts put together."""
  with jax.transfer_guard('allow'):
    return jax.tree.map(
      lambda share: jax.make_array_from_process_local_data(sharding, share),
      tree,
    )


def several_hosts():
  return jax.process_count() > 1


def largest(*numbers):
  """The largest of each of the hosts' ints: all must stop at the same step."""
  if not several_hosts():
    return tuple(map(int, numbers))
  found = multihost_utils.process_allgather(np.array(numbers, np.int32))
  return tuple(np.max(found.reshape(-1, len(numbers)), axis=0).tolist())


def is_first_host():
  return jax.process_index() == 0


def wait_for_all(name):
  """Hosts wait for each other here."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(name)


def peak_memory_mb():
  """Peak so far, of the fullest device here, or on a CPU of this process."""
  stats = [device.memory_stats() or {} for device in jax.local_devices()]
  peaks = [s['peak_bytes_in_use'] for s in stats if 'peak_bytes_in_use' in s]
  if peaks:
    return round(max(peaks) / 2**20, 1)
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return round(peak / (2**20 if sys.platform == 'darwin' else 2**10), 1)


def describe_devices():
  """'cpu', 'cpu in 2 parts', '4 x NVIDIA H200 (2 hosts)'."""
  kind, count = jax.devices()[0].device_kind, jax.device_count()
  hosts = jax.process_count()
  text = f'{count} x {kind}'
  if jax.devices()[0].platform == 'cpu':  # its devices are shares of one
    text = f'{kind} in {count} parts' if count > 1 else kind
  return text if hosts == 1 else f'{text} ({hosts} hosts)'

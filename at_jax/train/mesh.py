"""Everything that knows about devices and hosts.

A one-dimensional mesh with the axis `data`: state and data set are replicated,
batches are split. `jax.jit` over arrays placed like this is what `pjit` was;
`pmap` is in maintenance and not used.
"""

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

AXIS = 'data'


def data_mesh(devices=None):
  """A mesh over `devices`, by default all there are."""
  devices = jax.devices() if devices is None else devices
  return jax.make_mesh(
    (len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices
  )


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


def largest(number):
  """The largest of the hosts' numbers: all must stop at the same step."""
  if jax.process_count() == 1:
    return int(number)
  numbers = multihost_utils.process_allgather(np.array([number], np.int32))
  return int(np.max(numbers))


def is_first_host():
  return jax.process_index() == 0


def wait_for_all(name):
  """Hosts wait for each other here."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(name)


def describe_devices():
  """'1 x cpu', '4 x NVIDIA H200 (2 hosts)'."""
  kind = jax.devices()[0].device_kind
  hosts = jax.process_count()
  text = f'{jax.device_count()} x {kind}'
  return text if hosts == 1 else f'{text} ({hosts} hosts)'

"""State dicts, {name: array}, as our variables, and back."""

from typing import Any, NamedTuple

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

# Their axes in our order: OI to IO, OIHW to HWIO.
AXES = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}
COUNTER = 'num_batches_tracked'


class Slot(NamedTuple):
  """One array, here and there.

  Attributes:
    path: of our leaf, such as `('params', 'head', 'kernel')`.
    name: of their tensor.
    shape: of their tensor.
    orders: of the channels that go in and that come out, as `Layout.orders_of`.
  """

  path: tuple[str, ...]
  name: str
  shape: tuple[int, ...]
  orders: tuple[Any, Any]


def find_slots(layout, shapes):
  """The `Slot` of every variable.

  Args:
    layout: a `Layout`.
    shapes: {'params': ..., 'batch_stats': ...}; arrays, or their shapes.
  """
  found = []
  for path, leaf in flatten_dict(shapes).items():
    layer, kind = '/'.join(path[1:-1]), path[-1]
    axes = AXES[len(leaf.shape)]
    name = layout.name_of(layer, kind, is_conv=len(axes) == 4)
    shape = tuple(leaf.shape[axis] for axis in np.argsort(axes))
    found.append(Slot(path, name, shape, layout.orders_of(layer)))
  return found


def one_network(state, prefix=''):
  """The tensors of one network, under the names that its own code gave them.

  Args:
    state: {name: array}. What all names begin with, `module.` (data-parallel
      training), `student.` or `teacher.`, is taken off.
    prefix: 'student' takes those names alone that begin with `student.`.

  Raises:
    ValueError: two networks and no prefix, or a prefix that no name has.
  """
  state = _inside(state, 'module')
  tops = {name.partition('.')[0] for name in state}
  if prefix:
    prefix = prefix.removesuffix('.')
    state = {k: v for k, v in state.items() if k.startswith(f'{prefix}.')}
    if not state:
      raise ValueError(
        f'No name begins with {prefix}. (they begin with '
        f'{", ".join(sorted(tops))}): choose another --prefix, or none.'
      )
    return _inside(state, prefix)
  if {'student', 'teacher'} <= tops:
    raise ValueError(
      'It holds two networks, student and teacher. Say which one: '
      '--prefix=student or --prefix=teacher.'
    )
  return _inside(_inside(state, 'student'), 'teacher')


def find_sizes(layout, state):
  """(channels of the images, number of classes), by first and last layer.

  3 and 1 where those layers are missing, which `from_torch` reports.
  """
  first = layout.name_of(layout.first, 'kernel', is_conv=True)
  last = layout.name_of('head', 'kernel', is_conv=False)
  one, other = (np.shape(state.get(name, ())) for name in (first, last))
  return one[1] if len(one) == 4 else 3, other[0] if len(other) == 2 else 1


def from_torch(state, slots):
  """Variables, float32, of a state dict.

  Args:
    state: {name: array of floats}.
    slots: of the network, by `find_slots`.

  Returns:
    {'params': ..., 'batch_stats': ...}.

  Raises:
    ValueError: tensors are missing, left over, or of another shape or type; all
      of them are named. Batch norm's counters are known, and dropped.
  """
  names = {slot.name for slot in slots}
  counters = {name.replace('running_var', COUNTER) for name in names}
  problems = {
    'missing': sorted(names - state.keys()),
    'unexpected': sorted(state.keys() - names - counters),
    'not as wanted': [
      f'{slot.name} is {state[slot.name].dtype} {state[slot.name].shape}, '
      f'wanted floats {slot.shape}'
      for slot in slots
      if slot.name in state and not _fits(state[slot.name], slot)
    ],
  }
  if any(problems.values()):
    lines = [
      f'  {len(found)} {what}: {", ".join(found)}'
      for what, found in problems.items()
      if found
    ]
    raise ValueError(
      'its tensors are those of another network.\n'
      + '\n'.join(lines)
      + '\nSay which network it is, or give its tensors the names that are '
      'known; docs/convert.md has them.'
    )
  leaves = {}
  for slot in slots:
    array = np.transpose(state[slot.name], AXES[len(slot.shape)])
    leaves[slot.path] = _ordered(array.astype(np.float32), *slot.orders)
  return unflatten_dict(leaves)


def to_torch(variables, slots):
  """The state dict, {name: float32 array}, of variables."""
  leaves, state = flatten_dict(variables), {}
  for slot in slots:
    back = (None if x is None else np.argsort(x) for x in slot.orders)
    array = _ordered(leaves[slot.path], *back)
    array = np.transpose(array, np.argsort(AXES[array.ndim]))
    state[slot.name] = np.ascontiguousarray(array)
  return state


def _inside(state, prefix):
  """Names without `prefix.`, where all of them have it."""
  start = len(prefix) + 1
  if not all(name.startswith(f'{prefix}.') for name in state):
    return state
  return {name[start:]: value for name, value in state.items()}


def _fits(array, slot):
  floats = jax.dtypes.issubdtype(array.dtype, np.floating)
  return floats and array.shape == slot.shape


def _ordered(array, inputs, outputs):
  """Channels in another order; inputs are on the last axis but one."""
  if inputs is not None and array.ndim > 1:
    array = array.take(inputs, axis=-2)
  if outputs is not None:
    array = array.take(outputs, axis=-1)
  return np.ascontiguousarray(array)

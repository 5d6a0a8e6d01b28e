"""Linen's variables in the plain PyTorch networks of `benchmarks`."""

import re

import jax
import numpy as np
import pytest

torch = pytest.importorskip('torch')
from benchmarks import (  # noqa: E402 (imports torch)
  torch_nin,
  torch_ran,
  torch_wrn,
)


def wrn_path(group, block):
  return f'groups.{int(group) - 1}.{int(block) - 1}'


def nin_path(group, layer):
  return f'groups.{int(group) - 1}.{2 * int(layer)}'


def ran_path(group, kind, number):
  """After the unit that widens come the modules, one in three stages."""
  place = {'wider': 0, 'module': 1, 'unit': 2 if int(group) < 4 else 1}[kind]
  return f'groups.{int(group) - 1}.{place + int(number or 1) - 1}'


def counted(name, number):
  return f'{name}.{int(number) - 1}'


# Of a path with dots: what is replaced, by what.
RENAMED = {
  torch_wrn.WRN: [(r'group(\d)_block(\d+)', wrn_path)],
  torch_nin.NIN: [(r'group(\d)_conv(\d)', nin_path)],
  torch_ran.RAN: [
    (r'^(conv|bn)0', lambda kind: f'stem.{"conv bn".split().index(kind)}'),
    (r'group(\d)_(wider|module|unit)(\d*)', ran_path),
    (r'(before|after)_unit1', lambda name: name),
    (r'(trunk|bottom)_unit(\d)', counted),
    (r'(down|skip|up)(\d)_unit1', counted),
    (r'mask\.bn(\d)', lambda number: f'mask.head.{3 * int(number)}'),
    (r'mask\.conv(\d)', lambda number: f'mask.head.{3 * int(number) + 2}'),
  ],
}


def to_torch(network, path, array):
  """(PyTorch's name, its value) of a leaf of Linen's variables."""
  *modules, leaf = [key.key for key in path]
  name = '.'.join(modules)
  for pattern, new in RENAMED[network]:
    name = re.sub(pattern, lambda found, new=new: new(*found.groups()), name)
  names = {'mean': 'running_mean', 'var': 'running_var', 'bias': 'bias'}
  array = np.array(array)
  if leaf == 'kernel':
    array = array.transpose((3, 2, 0, 1) if array.ndim == 4 else (1, 0))
  return f'{name}.{names.get(leaf, "weight")}', torch.tensor(array)


def state_dict(network, variables):
  """Linen's `params` and `batch_stats` as a PyTorch state dict.

  Args:
    network: a class of `RENAMED`.
    variables: Linen's.
  """
  return dict(
    to_torch(network, path, leaf)
    for part in ('params', 'batch_stats')
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables[part])
  )


def load(model, variables):
  """Copies weights; every parameter and statistic must be there."""
  counters = {
    name: value
    for name, value in model.state_dict().items()
    if name.endswith('num_batches_tracked')
  }
  model.load_state_dict(state_dict(type(model), variables) | counters)
  return model


def nchw(pixels):
  return torch.tensor(np.array(pixels)).permute(0, 3, 1, 2)


def assert_close(got, want, tolerance):
  """Relative to the largest entry: sums of floats are in another order."""
  got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
  assert got.shape == want.shape
  bound = tolerance * np.max(np.abs(want))
  np.testing.assert_allclose(got, want, rtol=0, atol=bound)

"""Files of PyTorch weights: pickles (.pth, .pt, .th, ...) and safetensors."""

import pathlib
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from at_jax.train.checkpoint import write_error

SAFE = '.safetensors'
WRITTEN = ('.pth', '.pt', '.th', SAFE)
WRAPPERS = ('state_dict', 'model', 'params')


def read_state(path):
  """The tensors of a file.

  Args:
    path: of a state dict, alone or under one of the keys `WRAPPERS`. What does
      not end in .safetensors is read as a pickle, whose code is not run.

  Returns:
    {name: array of the type that it has in the file}.

  Raises:
    ImportError: the package that reads it is not there.
    OSError, ValueError: it is not there, or is something else.
  """
  path = pathlib.Path(path).expanduser()
  if path.is_dir():
    raise ValueError(
      f'{path} is a folder: a file of PyTorch weights is wanted. To write a '
      'weights folder as such a file, add --to-torch.'
    )
  if not path.exists():
    raise FileNotFoundError(f'There is no file {path}.')
  if path.suffix == SAFE:
    return _read_safetensors(path)
  return _read_pickle(path)


def write_state(path, state):
  """Writes a state dict whole or not at all, as its name ends.

  Args:
    path: ends in one of `WRITTEN`.
    state: {name: array}.

  Raises:
    ImportError: the package that writes it is not there.
    OSError: the disk is full or not writable.
  """
  path = pathlib.Path(path).expanduser()
  if path.suffix == SAFE:
    save = _safetensors(path).save_file
  else:
    torch = _torch(path)

    def save(state, part):
      torch.save({k: torch.from_numpy(v) for k, v in state.items()}, part)

  part = path.with_name(path.name + '.part')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(state, part)
    part.replace(path)
  except Exception as error:
    if part.is_file():
      part.unlink()
    raise write_error(path, error, 'Nothing was overwritten') from error


def _read_safetensors(path):
  safetensors = _safetensors(path)
  try:
    return safetensors.load_file(path)
  except Exception as error:  # it has an exception of its own
    raise ValueError(
      f'{path} cannot be read as safetensors ({error}): copy it again from '
      'where it came.'
    ) from error


def _read_pickle(path):
  torch = _torch(path)
  try:
    found = torch.load(path, map_location='cpu', weights_only=True)
  except Exception as error:  # of many types, by what is wrong
    raise ValueError(
      f'{path} cannot be read as plain tensors ({_reason(error)}). It is '
      'damaged, or it holds Python objects, and loading those can run any '
      'code. If you trust who made it, take the tensors out where its own code '
      "is installed: torch.save(torch.load('OLD', weights_only=False)"
      "['state_dict'], 'NEW.pth'); where it holds the network itself, "
      ".state_dict() instead of ['state_dict']."
    ) from error
  tensors = _unwrapped(found)
  if not any(torch.is_tensor(value) for value in tensors.values()):
    kind = f'keys: {", ".join(map(str, tensors))}' if tensors else 'nothing'
    raise ValueError(
      f'{path} has no tensors, alone or under {", ".join(WRAPPERS)}; it has '
      f"{kind}. Save its state dict alone: torch.save(torch.load('OLD')"
      "['KEY'], 'NEW.pth')."
    )
  return {str(k): _array(v, torch) for k, v in tensors.items()}


def _unwrapped(found):
  """The dict with the tensors; {} where there is no dict at all."""
  if not isinstance(found, Mapping):
    return {}
  inner = [found[key] for key in WRAPPERS if key in found]
  return next((x for x in inner if isinstance(x, Mapping)), found)


def _array(value, torch):
  """A NumPy array; what is no tensor gets a type that fits nowhere."""
  if not torch.is_tensor(value):
    return np.empty((), object)
  value = value.detach()
  if value.dtype == torch.bfloat16:  # NumPy's own types lack it
    return value.view(torch.int16).numpy().view(jnp.bfloat16)
  return value.numpy()


def _reason(error):
  """The line of PyTorch's long text that says what was refused."""
  lines = str(error).strip().splitlines() or [type(error).__name__]
  telling = [line for line in lines if 'WeightsUnpickler error' in line]
  return (telling or lines)[0].partition(' Please use')[0].strip()[:200]


def _torch(path):
  try:
    import torch
  except ImportError as error:
    raise ImportError(
      f'{path} is read and written by PyTorch, which is not installed: '
      'pip install torch. Or use a .safetensors file: pip install safetensors, '
      'which is small.'
    ) from error
  return torch


def _safetensors(path):
  try:
    from safetensors import numpy
  except ImportError as error:
    raise ImportError(
      f'{path} is read and written by the package safetensors, which is not '
      'installed: pip install safetensors. It needs no PyTorch.'
    ) from error
  return numpy

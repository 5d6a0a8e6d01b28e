"""A weights folder: a trained network that any command can read.

`arrays/` (Orbax: params, batch_stats, normalisation) and `model.json`: name,
arguments, input size, class names, whether several of them may be right at
once, digest of the arrays.
"""

import dataclasses
import pathlib
import shutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from at_jax.data.dataset import nested
from at_jax.models import create_model
from at_jax.objectives.network import Network
from at_jax.train.checkpoint import (
  read_json,
  tree_digest,
  write_error,
  write_json,
)
from at_jax.train.mesh import is_first_host, wait_for_all

FIELDS = (
  'model',
  'label',
  'input_shape',
  'class_names',
  'normalisation_shape',
  'digest',
)


@dataclasses.dataclass(frozen=True)
class Weights:
  """A network with its variables, on the host, and its classes.

  With `multi_label` a probability is the sigmoid of one logit, not a softmax.
  """

  network: Network
  variables: dict[str, Any]
  class_names: tuple[str, ...]
  digest: str
  multi_label: bool = False


def save_weights(
  folder, *, network, model, variables, class_names, multi_label=False
):
  """Writes a weights folder, whole or not at all.

  Args:
    folder: where.
    network: the `Network`.
    model: {'name': ..., **arguments of `create_model`}, without dtype.
    variables: {'params': ..., 'batch_stats': ...}.
    class_names: as many as the model has classes.
    multi_label: whether an image may show several of them, or none.
  """
  folder = pathlib.Path(folder).absolute()
  part = folder.with_name(folder.name + '.part')
  if is_first_host():
    shutil.rmtree(part, ignore_errors=True)
  wait_for_all('weights begin')
  arrays = _arrays(variables, network.mean, network.std)
  try:
    with ocp.StandardCheckpointer() as checkpointer:
      checkpointer.save(part / 'arrays', arrays)
  except Exception as error:
    raise write_error(
      f'The weights in {folder}', error, 'Every checkpoint is untouched'
    ) from error
  if is_first_host():
    write_json(
      part / 'model.json',
      describe(network, arrays, model, class_names, multi_label)
      | {
        'normalisation_shape': list(arrays['normalisation']['mean'].shape),
        'std_shape': list(arrays['normalisation']['std'].shape),
      },
    )
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)
  wait_for_all('weights end')


def describe(network, arrays, model, class_names, multi_label):
  """What `model.json` says of arrays, and `network_of` reads; for JSON."""
  return {
    'model': dict(model),
    'label': network.label,
    'input_shape': list(network.input_shape),
    'class_names': list(class_names),
    'multi_label': multi_label,
    'digest': tree_digest(arrays),
  }


def network_of(about, dtype='float32', mean=(0.0,), std=(1.0,)):
  """The `Network` that `describe` described."""
  model = create_model(**about['model'], dtype=jnp.dtype(dtype))
  shape = tuple(about['input_shape'])
  return Network(model, mean, std, shape, about['label'])


def template_of(network):
  """Variables of a network, all 0: what Orbax reads others into."""
  return jax.tree.map(
    lambda x: np.zeros(x.shape, x.dtype), network.variable_shapes
  )


def load_weights(folder, *, dtype='float32'):
  """Reads a weights folder.

  Args:
    folder: as `save_weights` wrote it.
    dtype: of the network's activations.

  Raises:
    FileNotFoundError: there is none; what was looked for is named.
    ValueError: its arrays are damaged or do not fit its model.
  """
  folder = pathlib.Path(folder).expanduser().absolute()
  about = read_json(folder / 'model.json')
  if about is None:
    raise FileNotFoundError(
      f'No weights folder at {folder}: it would hold model.json and arrays/. '
      'Every finished run writes one, <workdir>/<row>/seed<k>/weights, and '
      'python -m at_jax.convert makes one of a PyTorch file.'
    )
  missing = [key for key in FIELDS if key not in about]
  if missing:
    raise ValueError(
      f'{folder / "model.json"} lacks {", ".join(missing)}: it is damaged, or '
      'of another version of at_jax. Train the weights again.'
    )
  network = network_of(about, dtype)
  template = template_of(network)
  shape = about['normalisation_shape']  # before 0.4 that of both
  norm = map(np.zeros, (shape, about.get('std_shape', shape)))
  template = _arrays(template, *norm)
  try:
    with ocp.StandardCheckpointer() as checkpointer:
      arrays = checkpointer.restore(folder / 'arrays', template)
    arrays = jax.tree.map(np.asarray, arrays)
    whole = tree_digest(arrays) == about['digest']
  except Exception as error:
    raise ValueError(
      f'The weights in {folder} cannot be read ({str(error)[:300]}). Train '
      'them again, or copy the folder again from where it came.'
    ) from error
  if not whole:
    raise ValueError(
      f'The weights in {folder} are damaged: their digest is not the one in '
      'model.json. Train them again, or copy the folder again.'
    )
  norm = arrays.pop('normalisation').items()
  norm = {name: nested(value.tolist()) for name, value in norm}
  network = dataclasses.replace(network, **norm)
  return Weights(
    network,
    arrays,
    tuple(about['class_names']),
    about['digest'],
    about.get('multi_label', False),  # absent before 0.4
  )


def _arrays(variables, mean, std):
  """What `arrays/` holds; mean and std broadcast to [H, W, C]."""
  norm = {'mean': mean, 'std': std}
  norm = {name: np.asarray(value, np.float64) for name, value in norm.items()}
  return {**variables, 'normalisation': norm}

"""The network of a run that is not finished, from its newest checkpoint."""

import dataclasses
import pathlib

import jax
import numpy as np
import orbax.checkpoint as ocp

from at_jax.data.dataset import nested
from at_jax.train.bench import model_arguments
from at_jax.train.checkpoint import tree_digest
from at_jax.train.program import student_variables
from at_jax.train.weights import Weights, describe, network_of, template_of


def describe_student(program, state):
  """What a checkpoint says of its student, so that it can be read alone."""
  network, dataset = program.network, program.bench.dataset
  model = model_arguments(program.config, dataset)
  norm = {'mean': network.mean, 'std': network.std}
  return {
    **describe(
      network,
      student_variables(state),
      model,
      dataset.class_names,
      dataset.multi_label,
    ),
    **{name: np.asarray(x, np.float64).tolist() for name, x in norm.items()},
  }


def load_unfinished(folder):
  """Reads the student of the newest checkpoint, also while training goes on.

  Args:
    folder: `<workdir>/<row>/seed<k>/checkpoints`.

  Returns:
    `Weights`; the network's label says which step they are of.

  Raises:
    FileNotFoundError: there is no checkpoint yet.
    ValueError: it is damaged, or of another version of at_jax.
  """
  folder = pathlib.Path(folder).absolute()
  steps = [int(p.name) for p in folder.glob('*') if p.name.isdecimal()]
  if not steps:
    raise FileNotFoundError(
      f'{folder} has no checkpoint yet: the first is written after '
      'config.checkpoint_seconds, or when training is stopped by Ctrl-C.'
    )
  newest = folder / str(max(steps))
  try:
    with ocp.Checkpointer(ocp.JsonCheckpointHandler()) as checkpointer:
      about = checkpointer.restore(newest / 'meta')['meta'].get('student')
    found = about and _read(newest / 'state', about)
  except Exception as error:
    raise ValueError(
      f'{newest} cannot be read ({str(error)[:300]}). Where it is damaged, the '
      'training command sets it aside and goes on from the one before it.'
    ) from error
  if not about:
    raise ValueError(
      f'{newest} does not say which network it holds: a version of at_jax '
      'before 0.4 wrote it. Run the training command to go on.'
    )
  network, variables = found
  label = f'{network.label}, unfinished, step {newest.name}'
  return Weights(
    dataclasses.replace(network, label=label),
    variables,
    tuple(about['class_names']),
    about['digest'],
    about['multi_label'],
  )


def _read(folder, about):
  """(network, variables) of a checkpoint; the rest of it is not read."""
  norm = {name: nested(about[name]) for name in ('mean', 'std')}
  network = network_of(about, **norm)
  template = template_of(network)
  template['params'] = {'student': template['params']}
  args = ocp.args.PyTreeRestore(
    template,
    restore_args=jax.tree.map(
      lambda _: ocp.RestoreArgs(restore_type=np.ndarray), template
    ),
    partial_restore=True,
  )
  with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
    state = checkpointer.restore(folder, args=args)
  variables = {**state, 'params': state['params']['student']}
  if tree_digest(variables) != about['digest']:
    raise ValueError('its arrays are not the ones that were saved')
  return network, variables

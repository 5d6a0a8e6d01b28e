"""What is left of a finished run: its result, weights and attention maps."""

import json
import math

import jax

from at_jax.train.bench import model_arguments
from at_jax.train.checkpoint import write_json
from at_jax.train.mesh import (
  describe_devices,
  is_first_host,
  peak_memory_mb,
  wait_for_all,
)
from at_jax.train.mistakes import save_mistakes
from at_jax.train.program import student_variables
from at_jax.train.snapshot import (
  save_classes,
  save_masks,
  save_snapshot,
  write_arrays,
)
from at_jax.train.versions import git_commit, versions
from at_jax.train.weights import save_weights


def finish(program, state, folder, about, evaluated):
  """Measures the last step on the full test set and writes everything.

  `result.json` comes last: where it is, the rest is too.

  Args:
    program: a `Program`.
    state: after the last step.
    folder: of the run.
    about: a dict for result.json, beside what is measured here.
    evaluated: {split: evaluation} of this state, as far as known.

  Returns:
    The result, as in result.json.

  Raises:
    FloatingPointError: the last step diverged.
    OSError: a file cannot be written.
  """
  variables, dataset = student_variables(state), program.bench.dataset
  splits = ['test'] + ['validation'] * (dataset.validation is not None)
  evaluated = {
    split: evaluated.get(split) or program.evaluate(state, split)
    for split in splits
  }
  evaluation, measured = evaluated['test'], {}
  for split, one in evaluated.items():
    measured |= one.as_dict(split)
  bad = [name for name, value in measured.items() if not math.isfinite(value)]
  if bad:
    raise FloatingPointError(
      f'{folder}: {", ".join(bad)} of the trained network not finite: it '
      'diverged in its last step. Lower config.optimizer.lr.'
    )
  save_snapshot(folder, 'after', program, variables)
  if evaluation.gates:
    save_masks(folder, program, variables)
  save_classes(folder, program, variables)
  save_weights(
    folder / 'weights',
    network=program.network,
    model=model_arguments(program.config, dataset),
    variables=variables,
    class_names=dataset.class_names,
    multi_label=dataset.multi_label,
  )
  for name, arrays in evaluation.kept(dataset.class_names).items():
    write_arrays(folder / name, arrays)
  if not dataset.multi_label:
    save_mistakes(folder, dataset, evaluation)
  result = {
    **about,
    **measured,
    **evaluation.result('test_', dataset.class_names),
    'data': dataset.source,
    'parameters': sum(x.size for x in jax.tree.leaves(variables['params'])),
    'peak_memory_mb': peak_memory_mb(),
    'commit': git_commit(),
    'versions': versions(),
    'devices': describe_devices(),
  }
  if is_first_host():
    write_json(folder / 'result.json', result)
  wait_for_all('result')
  return json.loads(json.dumps(result))

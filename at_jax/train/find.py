"""From the folder that a command is given to weights and their config."""

import pathlib

import ml_collections

from at_jax._arrays import unknown
from at_jax.train.checkpoint import read_json
from at_jax.train.config import row_config

WEIGHTS, CHECKPOINTS = 'weights', 'checkpoints'  # in the folder of a run


def find_weights(folder, row='', seed=0, *, unfinished=False):
  """(weights folder, workdir or None) for any of the three kinds of folder.

  With `unfinished` the folder of a run's checkpoints does, where there are no
  weights yet.
  """
  folder = pathlib.Path(folder)
  if (folder / 'model.json').exists():
    return folder, _workdir(folder)
  wanted = (WEIGHTS, CHECKPOINTS) if unfinished else (WEIGHTS,)
  for name in wanted:
    if (folder / name).exists():
      return folder / name, _workdir(folder / name)
  config = read_json(folder / 'config.json')
  if config is None:
    raise FileNotFoundError(
      f'{folder} is no workdir (config.json), no run in one (weights/) and no '
      'weights folder (model.json). Training makes all three: python train.py '
      '--workdir=DIR.'
    )
  rows = list(config['rows']) or ['main']
  if row and row not in rows:
    raise ValueError(unknown(f'row of {folder}', row, rows))
  run = folder / (row or rows[0]) / f'seed{seed}'
  for name in wanted:
    if (run / name).exists():
      return run / name, folder
  others = sorted(
    f'{path.parents[1].name}/{path.parent.name}'
    for path in folder.glob(f'*/*/{WEIGHTS}')
  )
  others = ', '.join(others) or 'none'
  if (run / 'result.json').exists():
    raise FileNotFoundError(
      f'{run} is finished, but its weights are not here. There are those of: '
      f'{others}. The command in about.json makes them anew, in another '
      '--workdir.'
    )
  raise FileNotFoundError(
    f'{run} has no {" and no ".join(wanted)} yet. There are weights of: '
    f'{others}. Run the training command (again) to go on, or choose another '
    '--row or --seed.'
  )


def _workdir(weights_folder):
  """Of `<workdir>/<row>/seed<k>/weights`; None where there is no config."""
  above = list(weights_folder.absolute().parents)[2:3]
  found = [path for path in above if (path / 'config.json').exists()]
  return found[0] if found else None


def config_of(weights_folder, workdir):
  """The config of the row that made the weights."""
  config = read_json(workdir / 'config.json')
  config = ml_collections.ConfigDict(
    config, allow_dotted_keys=True, sort_keys=False
  )
  return row_config(config, weights_folder.absolute().parents[1].name)

"""From the folder that a command is given to weights and their config."""

import pathlib

import ml_collections

from at_jax._arrays import unknown
from at_jax.train.checkpoint import read_json
from at_jax.train.config import row_config


def find_weights(folder, row='', seed=0):
  """(weights folder, workdir or None) for any of the three kinds of folder."""
  folder = pathlib.Path(folder)
  if (folder / 'model.json').exists():
    return folder, _workdir(folder)
  if (folder / 'weights').exists():
    return folder / 'weights', _workdir(folder / 'weights')
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
  if not (run / 'weights').exists():
    seeds = sorted(path.parent.name for path in run.parent.glob('*/weights'))
    raise FileNotFoundError(
      f'{run} has no weights: finished are {", ".join(seeds) or "none yet"}. '
      'Run the training command (again) to go on, or choose another --seed.'
    )
  return run / 'weights', folder


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

"""Measures trained weights on the test set and prints JSON.

python -m at_jax.evaluate --workdir=runs/wrn_at --row=main --seed=0
python -m at_jax.evaluate --workdir=runs/wrn_at/main/seed0
python -m at_jax.evaluate --workdir=FOLDER --data=cifar10 --data_dir=DIR
"""

import argparse
import json
import pathlib
import sys

from at_jax._arrays import unknown
from at_jax.data import RESIZABLE, STREAMED, load_dataset
from at_jax.train.evaluation import Evaluator
from at_jax.train.find import config_of, find_weights
from at_jax.train.mesh import data_mesh
from at_jax.train.weights import load_weights


def evaluate(
  folder,
  *,
  row='',
  seed=0,
  data='',
  data_dir='',
  batch_size=0,
  split='test',
  mesh=None,
  **changes,
):
  """Evaluates what a workdir, a seed's folder or a weights folder holds.

  Args:
    folder: any of the three.
    row: of a workdir; '' is its first.
    seed: of a workdir.
    data: name of a data set; '' takes the workdir's.
    data_dir: where its files are; '' takes the workdir's.
    batch_size: changes the speed only; 0 takes the workdir's, else 100.
    split: 'test', or 'validation' where the workdir has one.
    mesh: devices, by default all.
    **changes: fields of `at_jax.data.Settings` to use in place of the
      workdir's: to_box, test_split, skip_damaged, workers, and of streamed
      images size and resize, where the network takes any size.

  Returns:
    A dict: errors in percent (of many classes the top-5 error, too; of each
    class), loss, where the network looks if boxes are annotated, number of
    images, and what was measured. Of data with several labels an image AUROC
    and average precision in percent, their means, and the interval of the mean
    AUROC by `bootstrap`.
  """
  folder = pathlib.Path(folder).expanduser()
  weights_folder, workdir = find_weights(folder, row, seed)
  config = config_of(weights_folder, workdir) if workdir else None
  if not (config or data):
    raise ValueError(
      f'{folder} is a weights folder without a workdir around it: say which '
      'data, --data=cifar10 (and --data_dir=...).'
    )
  dtype = config.dtype if config else 'float32'
  weights = load_weights(weights_folder, dtype=dtype)
  if config:
    settings = config.data.to_dict()
  else:
    settings = _settings(data, weights.network)
  if data:
    settings |= {'name': data}
  if data_dir:
    settings |= {'dir': data_dir}
  kind = settings['name'].partition(':')[0]
  if changes.get('size') and kind not in STREAMED:
    raise ValueError(
      f'size={changes["size"]} is for streamed images ({", ".join(STREAMED)}); '
      f'those of {kind} are in memory and are measured as they were trained on.'
    )
  dataset = load_dataset(settings | changes)
  if dataset.splits.get(split) is None:
    raise ValueError(unknown('split', split, dataset.splits))
  examples = dataset.splits[split]
  compared = slice(2 if changes.get('size') else 0, None)  # or channels alone
  wanted = weights.network.input_shape[compared]
  if examples.image_shape[compared] != wanted:
    raise ValueError(
      f'The weights in {weights_folder} take images of '
      f'{weights.network.input_shape}, {dataset.name} has '
      f'{examples.image_shape}.'
    )
  if len(weights.class_names) != len(dataset.class_names):
    raise ValueError(
      f'The weights in {weights_folder} know {len(weights.class_names)} '
      f'classes, {dataset.name} has {len(dataset.class_names)}.'
    )
  measured = Evaluator(
    weights.network,
    examples,
    batch_size=batch_size or (config.eval_batch_size if config else 100),
    mesh=mesh or data_mesh(),
    precision=config.precision if config else 'default',
  )(weights.variables)
  found = {
    'weights': str(weights_folder),
    'digest': weights.digest,
    'data': dataset.source,
    'split': split,
    'images': len(examples),
    **measured.numbers(),
    **measured.result('', dataset.class_names),
  }
  return {name: value for name, value in found.items() if value != {}}


def _settings(name, network):
  height, _, channels = network.input_shape
  kind = name.partition(':')[0]
  if kind == 'digits':
    return {'name': name, 'size': height, 'channels': channels}
  return {'name': name, 'size': height if kind in RESIZABLE else 0}


def main(argv=None):
  parser = argparse.ArgumentParser(
    prog='python -m at_jax.evaluate',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--workdir', required=True, help='or a weights folder')
  parser.add_argument('--row', default='', help='default: the first')
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--data', default='', help="default: the workdir's")
  parser.add_argument('--data_dir', default='', help='where its files are')
  parser.add_argument('--batch_size', type=int, default=0)
  parser.add_argument(
    '--split',
    default='test',
    help='test, train, or validation where the workdir has one',
  )
  parser.add_argument(
    '--unboxed',
    action='store_const',
    const=False,
    dest='to_box',
    help='look at whole images where training looked at annotated boxes only',
  )
  parser.add_argument('--test_split', help='which split the test set is')
  parser.add_argument(
    '--size', type=int, help='of streamed images; default: as in training'
  )
  parser.add_argument(
    '--resize', type=int, help='their shorter side before the central crop'
  )
  parser.add_argument('--workers', type=int, help='processes that decode')
  parser.add_argument(
    '--skip_damaged',
    action='store_const',
    const=True,
    help='leave damaged images out',
  )
  args = vars(parser.parse_args(argv))
  args = {name: value for name, value in args.items() if value is not None}
  try:
    result = evaluate(args.pop('workdir'), **args)
  except (ValueError, OSError) as error:
    sys.exit(f'{type(error).__name__}: {error}')
  print(json.dumps(result, indent=2))


if __name__ == '__main__':
  main()

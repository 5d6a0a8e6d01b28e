"""The command `python -m at_jax.visualize`."""

import argparse
import inspect
import pathlib
import sys

from at_jax import visualize as about
from at_jax.pictures.masks import SCALES
from at_jax.pictures.text import markdown
from at_jax.train.find import config_of, find_weights
from at_jax.train.weights import load_weights
from at_jax.visualize.gates import show_gates
from at_jax.visualize.images import photos, test_images
from at_jax.visualize.masks import show_masks
from at_jax.visualize.samples import show_samples

# Each takes weights, images, a folder and, by name, flags of `OWN`; it returns
# the cells of the table that the command ends with.
WHAT = {'masks': show_masks, 'samples': show_samples, 'gates': show_gates}
OWN = ('channels', 'modules', 'scale', 'classes', 'places')


def main(argv=None):
  parser = argparse.ArgumentParser(
    prog='python -m at_jax.visualize',
    description=about.__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add('--workdir', required=True, help='or a weights folder')
  add('--row', default='', help='default: the first')
  add('--seed', type=int, default=0)
  add('--what', default='masks', choices=WHAT)
  add('--images', nargs='+', help="files or patterns; default: the workdir's")
  add('--count', type=int, default=4, help='test images, of as many classes')
  add('--data_dir', default='', help="where the workdir's data are")
  add(
    '--size',
    type=int,
    default=0,
    help='of photos: their shorter side; 0: as trained',
  )
  add('--channels', help='top3, a number; of masks also mean, max')
  add('--modules', help='of masks: patterns like group2/*; default: all')
  add('--scale', choices=SCALES, help='of masks; default: own')
  add('--classes', help='of gates: top3, present, names, numbers')
  add('--places', help='of gates: patterns like group2; default: all')
  add('--out', help='a folder; default: <run>/visualize')
  flags = parser.parse_args(argv)
  try:
    print(visualize(flags))
  except (ValueError, OSError) as error:
    sys.exit(f'{type(error).__name__}: {error}')


def visualize(flags):
  """Runs the command; returns the table that it ends with."""
  _check(flags)
  own = _own(flags)
  folder = pathlib.Path(flags.workdir).expanduser()
  weights_folder, workdir = find_weights(folder, flags.row, flags.seed)
  weights = load_weights(weights_folder)
  if flags.images:
    images = photos(flags.images, weights.network, flags.size)
  elif workdir:
    config = config_of(weights_folder, workdir)
    images = test_images(config, flags.count, flags.data_dir)
  else:
    raise ValueError(
      f'{folder} is a weights folder without a workdir around it: say which '
      "--images='photos/*.jpg'."
    )
  out = flags.out or weights_folder.parent / 'visualize'
  return '\n' + markdown(WHAT[flags.what](weights, images, out, **own))


def _check(flags):
  """Raises ValueError for flags that would be ignored."""
  if flags.count < 1 or flags.size < 0:
    raise ValueError('--count is 1 or more, --size 0 or more.')
  if flags.size and not flags.images:
    raise ValueError('--size is for photos: say which, --images.')
  if flags.data_dir and flags.images:
    raise ValueError("--data_dir is for the workdir's data, not for --images.")


def _own(flags):
  """The flags of `OWN` that were given; ValueError for one that is ignored."""
  given = {name: getattr(flags, name) for name in OWN}
  given = {name: value for name, value in given.items() if value is not None}
  takers = {
    name: [
      what
      for what, show in WHAT.items()
      if name in inspect.signature(show).parameters
    ]
    for name in given
  }
  for name, those in takers.items():
    if flags.what not in those:
      raise ValueError(
        f'--{name} is for --what={" or ".join(those)}, not for {flags.what}.'
      )
  return given


if __name__ == '__main__':
  main()

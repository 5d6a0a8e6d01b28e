"""The command `python -m at_jax.visualize`."""

import argparse
import pathlib
import shlex
import sys

from at_jax import visualize as about
from at_jax.pictures.masks import SCALES
from at_jax.pictures.text import markdown
from at_jax.train.find import config_of
from at_jax.visualize.images import Examples, Photos
from at_jax.visualize.kinds import KINDS, chosen_kinds, draw
from at_jax.visualize.maps import STYLES
from at_jax.visualize.networks import find_columns
from at_jax.visualize.page import writing
from at_jax.visualize.similar import GRADIENTS_ALIKE, MAPS_ALIKE

TITLE = 'Where the networks look'
PAGE = 'index.html'
SUMMARIES = (PAGE, MAPS_ALIKE, GRADIENTS_ALIKE)
OWN = tuple(dict.fromkeys(f for kind in KINDS.values() for f in kind.flags))


def main(argv=None):
  argv = sys.argv[1:] if argv is None else argv
  flags = _parser().parse_args(argv)
  flags.workdir += flags.more
  try:
    text, failed = visualize(flags, shlex.join(argv))
  except (ValueError, OSError) as error:
    sys.exit(f'{type(error).__name__}: {error}')
  print(text)
  if failed:
    lines = [f'Not shown, {len(failed)} of the images:', *failed.values()]
    sys.exit('\n'.join(lines))


def _parser():
  parser = argparse.ArgumentParser(
    prog='python -m at_jax.visualize',
    description=about.__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add('--workdir', nargs='+', required=True, help='or weights folders')
  add('more', nargs='*', metavar='FOLDER', help='further ones')
  add(
    '--rows',
    '--row',
    default='',
    help='of workdirs: alone+at, teacher, all; default: the first. The '
    'teacher of these rows is added to maps and gradients',
  )
  add('--seed', type=int, default=0)
  add(
    '--what',
    default='',
    help=f'of {",".join(KINDS)}; default: all that the networks have',
  )
  add('--images', nargs='+', help="files or patterns; default: the workdir's")
  add(
    '--count', type=int, default=4, help='test images, one of each class first'
  )
  add('--data_dir', default='', help="where the workdir's data are")
  add(
    '--size',
    type=int,
    default=0,
    help='of photos: their shorter side; 0: as trained',
  )
  add('--square', action='store_true', help='of photos: the central square')
  add('--taps', help='of maps: patterns like group3/*; default: all groups')
  add('--kind', help='of maps: sum_abs,sum_pow,max_pow; default: sum_pow')
  add('--p', help='of maps: the power, or several: 2,4; default: 2')
  add('--style', choices=[*STYLES, 'all'], help='of maps; default: overlay')
  add('--against', help='the network the others are compared with; the last')
  add(
    '--label',
    action='store_true',
    default=None,
    help='of gradients: of the true class, not of the predicted one',
  )
  add('--channels', help='top3, random3, a number; of masks also mean, max')
  add('--modules', help='of masks: patterns like group2/*; default: all')
  add('--scale', choices=SCALES, help='default: own')
  add('--classes', help='of gates: top3, present, names, numbers')
  add('--places', help='of gates: patterns like group2; default: all')
  add('--out', help='a folder; default: visualize beside the weights')
  return parser


def visualize(flags, command=''):
  """Runs the command; returns (its last words, {image: why it failed})."""
  _check(flags)
  columns = find_columns(flags.workdir, flags.rows, flags.seed)
  kinds = chosen_kinds(flags.what, columns, print)
  own = _own(flags, kinds)
  if flags.label and flags.images:
    raise ValueError("--label is for the workdir's data: photos have none.")
  images = _images(flags, columns)
  out = pathlib.Path(flags.out or _usual_out(columns)).expanduser()
  for name in SUMMARIES:  # of another command, perhaps of other networks
    (out / name).unlink(missing_ok=True)
  apart = sum(not column.added for column in columns) > 1
  titles = ', '.join(column.title for column in columns)
  print(f'{titles}: compiling, so the first picture takes longest', flush=True)
  sections = []
  for kind, having in kinds.values():
    sections += draw(kind, having, images, out, own, apart=apart, say=print)
  _write_page(out / PAGE, command, columns, images, sections)
  tables = [markdown(section.lines) for section in sections if section.lines]
  text = '\n' + '\n\n'.join([*tables, f'All in one page: {out}/{PAGE}'])
  return text, images.failed


def _check(flags):
  """Raises ValueError for flags that would be ignored."""
  if flags.count < 1 or flags.size < 0:
    raise ValueError('--count is 1 or more, --size 0 or more.')
  for name in ('size', 'square'):
    if getattr(flags, name) and not flags.images:
      raise ValueError(f'--{name} is for photos: say which, --images.')
  if flags.data_dir and flags.images:
    raise ValueError("--data_dir is for the workdir's data, not for --images.")


def _own(flags, kinds):
  """The flags of `OWN` that were given; ValueError for one that is ignored."""
  given = {name: getattr(flags, name) for name in OWN}
  given = {name: value for name, value in given.items() if value is not None}
  for name in given:
    takers = [what for what, kind in KINDS.items() if name in kind.flags]
    if not set(takers) & set(kinds):
      *most, last = takers
      those = f'{", ".join(most)} or {last}' if most else last
      raise ValueError(
        f'--{name} is for --what={those}, not for {", ".join(kinds)}.'
      )
  return given


def _images(flags, columns):
  if flags.images:
    for column in columns:
      column.network.side(flags.size)  # refuses what it cannot be given
    return Photos(flags.images, flags.size, flags.square)
  for column in columns:
    if column.workdir:
      config = config_of(column.folder, column.workdir)
      return Examples(config, flags.count, flags.data_dir)
  raise ValueError(
    f'{columns[0].folder} is a weights folder without a workdir around it: say '
    "which --images='photos/*.jpg'."
  )


def _usual_out(columns):
  first = columns[0]
  several = len(columns) > 1 and first.workdir
  return (first.workdir if several else first.folder.parent) / 'visualize'


def _write_page(path, command, columns, images, sections):
  names = {f'image{i}': name for i, name in enumerate(images.titles)}
  with writing(path, TITLE) as page:
    page.command(f'python -m at_jax.visualize {command}')
    page.table(
      [
        ['network', 'called', 'weights', 'trained with images of'],
        *(_about(column) for column in columns),
      ]
    )
    for section in sections:
      page.heading(2, section.title)
      page.text(section.text)
      if section.kind.of_all:
        of_all = section.folder / section.kind.of_all
        if of_all.exists():
          page.picture(of_all, f'{section.title}, all images')
      if section.lines:
        page.table(section.lines)
    if images.failed:
      page.heading(2, 'Not shown')
      for reason in images.failed.values():
        page.text(reason)
    page.heading(2, 'Images')
    page.links({key: images.titles[name] for key, name in names.items()})
    for key, name in names.items():
      title = images.titles[name]
      page.heading(2, title, key)
      for section in sections:
        page.heading(3, section.title)
        page.picture(section.picture(name), f'{section.title} of {title}')


def _about(column):
  size = '×'.join(map(str, column.network.input_shape))
  return [column.title, column.name, column.weights.digest[:12], size]


if __name__ == '__main__':
  main()

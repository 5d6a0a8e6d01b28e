"""Says what trained weights see in image files: classes and probabilities.

  python -m at_jax.predict --workdir=runs/wrn_at --images='photos/*.jpg'
  python -m at_jax.predict --workdir=FOLDER --images a.png b.jpg --format=json

Images are seen as test images are: the shorter side is brought to config.data's
`resize` (or --resize; without either to 256/224 of the size, and to the size
itself where the data set was in memory), of which the central square is taken.
--pictures, of TASN: see `python -m at_jax.visualize --what=samples`.
"""

import argparse
import itertools
import json
import pathlib
import sys

import numpy as np

from at_jax.data import STREAMED
from at_jax.data.examples import View
from at_jax.data.photos import find_photos, photo_names, read_square
from at_jax.data.streamed import usual_resize
from at_jax.pictures.text import markdown
from at_jax.train.find import config_of, find_weights
from at_jax.train.samples import check_samples
from at_jax.train.scores import best_classes, scorer
from at_jax.train.weights import load_weights
from at_jax.visualize.images import Shown
from at_jax.visualize.samples import show_samples


def predict(
  folder,
  images,
  *,
  row='',
  seed=0,
  top=5,
  size=0,
  resize=0,
  batch_size=32,
  pictures='',
):
  """The most probable classes of image files.

  Args:
    folder: a workdir, a seed's folder or a weights folder.
    images: names of files and patterns; each file is taken once.
    row: of a workdir; '' is its first.
    seed: of a workdir.
    top: how many classes, at most all.
    size: of the central square, where the network takes any; 0: as trained.
    resize: the shorter side before that is cut; 0: as test images.
    batch_size: images that are in memory at a time; changes the speed only.
    pictures: a folder for pictures of how TASN samples; '' for none.

  Returns:
    {'weights', 'digest', 'size', 'resize', 'images': {path: [{'class',
    'probability'}, ...]}, 'failed': {name: what is wrong}}, best class first.

  Raises:
    FileNotFoundError, ValueError: no such weights, or settings that do not fit
      them. An image that cannot be read is in 'failed'.
  """
  for name, value in {'top': top, 'batch_size': batch_size}.items():
    if value < 1:
      raise ValueError(f'{name} must be 1 or more, got {value}.')
  weights_folder, workdir = find_weights(
    pathlib.Path(folder).expanduser(), row, seed
  )
  config = config_of(weights_folder, workdir) if workdir else None
  weights = load_weights(
    weights_folder, dtype=config.dtype if config else 'float32'
  )
  if pictures:
    check_samples(weights.network)
  network = weights.network
  view = _view(network, config, size, resize)
  paths, failed = _found(images)
  precision = config.precision if config else 'default'
  images = _read(paths, view, network.input_shape[-1], failed)
  scored = _scored(weights, images, min(batch_size, len(paths)), precision)
  names = dict(zip(paths, photo_names(paths), strict=True))
  found = {}

  def seen():
    """Each image, once `found` has what it was taken for."""
    for path, image, chances in scored:
      if not np.isfinite(chances).all():
        failed[str(path)] = 'the network gives probabilities that are NaN.'
        continue
      best = best_classes(chances, weights.class_names, top)
      found[str(path)] = [
        {'class': name, 'probability': value} for name, value in best
      ]
      yield Shown(names[path], path.name, image)

  shown = seen()
  first = list(itertools.islice(shown, 1))
  if pictures and first:
    shown = itertools.chain(first, shown)
    show_samples(weights, shown, pictures, say=_to_stderr)
  for _ in shown:
    pass
  return {
    'weights': str(weights_folder),
    'digest': weights.digest,
    'size': view.size,
    'resize': view.resize,
    'images': found,
    'failed': failed,
  }


def _view(network, config, size, resize):
  """How test images are cropped, for `size` and `resize` or where they are 0.

  A data set in memory is not cropped at all, and only of such a one is a mean
  taken for each pixel.
  """
  size = network.side(size)
  whole = network.per_pixel
  if config:
    kind = config.data.name.partition(':')[0]
    whole = whole or kind not in STREAMED
    resize = resize or config.data.resize
  usual = size if whole else usual_resize(size)
  return View('center', size=size, resize=resize or usual)


def _found(patterns):
  """(the files, none twice, {pattern: why there is none})."""
  paths, failed = {}, {}
  for pattern in patterns:
    try:
      paths |= dict.fromkeys(find_photos(pattern))
    except OSError as error:
      failed[str(pattern)] = str(error)
  return list(paths), failed


def _read(paths, view, channels, failed):
  """(path, image) of those that can be read; others go into `failed`."""
  for path in paths:
    try:
      image = read_square(path, view=view, channels=channels)
    except ValueError as error:
      failed[str(path)] = str(error).removeprefix(f'{path}: ')
    except OSError as error:
      failed[str(path)] = error.strerror or str(error)
    else:
      yield path, image


def _scored(weights, images, size, precision):
  """(path, image, probabilities) of `images`, `size` of them at a time."""
  scores = scorer(weights.network, precision, weights.multi_label)
  images = iter(images)
  while batch := list(itertools.islice(images, size)):
    pixels = np.stack([image for _, image in batch])
    # The last batch has the others' size, so that it needs no compilation.
    missing = size - len(batch)
    pixels = np.pad(pixels, ((0, missing), *((0, 0),) * 3), mode='edge')
    rows = np.asarray(scores(weights.variables, pixels))
    for (path, image), chances in zip(batch, rows, strict=False):
      yield path, image, chances


def _to_stderr(line):
  print(line, file=sys.stderr)


def table(result):
  """The predictions as a Markdown table."""
  head, lines = ['image', 'class', 'probability'], []
  for path, classes in result['images'].items():
    for i, one in enumerate(classes):
      cells = [one['class'], f'{one["probability"]:.4f}']
      lines.append(['' if i else path, *cells])
  return markdown([head, *lines])


FORMATS = {'table': table, 'json': lambda result: json.dumps(result, indent=2)}


def main(argv=None):
  parser = argparse.ArgumentParser(
    prog='python -m at_jax.predict',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add('--workdir', required=True, help='or a weights folder')
  add('--row', default='', help='default: the first')
  add('--seed', type=int, default=0)
  add('--images', nargs='+', required=True, help='files or patterns')
  add('--top', type=int, default=5, help='classes of each image')
  add('--size', type=int, default=0, help='of the square; 0: as trained')
  add('--resize', type=int, default=0, help='of the shorter side before')
  add('--batch_size', type=int, default=32)
  add('--format', default='table', choices=FORMATS)
  add('--out', help='a file for what is printed, too')
  add('--pictures', default='', help='a folder: how TASN samples each image')
  flags = vars(parser.parse_args(argv))
  form, out = FORMATS[flags.pop('format')], flags.pop('out')
  try:
    result = predict(flags.pop('workdir'), flags.pop('images'), **flags)
    text = form(result)
    print(text)
    if out:
      path = pathlib.Path(out).expanduser()
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text(text + '\n')
  except (ValueError, OSError) as error:
    sys.exit(f'{type(error).__name__}: {error}')
  if result['failed']:
    lines = [f'{name}: {why}' for name, why in result['failed'].items()]
    sys.exit('\n'.join([f'{len(lines)} of the images failed:', *lines]))


if __name__ == '__main__':
  main()

"""Images per second of the streaming pipeline, here and in a DataLoader.

JPEGs of about 500 x 375 become training batches: random-resized crops to
224 x 224. Ours are uint8, flipped and normalised on the device; PyTorch's, with
Pillow as torchvision does it, are flipped, normalised float tensors. The same
files, each measurement in a process of its own, rounds interleaved:

  at_jax, threads       decoded in threads of the training process, one a core
  at_jax, N workers     in N other processes of one thread
  DataLoader, N workers the same there

  python -m benchmarks.input                       # nothing else should run
  python -m benchmarks.input --torch_python=~/torch/bin/python --out=input.json
  python -m benchmarks.input --folder=PHOTOS       # train/<class>/*.jpg
  python -m benchmarks.input --step                # also the step it must feed

A rate per core is images over processor time, of all processes together: other
programs disturb it little. The step is ResNet-18 taught by ResNet-34.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile

from benchmarks.step import look_at_torch, run_module, write

SIZE = 224
COUNT = 64  # files that are made
WAYS = (
  dict(name='at_jax, threads', engine='at_jax', workers=0),
  dict(name='at_jax, 1 worker', engine='at_jax', workers=1),
  dict(name='at_jax, 2 workers', engine='at_jax', workers=2),
  dict(name='DataLoader, 1 worker', engine='torch', workers=1),
  dict(name='DataLoader, 2 workers', engine='torch', workers=2),
)


def parse(arguments):
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.input',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--folder', help='of photos, in place of made ones')
  parser.add_argument('--batch', type=int, default=32)
  parser.add_argument('--size', type=int, default=SIZE)
  parser.add_argument('--rounds', type=int, default=3)
  parser.add_argument(
    '--seconds', type=float, default=10.0, help='of each measurement'
  )
  parser.add_argument('--step', action='store_true', help='and the step')
  parser.add_argument(
    '--torch_python',
    default=sys.executable,
    help='a python that has torch and pillow; default: this one',
  )
  parser.add_argument('--out', help='a JSON file for all that was measured')
  flags = parser.parse_args(arguments)
  flags.torch_python = os.path.expanduser(flags.torch_python)
  if min(flags.rounds, flags.batch, flags.size, flags.seconds) <= 0:
    parser.error('--rounds, --batch, --size and --seconds must be positive')
  return flags


def make_files(folder):
  """Writes JPEGs with the size and about the bytes of ImageNet's."""
  import numpy as np

  from benchmarks.decode import photo

  rng = np.random.default_rng(0)
  for split, count in (('train', COUNT), ('test', 1)):
    (folder / split / 'photo').mkdir(parents=True)
    for number in range(count):
      path = folder / split / 'photo' / f'{number:03}.jpg'
      path.write_bytes(photo(rng, 375, 500))
  return folder


def measure_all(flags, ways, folder):
  """Every way, round by round."""
  measurements = []
  for number in range(1, flags.rounds + 1):
    for way in ways:
      settings = way | dict(
        folder=str(folder),
        batch=flags.batch,
        size=flags.size,
        seconds=flags.seconds,
      )
      ours = way['engine'] != 'torch'
      python = sys.executable if ours else flags.torch_python
      found = run_module('benchmarks.input_run', settings, python)
      measurements.append(settings | dict(round=number) | found)
      measurements[-1].pop('folder')
      text = found.get('failed') or (
        f'{found["images_per_second"]:,.0f} images/s'
      )
      print(f'round {number} of {flags.rounds}, {way["name"]}: {text}')
      sys.stdout.flush()
  return measurements


def summarise(measurements):
  """{way: medians of 'images_per_second' and 'per_core', 'ratio'}."""
  rows = {}
  for name in dict.fromkeys(one['name'] for one in measurements):
    good = [
      one for one in measurements if one['name'] == name and 'failed' not in one
    ]
    rows[name] = {
      key: statistics.median(one[key] for one in good) if good else None
      for key in ('images_per_second', 'per_core')
    }
  for name, row in rows.items():
    other = rows.get(name.replace('at_jax', 'DataLoader'), {})
    if name.startswith('at_jax') and row['per_core'] and other.get('per_core'):
      row['ratio'] = row['per_core'] / other['per_core']
  return rows


def table(rows):
  """Markdown of `summarise`'s rows."""
  lines = [
    '| | images/s | images/s per core | per core, over DataLoader |',
    '|---|---:|---:|---:|',
  ]
  for name, row in rows.items():
    cells = [
      '–' if row.get(key) is None else f'{row[key]:{form}}'
      for key, form in (
        ('images_per_second', ',.0f'),
        ('per_core', ',.0f'),
        ('ratio', '.2f'),
      )
    ]
    lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines)


def main(arguments=None):
  """The command; returns its exit code: 1 where a measurement failed."""
  flags = parse(arguments)
  torch, problem = look_at_torch(flags, 'cpu')
  if problem:
    print(problem)
  ways = [way for way in WAYS if torch or way['engine'] == 'at_jax']
  if flags.step:
    name = 'at_jax, the step'
    ways.append(dict(name=name, engine='step', workers=0))
  with tempfile.TemporaryDirectory(prefix='at_jax_input_') as made:
    folder = flags.folder or make_files(pathlib.Path(made))
    measurements = measure_all(flags, ways, folder)
  rows = summarise(measurements)
  print(f'\n{table(rows)}')
  if flags.out:
    write(
      flags,
      files='a folder of photos' if flags.folder else 'made',
      at_jax=run_module('benchmarks.workload', {'engine': 'at_jax'}),
      torch=torch or problem,
      rows=rows,
      measurements=measurements,
    )
  return int(any('failed' in one for one in measurements))


if __name__ == '__main__':
  sys.exit(main())

"""Images per second of attention-based sampling, here and elsewhere.

A batch of 32 images of 512 x 512 and their maps of 28 x 28 become samples of
224 x 224; positions are computed each time, except where it says otherwise:

  attention_sample         `at_jax`
  map_coordinates          the positions of `at_jax`, read with
                           `jax.scipy.ndimage` (order 1), an image and channel
                           at a time under vmap, the fastest of its forms
  grid_sample              PyTorch: the same positions in plain PyTorch, a grid,
                           `grid_sample`
  grid_sample, NHWC        the same of images with their channels last
  bilinear_sample          `at_jax`, of given positions
  grid_sample, grid given  PyTorch's without positions and grid

  python -m benchmarks.sampler                     # nothing else should run
  python -m benchmarks.sampler --torch_python=~/torch/bin/python --out=FILE.json
  python -m benchmarks.sampler --all               # and both ways of `at_jax`

On a machine with a GPU that jax sees, the same commands measure there. Every
measurement is a process of its own, rounds interleave them. A rate per core is
images over processor time: other programs disturb it little; on a GPU it says
nothing. Peak memory: on a CPU of the whole process once the inputs are there,
with framework and compilation; on a GPU of the arrays.
"""

import argparse
import math
import os
import statistics
import sys

from benchmarks.step import look_at_torch, run_module, write

OURS, GIVEN = 'attention_sample', 'bilinear_sample'
KEYS = ('images_per_second', 'per_core', 'peak_memory')
WAYS = (
  dict(name=OURS, engine='at_jax', way='attention_sample'),
  dict(name='map_coordinates', engine='at_jax', way='map_coordinates'),
  dict(name='grid_sample', engine='torch', way='grid_sample'),
  dict(name='grid_sample, NHWC', engine='torch', way='channels_last'),
  dict(name=GIVEN, engine='at_jax', way='positions_given', ours=GIVEN),
  dict(
    name='grid_sample, grid given',
    engine='torch',
    way='grid_given',
    ours=GIVEN,
  ),
)
MORE = (
  dict(name='at_jax, gathers', engine='at_jax', way='gathers'),
  dict(name='at_jax, products', engine='at_jax', way='products'),
)


def parse(arguments):
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.sampler',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--batch', type=int, default=32)
  parser.add_argument('--size', type=int, default=512, help='of the images')
  parser.add_argument('--map_size', type=int, default=28)
  parser.add_argument('--out_size', type=int, default=224)
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument(
    '--seconds', type=float, default=5.0, help='of each measurement'
  )
  parser.add_argument('--all', action='store_true', help='both ways of at_jax')
  parser.add_argument(
    '--torch_python',
    default=sys.executable,
    help='a python that has torch; default: this one',
  )
  parser.add_argument('--out', help='a JSON file for all that was measured')
  flags = parser.parse_args(arguments)
  flags.torch_python = os.path.expanduser(flags.torch_python)
  for name, value in vars(flags).items():
    if isinstance(value, int | float) and name != 'all' and value <= 0:
      parser.error(f'--{name} must be positive')
  return flags


def measure_all(flags, ways, device):
  """Every way, round by round."""
  keys = ('batch', 'size', 'map_size', 'out_size', 'seconds')
  shared = {key: getattr(flags, key) for key in keys} | {'device': device}
  measurements = []
  for number in range(1, flags.rounds + 1):
    for way in ways:
      settings = way | shared
      ours = way['engine'] == 'at_jax'
      python = sys.executable if ours else flags.torch_python
      found = run_module('benchmarks.sampler_run', settings, python)
      measurements.append(settings | dict(round=number) | found)
      text = found.get('failed') or (
        f'{found["images_per_second"]:,.0f} images/s'
      )
      head = f'round {number} of {flags.rounds}, {way["name"]}'
      print(f'{head}: {text}', flush=True)
  return measurements


def summarise(measurements):
  """{way: medians, and medians over rounds of ours over its own}.

  Raises:
    ValueError: a way samples something else than ours.
  """
  rounds, rows = {}, {}
  for one in measurements:
    if 'failed' not in one:
      rounds.setdefault(one['name'], {})[one['round']] = one
  for name, others in rounds.items():
    rows[name] = {
      key: statistics.median(one[key] for one in others.values())
      for key in KEYS
    }
    baseline = next(iter(others.values())).get('ours', OURS)
    mine = rounds.get(baseline, {})
    both = [(mine[k], others[k]) for k in others if k in mine]
    if both and name != baseline:
      for key in KEYS:
        ratios = [one[key] / other[key] for one, other in both]
        rows[name][f'ratio_{key}'] = statistics.median(ratios)
    for pair in ((one['checksum'], other['checksum']) for one, other in both):
      if not math.isclose(*pair, rel_tol=1e-4):
        raise ValueError(f'{name} samples something else: {pair}.')
  return rows


def table(rows):
  """Markdown of `summarise`'s rows."""
  lines = [
    '| | images/s | per core | ours over it | per core | peak, MiB | ours over '
    'it |',
    '|---|---:|---:|---:|---:|---:|---:|',
  ]
  for name, row in rows.items():
    columns = (
      ('images_per_second', ',.0f', 1),
      ('per_core', ',.0f', 1),
      ('ratio_images_per_second', '.2f', 1),
      ('ratio_per_core', '.2f', 1),
      ('peak_memory', ',.0f', 2**20),
      ('ratio_peak_memory', '.2f', 1),
    )
    cells = [
      format(row[key] / unit, form) if key in row else '–'
      for key, form, unit in columns
    ]
    lines.append(f'| {name} | {" | ".join(cells)} |')
  return '\n'.join(lines)


def main(arguments=None):
  """The command; returns its exit code: 1 where a measurement failed."""
  flags = parse(arguments)
  about = run_module('benchmarks.workload', {'engine': 'at_jax'})
  if 'failed' in about:
    sys.exit(f'jax does not start: {about["failed"]}')
  device = 'cpu' if about['platform'] == 'cpu' else 'gpu'
  torch, problem = look_at_torch(flags, device)
  print(f'{about["name"]}. {problem}'.strip(), flush=True)
  ways = [
    way
    for way in WAYS + (MORE if flags.all else ())
    if torch or way['engine'] == 'at_jax'
  ]
  measurements = measure_all(flags, ways, device)
  rows = summarise(measurements)
  print(f'\n{table(rows)}')
  write(
    flags,
    at_jax=about,
    torch=torch or problem,
    rows=rows,
    measurements=measurements,
  )
  return int(any('failed' in one for one in measurements))


if __name__ == '__main__':
  sys.exit(main())

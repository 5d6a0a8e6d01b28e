"""What seeing many photos costs: attention maps of a ResNet-18's four groups.

JPEGs of 500 x 375 are seen as squares by untrained weights; `at_jax.visualize
--what=maps` runs as users run it, in a process of its own, for 1, 25 and 100 of
them. Every process compiles anew. What it takes beyond the one that sees the
fewest is what images cost after compilation.

  python -m benchmarks.seeing                      # nothing else should run
  python -m benchmarks.seeing --counts=1,400 --size=224 --out=FILE.json

Rounds interleave the counts. Processor time is that of all cores together.
Peak memory is resident memory of the process, imports and compilation included.
"""

import argparse
import concurrent.futures
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.step import ROOT, reason, run_module, write

SHAPE = 375, 500
MODEL = dict(name='resnet18', num_classes=10)
SEEN = 'seconds', 'processor_seconds', 'peak_memory', 'page_bytes'


def parse(arguments):
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.seeing',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--counts', default='1,25,100', help='of photos')
  parser.add_argument('--size', type=int, default=112, help='of the squares')
  parser.add_argument('--rounds', type=int, default=3)
  parser.add_argument('--out', help='a JSON file for all that was measured')
  flags = parser.parse_args(arguments)
  counts = flags.counts.split(',')
  if not all(count.isdecimal() and int(count) for count in counts):
    parser.error(f'--counts are numbers above 0, got {flags.counts!r}')
  flags.counts = sorted({int(count) for count in counts})
  if flags.rounds < 1 or flags.size < 32:
    parser.error('--rounds must be positive, --size 32 or more')
  return flags


def make_files(folder, count, size):
  """Writes `photos/*.jpg`, and untrained weights in `weights`."""
  import jax
  import numpy as np

  from at_jax.models import create_model
  from at_jax.objectives import Network
  from at_jax.train.weights import save_weights
  from benchmarks.decode import photo

  (folder / 'photos').mkdir()
  rng = np.random.default_rng(0)
  for number in range(count):
    path = folder / f'photos/{number:04}.jpg'
    path.write_bytes(photo(rng, *SHAPE))
  shape = (size, size, 3)
  network = Network(create_model(**MODEL), (128.0,), (64.0,), shape, 'network')
  save_weights(
    folder / 'weights',
    network=network,
    model=MODEL,
    variables=jax.jit(network.init)(jax.random.key(0)),
    class_names=[f'class {k}' for k in range(MODEL['num_classes'])],
  )


def apart(function, *args):
  """Calls it in a process of its own.

  What this process holds in memory would count as memory of those it starts.
  """
  context = multiprocessing.get_context('spawn')
  with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
    return pool.submit(function, *args).result()


def run(arguments):
  """What `at_jax.visualize` takes as a process, or {'failed': why}."""
  command = [sys.executable, '-m', 'at_jax.visualize', *arguments]
  with tempfile.TemporaryFile('w+') as errors:
    begin = time.perf_counter()
    process = subprocess.Popen(
      command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
      errors.seek(0)
      return {'failed': reason(errors.read()) or f'code {process.returncode}'}
  unit = 1 if sys.platform == 'darwin' else 1024
  return {
    'seconds': seconds,
    'processor_seconds': usage.ru_utime + usage.ru_stime,
    'peak_memory': unit * usage.ru_maxrss,
  }


def measure_all(flags, folder):
  """Every number of photos, round by round."""
  photos = sorted(map(str, (folder / 'photos').iterdir()))
  measurements = []
  for number in range(1, flags.rounds + 1):
    for count in flags.counts:
      out = folder / f'seen{number}_{count}'
      command = [f'--workdir={folder / "weights"}', f'--out={out}']
      command += ['--what=maps', '--square', '--images', *photos[:count]]
      found = run(command)
      if 'failed' not in found:
        found['page_bytes'] = (out / 'index.html').stat().st_size
      measurements.append(dict(count=count, round=number) | found)
      text = found.get('failed') or f'{found["seconds"]:.1f} s'
      print(f'round {number} of {flags.rounds}, photos: {count}: {text}')
      sys.stdout.flush()
  return measurements


def summarise(measurements):
  """{count: medians, and of what lies beyond the fewest photos}."""
  rows = {}
  good = [one for one in measurements if 'failed' not in one]
  for count in sorted({one['count'] for one in good}):
    own = [one for one in good if one['count'] == count]
    rows[count] = {key: statistics.median(x[key] for x in own) for key in SEEN}
  for row in rows.values():
    least = rows[min(rows)]
    for key in SEEN[:3]:
      row[f'{key}_beyond'] = row[key] - least[key]
  return rows


def table(rows):
  """Markdown of `summarise`'s rows."""
  lines = [
    '| photos | seconds | beyond the first row | processor seconds | beyond | '
    'peak, MiB | beyond | index.html, MB |',
    f'|{"---:|" * 8}',
  ]
  columns = (
    ('seconds', '.1f', 1),
    ('seconds_beyond', '.1f', 1),
    ('processor_seconds', '.1f', 1),
    ('processor_seconds_beyond', '.1f', 1),
    ('peak_memory', ',.0f', 2**20),
    ('peak_memory_beyond', ',.0f', 2**20),
    ('page_bytes', '.1f', 1e6),
  )
  for count, row in rows.items():
    cells = [format(row[key] / unit, form) for key, form, unit in columns]
    lines.append(f'| {count} | {" | ".join(cells)} |')
  return '\n'.join(lines)


def main(arguments=None):
  """The command; returns its exit code: 1 where a measurement failed."""
  flags = parse(arguments)
  with tempfile.TemporaryDirectory(prefix='at_jax_seeing_') as made:
    folder = pathlib.Path(made)
    apart(make_files, folder, max(flags.counts), flags.size)
    measurements = measure_all(flags, folder)
  rows = summarise(measurements)
  print(f'\n{table(rows)}')
  if flags.out:
    about = run_module('benchmarks.workload', {'engine': 'at_jax'})
    write(flags, at_jax=about, rows=rows, measurements=measurements)
  return int(any('failed' in one for one in measurements))


if __name__ == '__main__':
  sys.exit(main())

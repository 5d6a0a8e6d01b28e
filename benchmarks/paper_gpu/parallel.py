"""Whether several trainings at once on one device are faster in sum.

  python -m benchmarks.paper_gpu.parallel --counts=1,2,4 --out=parallel.json

Each is a process of its own, as each `train.py` is. They wait for each other
after compilation, then all train for the same seconds.
"""

import argparse
import json
import os
import subprocess
import sys
import time

GAIN = 1.05  # as much faster must more processes be to be worth their memory


def work(settings):
  """One of the processes: waits for a line when it is ready to train."""
  from benchmarks.workload import WARM_UP, prepare_at_jax

  run = prepare_at_jax(settings)
  for _ in range(WARM_UP):
    run.advance()
  run.wait()
  print('ready', flush=True)
  sys.stdin.readline()
  begin, steps = time.perf_counter(), 0
  while time.perf_counter() - begin < settings['seconds']:
    steps += run.advance()
    loss = run.wait()
  elapsed = time.perf_counter() - begin
  rate = steps * settings['batch'] / elapsed
  print(json.dumps({'images_per_second': rate, 'loss': loss}))


def measure(count, settings):
  """images/s of each of `count` processes at once, or {'failed': why}."""
  command = [sys.executable, '-m', 'benchmarks.paper_gpu.parallel', '--work']
  workers = [
    subprocess.Popen(
      [*command, json.dumps(settings)],
      env=os.environ | {'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'},
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      # To the log of all: a pipe that nobody reads would fill up.
      text=True,
    )
    for _ in range(count)
  ]
  try:
    for worker in workers:
      if worker.stdout.readline().strip() != 'ready':
        return {'count': count, 'failed': f'code {worker.wait()}'}
    for worker in workers:
      worker.stdin.write('go\n')
      worker.stdin.flush()
    printed = [worker.communicate()[0] for worker in workers]
  finally:
    for worker in workers:
      worker.kill()
      worker.wait()
  if any(worker.returncode for worker in workers):
    codes = [worker.returncode for worker in workers]
    return {'count': count, 'failed': f'codes {codes}'}
  rates = [json.loads(text)['images_per_second'] for text in printed]
  return {'count': count, 'images_per_second': rates, 'sum': sum(rates)}


def best(measurements):
  """How many at once: more only where they gain something."""
  chosen = None
  for one in sorted(measurements, key=lambda one: one['count']):
    if 'failed' in one:
      continue
    if chosen is None or one['sum'] > GAIN * chosen['sum']:
      chosen = one
  return chosen['count'] if chosen else 1


def main(arguments=None):
  """The command."""
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.paper_gpu.parallel',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--counts', default='1,2,4')
  parser.add_argument('--step', default='at')
  parser.add_argument('--batch', type=int, default=128)
  parser.add_argument('--seconds', type=float, default=8.0)
  parser.add_argument('--out', help='a JSON file for all that was measured')
  parser.add_argument('--work', help=argparse.SUPPRESS)
  flags = parser.parse_args(arguments)
  if flags.work:
    return work(json.loads(flags.work))
  settings = dict(
    step=flags.step,
    batch=flags.batch,
    seconds=flags.seconds,
    dtype='float32',
    devices=1,
  )
  measurements = []
  for count in map(int, flags.counts.split(',')):
    measurements.append(measure(count, settings))
    print(json.dumps(measurements[-1]), flush=True)
  result = dict(
    settings=settings, measurements=measurements, best=best(measurements)
  )
  print(f'best: {result["best"]} at once')
  if flags.out:
    from at_jax.train.checkpoint import write_json

    write_json(flags.out, result)


if __name__ == '__main__':
  main()

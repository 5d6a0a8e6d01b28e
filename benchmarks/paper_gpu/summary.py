"""The end of a call: tables, what is done, what is left, archives."""

import pathlib

from at_jax.train.checkpoint import read_json
from benchmarks.engine import table as engine_table
from benchmarks.paper_gpu import jobs, pack, phases
from benchmarks.paper_gpu.checks import told
from benchmarks.table import table


def finish(call):
  """Packs and prints everything; returns the exit code of the command."""
  if call.flags.out:  # first: it is what a killed call could not do again
    print(f'\n{packed(call)}', flush=True)
  tables = [report(call, name) for name in ('table1', 'table2')]
  text = '\n\n'.join(
    part for part in [*measured(call), *tables, *trained(call)] if part
  )
  print(f'\n{text}', flush=True)
  if call.flags.out:
    (pathlib.Path(call.flags.out) / 'summary.md').write_text(text + '\n')
  for line in call.problems:
    print(f'\nPROBLEM: {line}')
  return int(bool(call.problems))


def report(call, name):
  """The Markdown of a table's workdirs so far, '' where there is none."""
  folders = {
    job.row: call.progress.workdir(job)
    for job in jobs.of_table(call.jobs, name)
    if (call.progress.workdir(job) / 'config.json').exists()
  }
  if not folders:
    return ''
  command = ['-m', 'at_jax.report', f'--out={call.workdir / name}']
  if name == 'table2' and jobs.SAME['alone'] in folders:
    command.append(f'--baseline={jobs.SAME["alone"]}')
  process = call.start(
    [*command, '--workdir', *folders.values()], name, JAX_PLATFORMS='cpu'
  )
  code = process.wait(call.time.margin_left)
  if code != 0:
    call.problem(f'{name}: no report, code {code}\n{process.last_lines()}')
    return ''
  return f'{name}\n\n{process.output().strip()}'


def measured(call):
  """What the phases before training found, as far as known."""
  pieces = dict(phases.pieces(call.flags))
  for name in ('checks', *pieces, 'engine', 'parallel'):
    found = read_json(call.workdir / f'{name}.json') or {}
    if 'failed' in found:
      call.problems.append(f'{name}: {found["failed"]}')
  checks = (read_json(call.workdir / 'checks.json') or {}).get('checks', [])
  call.problems += [told(check) for check in checks if not check['ok']]
  yield '\n'.join(map(told, checks))
  step = read_json(call.workdir / 'step.json')
  if step:
    call.problems += [
      f'step {one["step"]}, {one["name"]}: {one["failed"]}'
      for one in step['measurements']
      if 'failed' in one
    ]
    yield f'{step["at_jax"]["name"]}\n\n{table(step["rows"])}'
  engine = read_json(call.workdir / 'engine.json') or {}
  if 'seconds' in engine:
    flags = engine['flags']
    yield engine_table(engine['seconds'], flags['steps'] * flags['batch'])
  at_once = read_json(call.workdir / 'parallel.json') or {}
  yield '\n'.join(
    f'- {one["count"]} at once: '
    + (one.get('failed') or f'{one["sum"]:,.0f} images/s in sum')
    for one in at_once.get('measurements', [])
  )


def trained(call):
  """What is done and what is left."""
  progress, all_jobs = call.progress, call.jobs
  lines = []
  for job in all_jobs:
    done = sum(result is not None for _, result in progress.runs(job))
    left, pace = progress.epochs_left(job), progress.pace(job)
    how = f', {pace:.2f} s an epoch' if pace else ''
    state = f'{left:,.0f} epochs left' if left else 'done'
    lines.append(f'- {job.name}: {done} of {job.seeds} seeds, {state}{how}')
  yield '\n'.join(lines)
  minutes, unknown = progress.estimate(all_jobs, phases.at_once(call))
  if minutes is None:
    yield 'How long the rest takes is not known yet.'
  elif not minutes:
    yield 'All jobs are done.'
  else:
    like = f' ({len(unknown)} jobs taken to be like others)' * bool(unknown)
    yield (
      f'About {minutes:,.1f} minutes of training steps left{like}, without '
      'starts, compilations and evaluations. The same command goes on.'
    )


def packed(call):
  """Writes --out; returns what to say about it."""
  out = call.flags.out
  archives = pack.pack(call.workdir, out)
  where, here = call.workdir, pathlib.Path.cwd()
  where = where.relative_to(here) if where.is_relative_to(here) else where
  size = sum(path.stat().st_size for path in archives)
  said = (
    f'{out}: {len(archives)} archives, {size / 2**20:.1f} MiB. To go on '
    f'elsewhere, there: {pack.unpack_command(where)}'
  )
  if size > pack.WARN:
    call.problem(f'{out} has {size / 2**20:.1f} MiB, more than 60')
  return said

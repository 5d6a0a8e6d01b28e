"""The report of a workdir, finished or running.

  python -m at_jax.report --workdir=runs/digits_at

prints the table of rows and seeds and writes report.md, curves.png,
attention.png and result.json into the workdir. Several workdirs are joined
into one report, in the first of them or in --out:

  python -m at_jax.report --workdir runs/wrn runs/wrn_at --out=runs/both
"""

import argparse
import json
import os
import pathlib
import sys

from at_jax import report_join, report_pictures, report_table
from at_jax.report_read import read_study

PROTOCOL = (
  'Protocol: test error after the last epoch, on the full test set; never the '
  'best epoch. Median, mean and sample standard deviation over n seeds; '
  'differences are paired by seed (negative is better; a win is a seed with '
  'the lower error).'
)


def write_report(workdirs, out=None, *, baseline=None):
  """Writes report.md, curves.png, attention.png and result.json.

  Args:
    workdirs: one path or a list of paths; those of several are joined.
    out: the folder to write into; the first workdir by default.
    baseline: the key or label of the row that differences are taken to; by
      default that of the config.

  Returns:
    The Markdown table.

  Raises:
    FileNotFoundError: a path is not a workdir.
    ValueError: the workdirs do not belong into one table, an unreadable
      config, or no such baseline.
  """
  if isinstance(workdirs, str | os.PathLike):
    workdirs = [workdirs]
  unique = {pathlib.Path(w).resolve(): w for w in reversed(list(workdirs))}
  if not unique:
    raise ValueError('A report needs at least one workdir, got none.')
  studies = [read_study(folder) for folder in reversed(unique.values())]
  study = report_join.join(studies)
  study.baseline = _baseline(study, baseline)
  out = pathlib.Path(out or studies[0].folder)
  out.mkdir(parents=True, exist_ok=True)
  rows = report_table.summarise(study)
  table = report_table.table(study, rows)
  measured = report_pictures.draw_curves(study, out / 'curves.png')
  shown = report_pictures.draw_attention(study, out / 'attention.png')
  _write(out / 'result.json', _result(study, studies, rows))
  _write(out / 'report.md', _page(study, studies, table, measured, shown))
  return table


def _baseline(study, wanted):
  if wanted is None:
    return study.baseline if study.baseline in study.rows else ''
  for key, row in study.rows.items():
    if wanted in (key, row.label):
      return key
  raise ValueError(f'No row {wanted!r}; the rows are {sorted(study.rows)}.')


def _write(path, text):
  """A reader meets the old file or the new one, never a half."""
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  part.write_text(text, encoding='utf-8')
  os.replace(part, path)


def _result(study, studies, rows):
  ran = ('config', 'arguments', 'command', 'commit', 'versions', 'devices')
  known = (*ran, 'data', 'data_fingerprint', 'started')
  result = {name: study.about.get(name) for name in known}
  result['data_fingerprint'] = report_join.data_fingerprint(study) or None
  result |= dict(baseline=study.baseline, teacher=study.teacher, rows=rows)
  if len(studies) > 1:
    result['workdirs'] = [
      {name: s.about.get(name) for name in known} for s in studies
    ]
  result['notes'] = study.notes
  return json.dumps(result, indent=2, ensure_ascii=False) + '\n'


def _page(study, studies, table, measured, shown):
  """The text of report.md."""
  title = study.config.get('label') or study.name
  parts = [f'# {title if len(studies) == 1 else "Joined report"}']
  parts += ['\n'.join(f'- {_what_ran(s)}' for s in studies)]
  parts += [table, PROTOCOL + _facts(study)]
  if study.notes:
    parts += [
      'Left out or missing:\n' + '\n'.join(f'- {n}' for n in study.notes)
    ]
  parts += [
    '## Curves',
    '![Errors and terms against the epoch](curves.png)',
    f'Bold: {measured} error during training; dashed: training error; right: '
    'every term of the loss before its weight. Lines are medians over seeds, '
    'bands reach from the least to the largest.',
    '## Attention',
    _attention_text(study, shown),
    '## Run it again',
    _again_text(studies),
  ]
  return '\n\n'.join(parts) + '\n'


def _what_ran(study):
  about = study.about
  versions = about.get('versions') or {}
  parts = [
    f'config `{study.name}`',
    f'data: {about.get("data") or "unknown"}',
    f'on {about.get("devices") or "unknown devices"}',
    f'commit {about.get("commit") or "unknown"}',
    ', '.join(f'{name} {version}' for name, version in versions.items()),
    f'started {about["started"]}' if about.get('started') else '',
    f'`{about["command"]}`' if about.get('command') else '',
  ]
  return '; '.join(part for part in parts if part)


def _facts(study):
  """Parameters and the teacher's identity, where they are known."""
  facts = []
  if study.teacher:
    facts.append(
      f'The teacher is one run (n = 1), not a row; weights '
      f'`{study.teacher.get("hash")}`.'
    )
  sizes = [('teacher', (study.teacher or {}).get('parameters'))]
  for row in study.rows.values():
    done = [run.result for run in row.runs.values() if run.result]
    sizes += [(row.label, done[0].get('parameters'))] if done else []
  sizes = [f'{label} {size:,}' for label, size in sizes if size]
  facts += [f'Parameters: {"; ".join(sizes)}.'] if sizes else []
  return ''.join(f'\n\n{fact}' for fact in facts)


def _attention_text(study, shown):
  if shown is None:
    return 'No attention maps yet: a run writes them when it starts and ends.'
  text = (
    'Bright is where a network is active: each map is divided by its l2 norm, '
    'enlarged smoothly and drawn on its own scale.'
  )
  if study.teacher:
    text += (
      " Below a student's map is its cosine similarity with the teacher's (1: "
      'they look at the same places); in the head of a band the mean over all '
      'images kept.'
    )
  return f'![Attention maps](attention.png)\n\n{" ".join([text, *shown])}'


def _again_text(studies):
  commands = [s.about.get('command') for s in studies]
  commands = [c for c in dict.fromkeys(commands) if c]
  text = 'The report alone, from this folder, also while a run is going on:'
  report = 'python -m at_jax.report --workdir=<this folder>'
  if len(studies) > 1:
    folders = ' '.join(str(s.folder) for s in studies)
    report = f'python -m at_jax.report --workdir {folders} --out=<this folder>'
  if commands:
    text = (
      'The same command continues an interrupted run where it stopped, and '
      'prints the table of a finished one:\n\n```\n'
      + '\n'.join(commands)
      + f'\n```\n\n{text}'
    )
  return f'{text}\n\n```\n{report}\n```'


def main(arguments=None):
  """The command; returns its exit code."""
  parser = argparse.ArgumentParser(
    prog='python -m at_jax.report',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    '--workdir', nargs='+', action='extend', required=True, metavar='FOLDER'
  )
  parser.add_argument(
    'more', nargs='*', metavar='FOLDER', help='further workdirs to join'
  )
  parser.add_argument(
    '--out', help='where to write; default: the first workdir'
  )
  parser.add_argument(
    '--baseline', metavar='ROW', help='the row that differences are taken to'
  )
  flags = parser.parse_args(arguments)
  try:
    workdirs = flags.workdir + flags.more
    print(write_report(workdirs, flags.out, baseline=flags.baseline))
  except (OSError, ValueError) as error:
    print(f'at_jax.report: {" ".join(str(error).split())}', file=sys.stderr)
    return 2
  return 0


if __name__ == '__main__':
  sys.exit(main())

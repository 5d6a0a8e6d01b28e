"""The report of a workdir, finished or running.

  python -m at_jax.report --workdir=runs/digits_at

prints the table of rows and seeds and writes report.md, its pictures, and
result.json into the workdir; and report.html, the same page as one file with
the pictures in it. Pictures are curves.png and attention.png; confusion.png and
mistakes_<row>.png, or roc_<row>.png where images have several labels; and
masks_<row>.png of networks with masks. Several workdirs are joined into one
report, in the first of them or in --out:

  python -m at_jax.report --workdir runs/wrn runs/wrn_at --out=runs/both
"""

import json
import os
import pathlib

from at_jax.report import (
  branches,
  classes,
  confusion,
  files,
  html,
  join,
  looks,
  masks,
  mistakes,
  multi_label,
  page,
  pictures,
  read,
  table,
)

_RAN = ('config', 'arguments', 'command', 'commit', 'versions', 'devices')
_KNOWN = (*_RAN, 'data', 'data_fingerprint', 'started')


def write_report(workdirs, out=None, *, baseline=None):
  """Writes report.md, report.html, their pictures and result.json.

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
  studies = [read.read_study(folder) for folder in reversed(unique.values())]
  study = join.join(studies)
  _set_baseline(study, baseline)
  out = pathlib.Path(out or studies[0].folder)
  out.mkdir(parents=True, exist_ok=True)
  rows = table.summarise(study)
  text = table.table(study, rows)
  measured = pictures.draw_curves(study, out / 'curves.png')
  shown = pictures.draw_attention(study, out / 'attention.png')
  sections = [
    multi_label.section(study, rows, out),
    confusion.section(study, rows, out),
    mistakes.section(study, rows, out),
    branches.section(rows),
    looks.section(study, rows),
    masks.section(study, rows, out),
    classes.section(study, out),
  ]
  files.write_text(out / 'result.json', _result(study, studies, rows))
  speed = table.speed(rows)
  whole = page.page(study, studies, text, speed, measured, shown, sections)
  files.write_text(out / 'report.md', whole)
  title = ', '.join(s.name for s in studies)
  files.write_text(out / 'report.html', html.html_page(whole, out, title))
  return text


def _set_baseline(study, wanted):
  """`wanted` is the baseline of every row; None leaves the config's."""
  if wanted is None:
    study.baseline = study.baseline if study.baseline in study.rows else ''
    missing = {r.baseline for r in study.rows.values()} - {'', *study.rows}
    study.notes += [
      f'{name}, a baseline, is not among the rows: join its workdir.'
      for name in sorted(missing)
    ]
    return
  names = [key for key, r in study.rows.items() if wanted in (key, r.label)]
  if not names:
    raise ValueError(f'No row {wanted!r}; the rows are {sorted(study.rows)}.')
  study.baseline = names[0]
  for row in study.rows.values():
    row.baseline = ''


def _result(study, studies, rows):
  result = {name: study.about.get(name) for name in _KNOWN}
  result['data_fingerprint'] = join.data_fingerprint(study) or None
  result |= dict(baseline=study.baseline, teachers=study.teachers, rows=rows)
  if len(studies) > 1:
    result['workdirs'] = [
      {name: s.about.get(name) for name in _KNOWN} for s in studies
    ]
  result['notes'] = study.notes
  return json.dumps(result, indent=2, ensure_ascii=False) + '\n'

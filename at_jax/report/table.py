"""The numbers of a study: statistics over seeds and the Markdown table."""

import statistics

from at_jax.pictures.text import markdown
from at_jax.report import looks, masks, multi_label, teachers

UNKNOWN = 'not yet measured'
NONE = '–'


def summarise(study):
  """Statistics of every row, as plain JSON.

  Args:
    study: a `read.Study`.

  Returns:
    A dict from a row's key to a dict: `label`, `errors` by seed (test error in
    % at the last epoch; `aurocs` where images have several labels), `n`,
    `median`, `mean`, `sd` (ddof 1; null for n < 2), `difference` to the
    baseline (null without one), `paper`, `validation` (mean at the last epoch,
    null without held out images), `top5` (median; null of few classes), `looks`
    (see `looks.medians`), `masks`, `responses`, `branches` (`masks.medians`),
    medians over runs `seconds`, `images_per_second` (median over a run),
    `peak_memory_mb` and `parameters`, `planned` (runs), `status`, and what
    `multi_label.summary` has.
  """
  headline = study.headline
  test, validation = map(headline.entry, ('test', 'validation'))
  found = {key: _by_seed(row, test) for key, row in study.rows.items()}
  rows = {}
  for key, row in study.rows.items():
    difference = None
    to = row.baseline or study.baseline
    if to in found and to != key:
      better = dict(higher_is_better=headline.higher_is_better)
      difference = paired(found[key], found[to], **better) | dict(to=to)
    rows[key] = dict(
      label=row.label,
      **{headline.plural: {str(seed): x for seed, x in found[key].items()}},
      **spread(found[key].values()),
      difference=difference,
      paper=row.paper or None,
      top5=_median_of(row, 'test_top5_error'),
      looks=looks.medians(row),
      masks=masks.medians(row, 'masks'),
      responses=masks.medians(row, 'responses'),
      branches=masks.medians(row, 'branches'),
      validation=spread(_by_seed(row, validation).values())['mean'],
      seconds=_median_of(row, 'seconds'),
      images_per_second=_rate(row),
      peak_memory_mb=_median_of(row, 'peak_memory_mb'),
      parameters=_median_of(row, 'parameters'),
      planned=len(row.seeds),
      status=status(row),
      **multi_label.summary(row),
    )
  return rows


def spread(values):
  """n, median, mean and sample sd, null where they do not exist.

  >>> spread([7.0, 8.0, 12.0])['median']
  8.0
  """
  values = list(values)
  return dict(
    n=len(values),
    median=statistics.median(values) if values else None,
    mean=statistics.fmean(values) if values else None,
    sd=statistics.stdev(values) if len(values) > 1 else None,
  )


def paired(found, base, *, higher_is_better=False):
  """Differences to the baseline by seed, over the seeds that both have.

  >>> paired({0: 7.0, 1: 9.0}, {0: 8.0, 1: 8.5, 2: 3.0})['mean']
  -0.25
  """
  differences = [found[seed] - base[seed] for seed in found if seed in base]
  stats = spread(differences)
  sign = 1 if higher_is_better else -1
  stats['wins'] = sum(sign * difference > 0 for difference in differences)
  return stats


def status(row):
  """What a row still lacks, in words; '' when all its runs are done."""
  done = sum(run.result is not None for run in row.runs.values())
  if done == len(row.seeds):
    return ''
  parts = [f'{done} of {len(row.seeds)} runs done']
  for seed, run in row.runs.items():
    if run.result is None and run.epoch is not None:
      whole = f'/{row.epochs:g}' if row.epochs else ''
      parts.append(f'seed {seed} at epoch {int(run.epoch + 1e-6)}{whole}')
  return ', '.join(parts)


def table(study, rows):
  """The Markdown table, padded to be read in a terminal too.

  Args:
    study: a `read.Study`.
    rows: what `summarise` returned for it.

  Returns:
    Its text, without a newline at the end.
  """
  bases = {
    row['difference']['to'] for row in rows.values() if row['difference']
  }
  paper = any(row['paper'] for row in rows.values())
  # First, and on its own: choices are made by this one.
  validated = any(row['validation'] is not None for row in rows.values())
  measure = study.headline.label
  head = ['', *([f'validation {measure} %, mean'] if validated else [])]
  head += [f'test {measure} %, median', 'mean ± sd', 'n']
  guessed = any(row['top5'] is not None for row in rows.values())
  head += ['top-5 error %, median'] if guessed else []
  if bases:
    base = rows[min(bases)]['label'] if len(bases) == 1 else '(row)'
    head += [f'difference to {base}, paired by seed']
  head += ['paper'] if paper else []
  head += ['time per run']
  lines, above = [head], _teacher_lines(study, rows, head)
  for key, row in rows.items():
    lines += above.pop(key, [])
    line = [
      f'{row["label"]} ({row["status"]})' if row['status'] else row['label']
    ]
    line += [_number(row['validation'])] if validated else []
    line += [_number(row['median']), _mean(row), str(row['n'])]
    line += [_number(row['top5'])] if guessed else []
    if bases:
      line += [_difference(rows, row['difference'], named=len(bases) > 1)]
    if paper:
      line += [f'{row["paper"]:.2f}' if row['paper'] else NONE]
    lines += [[*line, duration(row['seconds'])]]
  return markdown(lines)


def speed(rows):
  """The Markdown table of what training took.

  Args:
    rows: what `summarise` returned.
  """
  lines = [['', 'images/s', 'peak memory', 'time per run']]
  for row in rows.values():
    rate, memory = row['images_per_second'], row['peak_memory_mb']
    lines.append(
      [
        row['label'],
        UNKNOWN if rate is None else f'{rate:,.0f}',
        UNKNOWN if memory is None else f'{memory:,.0f} MB',
        duration(row['seconds']),
      ]
    )
  return markdown(lines)


def duration(seconds):
  """
  >>> duration(4.23), duration(150), duration(9000)
  ('4.2 s', '2.5 min', '2.5 h')
  """
  if seconds is None:
    return UNKNOWN
  for unit, size in (('h', 3600), ('min', 60)):
    if seconds >= size:
      return f'{seconds / size:.1f} {unit}'
  return f'{seconds:.1f} s'


def _by_seed(row, name):
  return {
    seed: float(run.result[name])
    for seed, run in sorted(row.runs.items())
    if run.result is not None and name in run.result
  }


def _median_of(row, name):
  values = [run.result.get(name) for run in row.runs.values() if run.result]
  values = [value for value in values if isinstance(value, int | float)]
  return statistics.median(values) if values else None


def _rate(row):
  """Images per second in training: compiling and evaluating left out."""
  found = (run.series.get('images_per_second') for run in row.runs.values())
  rates = [statistics.median(values) for _, values in filter(None, found)]
  return statistics.median(rates) if rates else None


def _teacher_lines(study, rows, head):
  """The teachers' one run each, which are no rows.

  Returns:
    A dict from a row's key to the lines above it: one teacher stands at the
    top, several stand above the first row that each of them teaches.
  """
  top = next(iter(rows))
  if not study.teachers:
    return {top: [_teacher_line('', {}, head)]} if study.awaits_teacher else {}
  names, above = teachers.names(study.teachers), {}
  for teacher in study.teachers:
    taught = [key for key in rows if key in teacher['rows']]
    place = taught[0] if taught and len(study.teachers) > 1 else top
    line = _teacher_line(names[teacher['hash']], teacher, head)
    above.setdefault(place, []).append(line)
  return above


def _teacher_line(name, teacher, head):
  error, top5 = teacher.get('test_error'), teacher.get('test_top5_error')
  known = {
    '': f'*{f"teacher {name}".strip()}*, one run',
    'test error %, median': _number(error),
    'n': '0' if error is None else '1',
    'top-5 error %, median': NONE if top5 is None else _number(top5),
  }
  return [known.get(title, NONE) for title in head]


def _number(value):
  return UNKNOWN if value is None else f'{value:.2f}'


def _mean(row):
  sd = NONE if row['sd'] is None else f'{row["sd"]:.2f}'
  return UNKNOWN if row['mean'] is None else f'{row["mean"]:.2f} ± {sd}'


def _difference(rows, stats, *, named):
  if not stats:
    return NONE
  to = f' ({rows[stats["to"]]["label"]})' if named else ''
  if not stats['n']:
    return UNKNOWN + to
  sd = NONE if stats['sd'] is None else f'{stats["sd"]:.2f}'
  return f'{stats["mean"]:+.2f} ± {sd}, wins {stats["wins"]}/{stats["n"]}{to}'

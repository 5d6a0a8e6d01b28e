"""What `benchmarks.paper_gpu` trains: which rows, in which order, how far.

All is read from the workdir; nothing here starts a process.
"""

import dataclasses
import statistics

from at_jax.report.files import is_number
from at_jax.train.checkpoint import read_json
from at_jax.train.writer import read_rows
from configs import table1, table2

PAIRS = (
  ('wrn_16_1', 'wrn_16_2'),
  'table2',
  ('wrn_16_1', 'wrn_40_1'),
  ('nin_96', 'nin_192'),
  ('wrn_16_2', 'wrn_40_2'),
)
METHODS = ('at', 'kd', 'at_kd', 'activation')
# Rows of Table 2 that Table 1 has too, by the names they have there.
SAME = {'alone': 'wrn_16_1', 'sum_2': 'wrn_16_1_from_wrn_16_2_at'}
TINY_EPOCHS = 2  # of configs' tiny form
TINY = ('wrn_16_1', 'wrn_16_1_from_wrn_16_2_at', 'max_1')


@dataclasses.dataclass(frozen=True)
class Job:
  """One row with all its seeds: one `train.py` in a workdir of its own.

  Attributes:
    table: 'table1' or 'table2', a config.
    row: of that table.
    teacher: what its teacher is called, '' without one; jobs of one teacher
      share its weights.
  """

  table: str
  row: str
  seeds: int
  epochs: int
  teacher: str = ''
  tiny: bool = False

  @property
  def name(self):
    return f'{self.table}_{self.row}'

  @property
  def config(self):
    """What `train.py --config=` wants."""
    size = 'tiny' if self.tiny else f'epochs={self.epochs}'
    rows = f'rows={self.row},seeds={self.seeds}'
    return f'configs/{self.table}.py:{rows},{size}'


def all_jobs(*, seeds, epochs, tiny=False):
  """Every row of Tables 1 and 2 once, the most valuable first."""
  rows = []
  for pair in PAIRS:
    if pair == 'table2':
      teacher = table2.DEFAULTS['teacher']
      rows += [('table2', r, teacher) for r in table2.ROWS if r not in SAME]
    else:
      student, name = pair
      rows.append(('table1', student, ''))
      for method in METHODS:
        row = f'{student}_from_{name}_{method}'
        rows.append(('table1', row, table1.TEACHERS[name]))
  if tiny:
    rows = [row for row in rows if row[1] in TINY]
  epochs = TINY_EPOCHS if tiny else epochs
  return [
    Job(table, row, seeds, epochs, teacher, tiny)
    for table, row, teacher in dict.fromkeys(rows)
  ]


def of_table(jobs, table):
  """The jobs of a table, with those of its rows that Table 1 trains."""
  wanted = set(SAME.values()) if table == 'table2' else set()
  return [job for job in jobs if job.table == table or job.row in wanted]


class Progress:
  """How far the jobs are, read from `<workdir>/jobs`.

  Args:
    folder: `<workdir>/jobs`.
  """

  def __init__(self, folder):
    self.folder = folder

  def workdir(self, job):
    return self.folder / job.name

  def runs(self, job):
    """(folder, result or None) of each seed."""
    folders = [
      self.workdir(job) / job.row / f'seed{seed}' for seed in range(job.seeds)
    ]
    return [(folder, read_json(folder / 'result.json')) for folder in folders]

  def done(self, job):
    return all(result is not None for _, result in self.runs(job))

  def has_teacher(self, job):
    """Whether the job has been handed its teacher: then others get it too."""
    return read_json(self.workdir(job) / 'teachers.json') is not None

  def next(self, jobs, tried):
    """The next job to start, or None.

    A teacher is trained by the first job that asks for it. The others would
    only wait for that one, so those that need not wait go before them.

    Args:
      jobs: in order.
      tried: {job: whether it is running}, of this call.
    """
    ready = {job.teacher for job in jobs if self.has_teacher(job)} | {''}
    busy = {job.teacher for job, running in tried.items() if running} - ready
    for job in jobs:
      if job not in tried and job.teacher not in busy and not self.done(job):
        return job
    return None

  def pace(self, job):
    """Seconds an epoch of this job takes, None where nobody knows yet."""
    found = []
    batch = (read_json(self.workdir(job) / 'config.json') or {}).get(
      'batch_size'
    )
    for folder, _ in self.runs(job):
      for row in read_rows(folder / 'metrics.jsonl'):
        rate, epoch = row.get('images_per_second'), row.get('epoch')
        if batch and is_number(rate) and rate > 0 and epoch:
          found.append(row['step'] / epoch * batch / rate)
    return statistics.median(found) if found else None

  def epochs_left(self, job):
    """Of all seeds together, by their metrics."""
    left = 0.0
    for folder, result in self.runs(job):
      if result is None:
        rows = read_rows(folder / 'metrics.jsonl')
        left += max(0.0, job.epochs - (rows[-1]['epoch'] if rows else 0.0))
    return left

  def estimate(self, jobs, at_once):
    """Minutes to train what is left: (minutes or None, jobs of unknown pace).

    Of training steps alone, without starts, compilations and evaluations. Jobs
    and teachers that have not begun are taken to be as slow as the median.

    Args:
      jobs: all.
      at_once: how many processes train side by side.
    """
    left = {job: self.epochs_left(job) for job in jobs if not self.done(job)}
    paces = {job: self.pace(job) for job in jobs}
    known = [pace for pace in paces.values() if pace]
    unknown = [job for job in left if not paces[job]]
    if not left:
      return 0.0, []
    if not known:
      return None, unknown
    middle = statistics.median(known)
    seconds = sum(left[job] * (paces[job] or middle) for job in left)
    ready = {job.teacher for job in jobs if self.has_teacher(job)} | {''}
    teachers = {job.teacher for job in left} - ready
    seconds += middle * sum(
      max(job.epochs for job in left if job.teacher == teacher)
      for teacher in teachers
    )
    return seconds / 60 / max(1, at_once), unknown

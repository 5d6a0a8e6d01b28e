"""`benchmarks.paper_gpu.jobs`: which rows, in which order, how far."""

import json
import re

import pytest

from at_jax.train.config import load_config, row_names
from benchmarks.paper_gpu import jobs
from benchmarks.paper_gpu.jobs import Job, Progress

T2 = 'configs/wrn.py:depth=16;width=2'
ALONE = Job('table1', 'wrn_16_1', 2, 10)
AT = Job('table1', 'wrn_16_1_from_wrn_16_2_at', 2, 10, T2)
KD = Job('table1', 'wrn_16_1_from_wrn_16_2_kd', 2, 10, T2)
NIN = Job('table1', 'nin_96_from_nin_192_at', 2, 10, 'configs/nin.py:width=192')
JOBS = [ALONE, AT, KD, NIN]


def write(path, value):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(value if isinstance(value, str) else json.dumps(value))


def begun(progress, job, seed=0, *, epochs=(), rate=512.0, done=False):
  """Writes what a job leaves: steps of 4 an epoch, batches of 64."""
  folder = progress.workdir(job)
  write(folder / 'config.json', {'batch_size': 64})
  if job.teacher:
    write(folder / 'teachers.json', [])
  run = folder / job.row / f'seed{seed}'
  rows = [
    dict(step=4 * e, epoch=float(e), images_per_second=rate) for e in epochs
  ]
  write(run / 'metrics.jsonl', ''.join(json.dumps(r) + '\n' for r in rows))
  if done:
    write(run / 'result.json', {'test_error': 1.0})


def test_jobs_are_every_row_of_both_tables_once():
  all_jobs = jobs.all_jobs(seeds=3, epochs=7)
  rows = [(job.table, job.row) for job in all_jobs]
  assert len(set(rows)) == len(rows)
  both = set(rows) | {('table2', row) for row in jobs.SAME}
  for table in ('table1', 'table2'):
    config = load_config(f'configs/{table}.py')
    assert {r for t, r in both if t == table} == set(row_names(config))
  for job in all_jobs:
    config = load_config(job.config)
    assert (row_names(config), config.seeds, config.epochs) == ([job.row], 3, 7)
    row = config.rows[job.row].to_dict()
    teacher = row.get('teacher.config', config.teacher.config)
    needs_none = set(row['objective']['terms']) == {'ce'}
    assert job.teacher == ('' if needs_none else teacher)


def test_the_most_valuable_come_first():
  names = [job.name for job in jobs.all_jobs(seeds=1, epochs=1)]
  pair = 'table1_wrn_16_1_from_wrn_16_2'
  assert names[:5] == ['table1_wrn_16_1'] + [
    f'{pair}_{method}' for method in ('at', 'kd', 'at_kd', 'activation')
  ]
  assert all(name.startswith('table2_') for name in names[5:11])
  order = ['wrn_16_1_from_wrn_40_1', 'nin_96_from', 'wrn_16_2_from_wrn_40_2']
  later = [re.search('|'.join(order), name) for name in names[11:]]
  met = list(dict.fromkeys(match[0] for match in later if match))
  assert met == order


def test_table2_is_reported_with_its_rows_of_table1():
  all_jobs = jobs.all_jobs(seeds=1, epochs=1)
  names = [job.name for job in jobs.of_table(all_jobs, 'table2')]
  assert names[:2] == [f'table1_{row}' for row in jobs.SAME.values()]
  assert len(names) == 8 and names[2:] == [
    f'table2_{row}'
    for row in ('sum_1', 'sum_4', 'max_1', 'group1', 'group2', 'group3')
  ]


def test_rows_that_both_tables_have_are_the_same():
  one, two = (load_config(f'configs/{t}.py') for t in ('table1', 'table2'))
  for second, first in jobs.SAME.items():
    a, b = two.rows[second], one.rows[first]
    assert a.objective == b.objective and a.paper == b.paper
    assert b['model'] == two.model


def test_tiny_jobs_have_tiny_configs():
  for job in jobs.all_jobs(seeds=1, epochs=200, tiny=True):
    config = load_config(job.config)
    assert config.tiny and config.epochs == job.epochs


def test_a_teacher_is_trained_by_one_job_alone(tmp_path):
  progress = Progress(tmp_path)
  assert progress.next(JOBS, {}) == ALONE
  assert progress.next(JOBS, {ALONE: True}) == AT
  # KD would wait for the teacher that AT trains.
  assert progress.next(JOBS, {ALONE: True, AT: True}) == NIN
  assert progress.next(JOBS, {ALONE: True, AT: True, NIN: True}) is None
  begun(progress, AT)
  assert progress.next(JOBS, {ALONE: True, AT: True}) == KD
  # AT failed before it had one.
  (progress.workdir(AT) / 'teachers.json').unlink()
  assert progress.next(JOBS, {ALONE: True, AT: False}) == KD


def test_what_is_done_is_skipped(tmp_path):
  progress = Progress(tmp_path)
  begun(progress, ALONE, 0, done=True)
  assert not progress.done(ALONE)
  begun(progress, ALONE, 1, done=True)
  assert progress.done(ALONE)
  assert progress.next(JOBS, {}) == AT
  half = progress.workdir(ALONE) / ALONE.row / 'seed1' / 'result.json'
  half.write_text('{"test_er')
  assert progress.next(JOBS, {}) == ALONE


def test_estimate(tmp_path):
  progress = Progress(tmp_path)
  assert progress.estimate(JOBS, 1) == (None, JOBS)
  begun(progress, ALONE, 0, epochs=[1, 10], done=True)
  begun(progress, ALONE, 1, epochs=[1, 2, 5], rate=64.0)
  begun(progress, AT, epochs=[2.5], rate=128.0)
  # Seconds an epoch: 4 * 64 / 512 = 0.5 twice and 4 three times; AT 2.
  assert (progress.pace(ALONE), progress.pace(AT)) == (4.0, 2.0)
  assert progress.epochs_left(AT) == 17.5
  # The median pace is 3; NIN's teacher is one more run.
  seconds = 5 * 4 + 17.5 * 2 + 20 * 3 + 20 * 3 + 10 * 3
  minutes, unknown = progress.estimate(JOBS, 2)
  assert minutes == pytest.approx(seconds / 60 / 2)
  assert unknown == [KD, NIN]
  begun(progress, ALONE, 1, done=True)
  assert progress.estimate([ALONE], 1) == (0.0, [])

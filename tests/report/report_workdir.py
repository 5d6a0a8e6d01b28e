"""Synthetic workdirs for the tests of the report."""

import json

import numpy as np

ROWS = {
  'alone': {'label': 'student alone'},
  'at': {'label': 'student + AT', 'paper': 7.93},
}
ERRORS = {
  'alone': {0: 8.0, 1: 9.0, 2: 7.0},
  'at': {0: 7.0, 1: 9.5, 2: 6.0},
}


def write(path, content):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(content))


def amend(path, **changes):
  """Sets entries of a JSON object in a file; None removes one."""
  content = json.loads(path.read_text()) | changes
  write(path, {k: v for k, v in content.items() if v is not None})


def lines_of(row, until, of='test'):
  lines = []
  for step in range(1, until + 1):
    train = dict(step=step, epoch=step / 2, loss=2.0, ce=1.0 / step)
    train |= dict(train_error=50.0 / step, lr=0.1, images_per_second=900.0)
    train |= {'grad_norm': 2.0, 'weight/ce': 1.0}
    if row == 'at':
      train |= {'at': 0.2, 'at/group1': 0.1, 'at/group2': 0.1, 'weight/at': 50}
    lines.append(train)
    if step % 2 == 0:
      lines.append(
        {'step': step, 'epoch': step / 2, f'{of}_error': 60.0 / step}
      )
  return ''.join(json.dumps(line) + '\n' for line in lines)


def write_maps(path, after=True, teacher=''):
  """Maps as training writes them; those of a teacher are its own alone."""
  rng = np.random.default_rng(0)
  arrays = dict(
    images=rng.integers(0, 256, (4, 8, 8, 1), np.uint8),
    labels=np.arange(4),
    class_names=np.asarray(list('abcd')),
  )
  arrays['before/group1'] = rng.random((4, 4, 4), np.float32)
  if after:
    own = np.random.default_rng(list(str(path.parent.parent.name).encode()))
    arrays['after/group1'] = own.random((4, 4, 4), np.float32)
  if teacher:
    arrays['teacher/group1'] = maps_of_teacher(teacher)
  np.savez(path, **arrays)


def write_predictions(folder, labels, predictions, names):
  """predictions.npz of a run; 0.5 is every probability."""
  arrays = dict(
    labels=np.array(labels, np.int32),
    predictions=np.array(predictions, np.int32),
    probabilities=np.full(len(labels), 0.5, np.float32),
    class_names=np.array(names),
  )
  np.savez(folder / 'predictions.npz', **arrays)


def write_mistakes(folder, names, **changes):
  """mistakes.npz of a run: two images, 1 taken for 0 and 2 for 1."""
  arrays = dict(
    images=np.stack([np.full((8, 6, 3), k, np.uint8) for k in (50, 200)]),
    labels=np.array([1, 2], np.int32),
    predictions=np.array([0, 1], np.int32),
    probabilities=np.array([0.9, 0.75], np.float32),
    class_names=np.array(names),
  )
  np.savez(folder / 'mistakes.npz', **(arrays | changes))


def maps_of_teacher(digest):
  rng = np.random.default_rng(list(digest.encode()))
  return rng.random((4, 4, 4), np.float32)


def teacher_entry(digest, rows, label='WRN-16-2', **changes):
  """An entry of teachers.json."""
  entry = dict(label=label, folder='../teachers/x', hash=digest)
  entry |= dict(test_error=5.1, parameters=691674, rows=list(rows))
  return entry | changes


def workdir(
  folder,
  rows=ROWS,
  errors=ERRORS,
  teacher='t1',
  teachers=None,
  fingerprint='d1',
  seeds=3,
  name='digits_at',
  of='test',
  **config,
):
  """Writes the workdir of a study, each run in `errors` being finished.

  `teacher` is the hash of the one teacher of all rows but `alone`; `teachers`
  are entries in its place.
  """
  baseline = next(iter(rows), '')
  base = dict(rows=rows, baseline=baseline, seeds=seeds, epochs=4, label='')
  base |= dict(paper=0.0, data=dict(name='digits', validation=0))
  write(folder / 'config.json', base | config)
  about = dict(config=name, arguments='', command='python train.py --x=1')
  about |= dict(commit='abc1234', versions={'jax': '0.10.2'}, devices='1 × cpu')
  about |= dict(data='scikit-learn digits', data_fingerprint=fingerprint)
  write(folder / 'about.json', about | dict(started='2026-11-20T12:00:00'))
  if teachers is None:
    taught = [key for key in rows or ['main'] if key != 'alone']
    teachers = [teacher_entry(teacher, taught)] if teacher else []
  write(folder / 'teachers.json', teachers)
  hashes = {row: entry['hash'] for entry in teachers for row in entry['rows']}
  for row, by_seed in errors.items():
    for seed, error in by_seed.items():
      run = folder / row / f'seed{seed}'
      result = dict(row=row, seed=seed, test_error=error, test_loss=0.3)
      result |= dict(seconds=90.0 + seed, parameters=175066, steps=8)
      result |= dict(data_fingerprint=fingerprint, teacher_hash=hashes.get(row))
      write(run / 'result.json', result)
      (run / 'metrics.jsonl').write_text(lines_of(row, 8, of))
      if seed == 0:
        write_maps(run / 'attention.npz', teacher=hashes.get(row))
  return folder


def cells(table):
  """The table as a dict from a row's first cell to its other cells."""
  lines = [line.strip('| ').split(' | ') for line in table.split('\n')]
  lines[0].insert(0, '')  # the head's first cell is empty and was stripped
  return {line[0].strip(): [c.strip() for c in line[1:]] for line in lines}

"""Rows, seeds, teachers and workdirs."""

import json
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest
from helpers import Context, Quiet, StopAt, numbers, one_device

from at_jax import report
from at_jax.evaluate import evaluate
from at_jax.train import study as study_module
from at_jax.train.checkpoint import read_json
from at_jax.train.config import load_config
from at_jax.train.stopping import Stopped
from at_jax.train.study import run_study
from at_jax.train.weights import load_weights, save_weights
from at_jax.train.workdir import Lock
from configs import common

pytestmark = pytest.mark.usefixtures('small_wrn')
SPEC = 'configs/digits_at.py:tiny,seeds=2,rows=alone+at'


def run(config, workdir, stop=None, monkeypatch=None):
  console = Quiet()
  if stop:
    monkeypatch.setattr(study_module, 'StopFlag', lambda: Context(stop))
  run_study(
    config,
    workdir,
    name='digits_at',
    arguments='tiny',
    console=console,
    mesh=one_device(),
  )
  return console.lines


def with_seeds(seeds):
  config = load_config(SPEC).copy_and_resolve_references().unlock()
  config.seeds = seeds
  return config.lock()


@pytest.fixture(scope='module')
def done(small_wrn, tmp_path_factory):
  workdir = tmp_path_factory.mktemp('study') / 'work'
  lines = run(with_seeds(2), workdir)
  return workdir, lines


def results(workdir):
  return {
    f'{row}{seed}': read_json(workdir / row / f'seed{seed}' / 'result.json')
    for row in ('alone', 'at')
    for seed in (0, 1)
  }


def test_a_workdir_is_self_contained(done):
  workdir, _ = done
  about = read_json(workdir / 'about.json')
  assert about['config'] == 'digits_at' and about['arguments'] == 'tiny'
  assert {'jax', 'flax', 'optax', 'python'} <= about['versions'].keys()
  assert about['data'] and about['data_fingerprint'] and 'commit' in about
  config = read_json(workdir / 'config.json')
  assert list(config['rows']) == ['alone', 'at']
  for row in ('alone', 'at'):
    for seed in (0, 1):
      folder = workdir / row / f'seed{seed}'
      for name in ('metrics.jsonl', 'checkpoints', 'weights', 'attention.npz'):
        assert (folder / name).exists()
  assert 'Total: ' in (workdir / 'parameters.txt').read_text()


def test_the_teacher_is_trained_once_beside_the_workdir(done):
  workdir, lines = done
  (teacher,) = read_json(workdir / 'teachers.json')
  assert teacher['rows'] == ['at'] and teacher['label'] == 'WRN-10-2'
  folders = list((workdir.parent / 'teachers').iterdir())
  assert [f'../teachers/{f.name}' for f in folders] == [teacher['folder']]
  weights = load_weights(folders[0] / 'main' / 'seed0' / 'weights')
  assert weights.digest == teacher['hash']
  hashes = {k: r['teacher_hash'] for k, r in results(workdir).items()}
  assert hashes['at0'] == hashes['at1'] == teacher['hash']
  assert hashes['alone0'] is None
  assert sum('training it first' in line for line in lines) == 1


def test_another_workdir_beside_shares_the_teacher(done):
  workdir, _ = done
  spec = 'configs/digits_at.py:tiny,seeds=1,rows=at'
  lines = run(load_config(spec), workdir.parent / 'other')
  assert not any('training it first' in line for line in lines)
  # The same row and seed gives the same numbers in any workdir.
  assert numbers(workdir.parent / 'other' / 'at' / 'seed0') == numbers(
    workdir / 'at' / 'seed0'
  )


def test_run_again_only_says_so(done):
  workdir, _ = done
  lines = run(with_seeds(2), workdir)
  assert any('are finished' in line for line in lines)
  assert not any('epoch' in line for line in lines)


def test_interrupted_and_rerun_is_the_same(done, tmp_path, monkeypatch):
  workdir, _ = done
  again = tmp_path / 'again'
  # In the teacher, in the first row, in the last run.
  for count in (2, 15, 18):
    with pytest.raises(Stopped):
      run(with_seeds(2), again, StopAt(count), monkeypatch)
  run(with_seeds(2), again, StopAt(), monkeypatch)
  skip = ('seconds', 'images_per_second', 'peak_memory_mb')
  for key, result in results(workdir).items():
    other = results(again)[key]
    assert {k: v for k, v in result.items() if k not in skip} == {
      k: v for k, v in other.items() if k not in skip
    }
  assert numbers(again / 'at' / 'seed1') == numbers(workdir / 'at' / 'seed1')


def test_another_config_in_the_workdir_is_refused(done):
  workdir, _ = done
  before = (workdir / 'config.json').read_text()
  config = with_seeds(2).unlock()
  config.optimizer.lr = 0.05
  config.rows.at.objective.terms.at.weight.value = 7.0
  with pytest.raises(ValueError, match='another config') as error:
    run(config.lock(), workdir)
  text = str(error.value)
  assert 'optimizer.lr: 0.1 in the workdir, 0.05 now' in text
  assert 'rows.at.objective.terms.at.weight.value: 10.0' in text
  assert '--workdir' in text
  assert (workdir / 'config.json').read_text() == before


def test_harmless_changes_and_more_seeds_are_welcome(done):
  workdir, _ = done
  config = with_seeds(3).unlock()
  config.log_every, config.checkpoint_seconds = 1, 5.0
  config.data.dir = '/elsewhere'
  run(config.lock(), workdir)
  assert read_json(workdir / 'config.json')['seeds'] == 3
  assert (workdir / 'at' / 'seed2' / 'result.json').exists()
  run(with_seeds(2), workdir)
  assert read_json(workdir / 'config.json')['seeds'] == 3


def test_other_data_are_refused(done, monkeypatch):
  workdir, _ = done
  (workdir / 'at' / 'seed0' / 'result.json').rename(workdir / 'kept.json')
  try:
    about = read_json(workdir / 'about.json')
    changed = json.dumps(about | {'data_fingerprint': 'other'})
    (workdir / 'about.json').write_text(changed)
    with pytest.raises(ValueError, match='data changed since'):
      run(with_seeds(2), workdir)
    (workdir / 'about.json').write_text(json.dumps(about))
  finally:
    (workdir / 'kept.json').rename(workdir / 'at' / 'seed0' / 'result.json')


def changed(spec, rows, **fields):
  """A config with other rows, each a mapping of dotted paths."""
  config = load_config(spec).copy_and_resolve_references().unlock()
  old = config.rows.to_dict()
  config.rows = common.dotted({k: old[v] | more for k, v, more in rows})
  config.baseline = ''
  config.update(fields)
  return config.lock()


def test_a_teacher_inherits_from_the_row_it_teaches(tmp_path):
  rows = [('short', 'kd', {'epochs': 1}), ('long', 'kd', {'epochs': 2})]
  spec = 'configs/digits_at.py:tiny,seeds=1'
  run(changed(spec, rows, seeds=1), tmp_path / 'both')
  run(changed(spec, rows[1:], seeds=1), tmp_path / 'alone')
  short, long = read_json(tmp_path / 'both' / 'teachers.json')
  assert short['rows'] == ['short'] and long['rows'] == ['long']
  assert short['hash'] != long['hash']
  # A row's numbers do not depend on which rows stand beside it.
  (only,) = read_json(tmp_path / 'alone' / 'teachers.json')
  assert only['hash'] == long['hash']
  folders = [tmp_path / w / 'long' / 'seed0' for w in ('both', 'alone')]
  assert numbers(folders[0]) == numbers(folders[1])
  # Rows of an earlier command keep their teacher and the baseline.
  run(changed(spec, rows[:1], seeds=1), tmp_path / 'both')
  assert len(read_json(tmp_path / 'both' / 'teachers.json')) == 2


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'epochs': 0}, 'epochs must be at least 1'),
    ({'dtype': 'float16'}, "Unknown config.dtype 'float16'"),
    ({'seeds': 3}, "Row 'x' sets 'seeds'"),
    ({'teacher.weights': 'runs/x'}, 'names both'),
    ({'teacher.overrides': {'epochs': 0}}, 'epochs must be at least 1'),
    ({'teacher.overrides': {'data.size': 16}}, 'takes images of'),
    (
      {'teacher.overrides': {'batch_size': 300}},
      'batch_size=300 of the teacher .*larger than .*200 images.*:batch=200',
    ),
    ({'batch_size': 300}, 'batch_size=300 of the student is larger'),
  ],
)
def test_rows_and_teachers_are_checked(tmp_path, change, words):
  if 'teacher.overrides' in change:
    overrides = common.dotted(change['teacher.overrides'])
    change = {'teacher.overrides': overrides}
  config = changed('configs/digits_at.py:tiny', [('x', 'kd', change)])
  with pytest.raises(ValueError, match=words):
    run(config, tmp_path / 'work')


def test_an_edit_of_the_teachers_config_waits_for_the_next_study(
  tmp_path, monkeypatch
):
  """What teaches a row is decided once, however long the study runs."""
  seen = []
  real = study_module.teacher_key
  monkeypatch.setattr(
    study_module, 'teacher_key', lambda c: seen.append(1) or real(c)
  )
  spec = 'configs/digits_at.py:tiny,seeds=2,rows=at'
  run(load_config(spec), tmp_path / 'work')
  assert len(seen) == 1


def test_a_damaged_result_counts_as_missing(done):
  workdir, _ = done
  path = workdir / 'at' / 'seed0' / 'result.json'
  whole = path.read_text()
  path.write_text(whole[:20])
  run(with_seeds(2), workdir)
  again, before = json.loads(path.read_text()), json.loads(whole)
  assert again['test_error'] == before['test_error']
  assert again['test_loss'] == before['test_loss']


def test_a_changed_teacher_is_refused(done, tmp_path):
  workdir, _ = done
  (teacher,) = read_json(workdir / 'teachers.json')
  folder = workdir / teacher['folder'] / 'main' / 'seed0' / 'weights'
  shutil.copytree(folder, tmp_path / 'weights')
  rows = [('at', 'at', {})]
  spec = 'configs/digits_at.py:tiny'
  named = {'teacher': dict(config='', weights=str(tmp_path / 'weights'))}
  run(changed(spec, rows, seeds=1, **named), tmp_path / 'work')
  # Another network of the same kind under the same name.
  other = load_weights(folder)
  shutil.rmtree(tmp_path / 'weights')
  doubled = jax.tree.map(lambda x: 2 * x, other.variables)
  save_weights(
    tmp_path / 'weights',
    network=other.network,
    model=json.loads((folder / 'model.json').read_text())['model'],
    variables=doubled,
    class_names=other.class_names,
  )
  with pytest.raises(ValueError, match="teacher's weights changed"):
    run(changed(spec, rows, seeds=2, **named), tmp_path / 'work')


def test_evaluate_knows_the_row_it_measures(tmp_path):
  rows = [
    ('plain', 'alone', {}),
    ('small', 'alone', {'data.size': 16, 'dtype': 'bfloat16'}),
  ]
  run(changed('configs/digits_at.py:tiny', rows, seeds=1), tmp_path / 'w')
  for row in ('plain', 'small'):
    result = read_json(tmp_path / 'w' / row / 'seed0' / 'result.json')
    got = evaluate(tmp_path / 'w', row=row, mesh=one_device())
    assert got['error'] == result['test_error']


def test_two_processes_do_not_share_a_workdir(tmp_path):
  lock = Lock(tmp_path)
  with pytest.raises(BlockingIOError, match='Another process is training in'):
    Lock(tmp_path)
  lock.release()
  Lock(tmp_path).release()


HOLD = """
import fcntl, sys
file = open(sys.argv[1], 'w')
fcntl.flock(file, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
"""


def test_a_second_process_waits_for_the_teacher(tmp_path):
  other = subprocess.Popen(
    [sys.executable, '-c', HOLD, str(tmp_path / '.lock')],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  assert other.stdout.readline() == 'held\n'
  told = []

  def wait():
    told.append(True)
    other.stdin.close()

  Lock(tmp_path, wait=wait).release()
  assert told == [True] and other.wait(30) == 0
  other.stdout.close()


def test_evaluate_measures_what_training_reported(done):
  workdir, _ = done
  expected = results(workdir)['at1']
  for folder in (workdir, workdir / 'at' / 'seed1'):
    got = evaluate(folder, row='at', seed=1)
    assert got['error'] == expected['test_error'] and got['images'] == 797
    np.testing.assert_allclose(got['loss'], expected['test_loss'], rtol=1e-6)
  weights = workdir / 'at' / 'seed1' / 'weights'
  assert evaluate(weights, batch_size=7)['error'] == expected['test_error']
  alone = tuple(evaluate(workdir, row='alone')[k] for k in ('error', 'loss'))
  assert alone[0] == results(workdir)['alone0']['test_error']


def test_evaluate_keeps_the_size_of_images_in_memory(done):
  with pytest.raises(ValueError, match='size=320 is for streamed.*of digits'):
    evaluate(done[0], size=320)
  # Those of cifar10 are not looked for first.
  with pytest.raises(ValueError, match='size=9 is for streamed.*of cifar10'):
    evaluate(done[0], data='cifar10', size=9)


def test_evaluate_a_bare_weights_folder(done, tmp_path):
  workdir, _ = done
  shutil.copytree(workdir / 'at' / 'seed0' / 'weights', tmp_path / 'bare')
  with pytest.raises(ValueError, match='--data=cifar10'):
    evaluate(tmp_path / 'bare')
  got = evaluate(tmp_path / 'bare', data='digits')
  assert got['error'] == results(workdir)['at0']['test_error']
  with pytest.raises(ValueError, match="Unknown row .*'tat'"):
    evaluate(workdir, row='tat')
  with pytest.raises(FileNotFoundError, match='weights of: alone/seed0'):
    evaluate(workdir, row='at', seed=9)
  with pytest.raises(FileNotFoundError, match='is no workdir'):
    evaluate(tmp_path)


def test_a_weights_folder_as_teacher(done, tmp_path):
  workdir, _ = done
  (teacher,) = read_json(workdir / 'teachers.json')
  folder = str(workdir / teacher['folder'] / 'main' / 'seed0' / 'weights')
  config = load_config('configs/digits_at.py:tiny,seeds=1,rows=at')
  config = config.copy_and_resolve_references().unlock()
  config.teacher.config, config.teacher.weights = '', folder
  run(config.lock(), tmp_path / 'work')
  # The same teacher by another way: the same run.
  assert numbers(tmp_path / 'work' / 'at' / 'seed0') == numbers(
    workdir / 'at' / 'seed0'
  )
  (about,) = read_json(tmp_path / 'work' / 'teachers.json')
  assert about['hash'] == teacher['hash']
  assert about['test_error'] == pytest.approx(teacher['test_error'])


def test_damaged_weights_are_refused(done, tmp_path):
  workdir, _ = done
  copy = tmp_path / 'weights'
  shutil.copytree(workdir / 'at' / 'seed0' / 'weights', copy)
  about = json.loads((copy / 'model.json').read_text())
  less = {key: value for key, value in about.items() if key != 'digest'}
  (copy / 'model.json').write_text(json.dumps(less))
  with pytest.raises(ValueError, match='lacks digest'):
    load_weights(copy)
  (copy / 'model.json').write_text(json.dumps(about | {'digest': 'x'}))
  with pytest.raises(ValueError, match='damaged'):
    load_weights(copy)
  shutil.rmtree(copy / 'arrays')
  with pytest.raises(ValueError, match='cannot be read'):
    load_weights(copy)
  with pytest.raises(FileNotFoundError, match='No weights folder'):
    load_weights(tmp_path)


def test_the_report_of_a_real_study(done):
  workdir, _ = done
  table = report.write_report(workdir)
  for text in ('alone', 'AT', 'teacher', 'wins'):
    assert text in table
  names = ('report.md', 'report.html', 'result.json', 'confusion.png')
  for name in (*names, 'curves.png', 'attention.png'):
    assert (workdir / name).stat().st_size > 0

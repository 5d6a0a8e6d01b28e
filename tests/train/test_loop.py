"""The loop: interrupted anywhere, resumed, and bitwise the same."""

import errno
import json
import re
import shutil
import signal

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from helpers import Quiet, StopAt, make_program, numbers, tiny_config

from at_jax.data import load_dataset
from at_jax.train.checkpoint import Checkpoints, read_json, tree_digest
from at_jax.train.loop import train
from at_jax.train.stopping import StopFlag, Stopped
from at_jax.train.weights import load_weights

pytestmark = pytest.mark.usefixtures('small_wrn')


@pytest.fixture(scope='module')
def program(small_wrn):
  config = tiny_config()
  return make_program(config, load_dataset(config.data))


def run(program, folder, stop=None, console=None):
  return train(
    program,
    seed=1,
    folder=folder,
    title='run',
    console=console or Quiet(),
    stop=stop or StopAt(),
  )


@pytest.fixture(scope='module')
def whole(program, tmp_path_factory):
  folder = tmp_path_factory.mktemp('whole')
  return run(program, folder), folder


def assert_same(folder, result, whole):
  expected, expected_folder = whole
  assert numbers(folder) == numbers(expected_folder)
  for key in ('test_error', 'test_loss', 'steps', 'parameters'):
    assert result[key] == expected[key]
  digests = [
    load_weights(f / 'weights').digest for f in (folder, expected_folder)
  ]
  assert digests[0] == digests[1]


def test_rows_and_result(program, whole):
  result, folder = whole
  rows = numbers(folder)
  trained = [row for row in rows if 'loss' in row]
  # 4 steps an epoch, a row every 2, 3 epochs.
  assert [row['step'] for row in trained] == [2, 4, 6, 8, 10, 12]
  assert [row['epoch'] for row in rows if 'test_error' in row] == [1, 2, 3]
  for name in ('ce', 'kd', 'at', 'at/group1', 'at/group3', 'weight/at', 'lr'):
    assert name in trained[0]
  assert trained[-1]['loss'] < trained[0]['loss']
  assert result['steps'] == 12
  assert json.loads((folder / 'result.json').read_text()) == result
  assert list(folder.glob('events.out.tfevents.*'))
  arrays = np.load(folder / 'attention.npz')
  assert arrays['images'].dtype == np.uint8
  for when in ('teacher', 'before', 'after'):
    assert arrays[f'{when}/group3'].shape == (4, 2, 2)
  assert (arrays['before/group3'] != arrays['after/group3']).any()


def test_predictions_and_mistakes_are_kept(program, whole):
  result, folder = whole
  test = program.bench.dataset.test
  arrays = np.load(folder / 'predictions.npz')
  np.testing.assert_array_equal(arrays['labels'], test.labels)
  wrong = arrays['predictions'] != arrays['labels']
  assert result['test_error'] == 100 * wrong.mean()
  order = np.argsort(
    -np.where(wrong, arrays['probabilities'], 0), kind='stable'
  )
  order = order[: min(12, wrong.sum())]
  shown = np.load(folder / 'mistakes.npz')
  np.testing.assert_array_equal(shown['images'], test.images[order])
  assert shown['images'].dtype == np.uint8
  for name in ('labels', 'predictions', 'probabilities'):
    np.testing.assert_array_equal(shown[name], arrays[name][order])
  names = program.bench.dataset.class_names
  assert tuple(shown['class_names']) == names


def test_a_finished_run_is_not_run_again(program, whole):
  result, folder = whole
  before = (folder / 'metrics.jsonl').read_bytes()
  assert run(program, folder, stop=StopAt(0)) == result
  assert (folder / 'metrics.jsonl').read_bytes() == before


# Stops after step 1, inside a row, at a row's end, at an epoch's end, at the
# last step but one, while the last one is saved.
@pytest.mark.parametrize('stops', [(0,), (2,), (1, 0), (3, 3), (10,), (12,)])
def test_resume_is_bitwise(program, whole, tmp_path, stops):
  for count in stops:
    with pytest.raises(Stopped, match='[Rr]un the same command again'):
      run(program, tmp_path, stop=StopAt(count))
    assert not (tmp_path / 'result.json').exists()
  assert_same(tmp_path, run(program, tmp_path), whole)


def test_rows_after_the_checkpoint_are_cut_back(program, whole, tmp_path):
  with pytest.raises(Stopped):
    run(program, tmp_path, stop=StopAt(4))
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write('{"step": 6, "loss": 1e9}\n{"step": 8, "lo')
  assert_same(tmp_path, run(program, tmp_path), whole)


def two_checkpoints(program, folder):
  for count in (2, 2):
    with pytest.raises(Stopped):
      run(program, folder, stop=StopAt(count))
  steps = sorted(int(p.name) for p in (folder / 'checkpoints').iterdir())
  assert steps == [3, 6]


def largest_file(folder):
  return max(
    (p for p in folder.rglob('*') if p.is_file()),
    key=lambda p: p.stat().st_size,
  )


def truncate(folder):
  path = largest_file(folder)
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(folder):
  path = largest_file(folder)
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(bytes(content))


def remove_the_meta(folder):
  shutil.rmtree(folder / 'meta')


@pytest.mark.parametrize('damage', [truncate, flip_a_bit, remove_the_meta])
def test_a_damaged_checkpoint_falls_back(program, whole, tmp_path, damage):
  two_checkpoints(program, tmp_path)
  damage(tmp_path / 'checkpoints' / '6')
  console = Quiet()
  result = run(program, tmp_path, console=console)
  said = [line for line in console.lines if 'damaged' in line]
  assert len(said) == 1 and 'Checkpoint 6' in said[0]
  assert 'going on from step 3' in said[0]
  assert (tmp_path / 'damaged' / '6').exists()
  assert_same(tmp_path, result, whole)


def test_all_checkpoints_damaged_starts_again(program, whole, tmp_path):
  two_checkpoints(program, tmp_path)
  for step in ('3', '6'):
    truncate(tmp_path / 'checkpoints' / step)
  console = Quiet()
  result = run(program, tmp_path, console=console)
  assert any('starts again' in line for line in console.lines)
  assert_same(tmp_path, result, whole)


def test_a_passing_read_error_is_no_damage(program, tmp_path, monkeypatch):
  two_checkpoints(program, tmp_path)

  def unreadable(self, *args, **kwargs):
    raise OSError(errno.EMFILE, 'Too many open files')

  monkeypatch.setattr('orbax.checkpoint.CheckpointManager.restore', unreadable)
  with pytest.raises(OSError, match='Too many open files'):
    run(program, tmp_path)
  assert not (tmp_path / 'damaged').exists()
  assert (tmp_path / 'checkpoints' / '6').exists()


def test_another_teacher_in_the_middle_is_refused(program, tmp_path):
  with pytest.raises(Stopped):
    run(program, tmp_path, stop=StopAt(2))
  with pytest.raises(ValueError, match="teacher's weights changed"):
    train(
      program,
      seed=1,
      folder=tmp_path,
      title='run',
      console=Quiet(),
      stop=StopAt(),
      teacher_hash='another',
    )


def test_a_half_written_checkpoint_is_ignored(program, whole, tmp_path):
  two_checkpoints(program, tmp_path)
  half = tmp_path / 'checkpoints' / '9.orbax-checkpoint-tmp'
  shutil.copytree(tmp_path / 'checkpoints' / '6', half)
  truncate(half)
  assert_same(tmp_path, run(program, tmp_path), whole)


def test_a_full_disk_loses_nothing(program, whole, tmp_path, monkeypatch):
  with pytest.raises(Stopped):
    run(program, tmp_path, stop=StopAt(2))

  def full(self, *args, **kwargs):
    raise OSError(errno.ENOSPC, 'No space left on device')

  with monkeypatch.context() as patch:
    patch.setattr('orbax.checkpoint.CheckpointManager.save', full)
    with pytest.raises(OSError, match='disk is full.*step 3.*make room') as e:
      run(program, tmp_path, stop=StopAt(2))
  assert e.value.errno == errno.ENOSPC
  assert_same(tmp_path, run(program, tmp_path), whole)


def test_a_signal_while_saving_is_no_full_disk(program, tmp_path, monkeypatch):
  def interrupted(self, *args, **kwargs):
    raise Stopped(15, 'left at once', at_once=True)

  monkeypatch.setattr('orbax.checkpoint.CheckpointManager.save', interrupted)
  with pytest.raises(Stopped, match='left at once'):
    run(program, tmp_path)


def test_the_last_checkpoint_is_not_interrupted(
  program, whole, tmp_path, monkeypatch
):
  save, stop = ocp.CheckpointManager.save, StopFlag()

  def signalled(self, *args, **kwargs):
    signal.raise_signal(signal.SIGTERM)
    return save(self, *args, **kwargs)

  with monkeypatch.context() as patch:
    patch.setattr(ocp.CheckpointManager, 'save', signalled)
    with stop, pytest.raises(Stopped, match='at step 12 of 12') as error:
      run(program, tmp_path, stop=stop)
  assert not error.value.at_once
  assert Checkpoints(tmp_path / 'checkpoints').latest_step() == 12
  assert_same(tmp_path, run(program, tmp_path), whole)


def test_not_finite_stops_with_names_step_and_checkpoint(tmp_path):
  config = tiny_config(**{'optimizer.lr': 1e30})
  program = make_program(config, load_dataset(config.data))
  with pytest.raises(FloatingPointError) as error:
    run(program, tmp_path)
  text = str(error.value)
  assert 'loss' in text and 'checkpoint: none' in text
  assert re.search(r'not finite at step [23] ', text)
  assert Checkpoints(tmp_path / 'checkpoints').latest_step() is None


def test_the_teacher_is_not_moved(program, tmp_path):
  before = tree_digest(program.teacher_variables)
  run(program, tmp_path)
  assert tree_digest(program.teacher_variables) == before
  state = program.init(0)
  sizes = [x.size for x in jax.tree.leaves(program.teacher_variables)]
  assert sum(sizes) not in [x.size for x in jax.tree.leaves(state)]
  names = {p.name for p in (tmp_path / 'checkpoints' / '12').rglob('*')}
  assert not any('teacher' in name for name in names)


def test_seeds_differ_and_rows_share_their_start(program):
  one, other = program.init(0), program.init(1)
  assert tree_digest(one.params) != tree_digest(other.params)
  plain = tiny_config('configs/wrn.py:tiny')
  plain = make_program(plain, program.bench.dataset)
  assert tree_digest(plain.init(0).params) == tree_digest(one.params)
  np.testing.assert_array_equal(
    plain.order(plain.init(0)), program.order(program.init(0))
  )


def test_validation_is_what_the_curves_show(tmp_path):
  config = tiny_config('configs/wrn.py:tiny', **{'data.validation': 100})
  program = make_program(config, load_dataset(config.data))
  result = run(program, tmp_path)
  rows = numbers(tmp_path)
  assert [r['epoch'] for r in rows if 'validation_error' in r] == [1, 2, 3]
  assert not any('test_error' in row for row in rows)
  assert {'test_error', 'validation_error'} <= result.keys()
  assert read_json(tmp_path / 'result.json') == result

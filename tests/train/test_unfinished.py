"""The network of a run that is not finished: what its checkpoint says."""

import json
import shutil

import jax
import numpy as np
import pytest
from helpers import Quiet, StopAt, make_program, tiny_config

from at_jax.data import load_dataset
from at_jax.train.checkpoint import Checkpoints, write_json
from at_jax.train.loop import train
from at_jax.train.program import student_variables
from at_jax.train.stopping import Stopped
from at_jax.train.unfinished import load_unfinished
from at_jax.visualize.networks import find_columns

pytestmark = pytest.mark.usefixtures('small_wrn')


def stopped(folder, *counts, **changes):
  """A program, after runs of it were stopped in a folder, as many as counts."""
  config = tiny_config(**changes)
  program = make_program(config, load_dataset(config.data))
  for count in counts:
    with pytest.raises(Stopped):
      train(
        program,
        seed=1,
        folder=folder,
        title='run',
        console=Quiet(),
        stop=StopAt(count),
      )
  return program


@pytest.fixture(scope='module')
def kept(small_wrn, tmp_path_factory):
  folder = tmp_path_factory.mktemp('kept') / 'work/at/seed1'
  return stopped(folder, 2, 2), folder


@pytest.fixture
def run(kept, tmp_path):
  """A copy that may be broken."""
  return shutil.copytree(kept[1], tmp_path / 'work/at/seed1')


def test_it_is_the_newest_state(kept):
  program, run = kept
  weights = load_unfinished(run / 'checkpoints')
  template = program.init(1)
  state, _ = Checkpoints(run / 'checkpoints').restore(template)
  assert int(state.step) == 6
  jax.tree.map(
    np.testing.assert_array_equal, weights.variables, student_variables(state)
  )
  network, dataset = program.network, program.bench.dataset
  assert weights.network.label == f'{network.label}, unfinished, step 6'
  for name in ('model', 'mean', 'std', 'input_shape'):
    assert getattr(weights.network, name) == getattr(network, name)
  assert weights.class_names == dataset.class_names
  assert not weights.multi_label


def test_a_mean_of_each_pixel(tmp_path):
  changes = {'data.per_pixel_mean': True}
  program = stopped(tmp_path, 0, **changes)
  network = load_unfinished(tmp_path / 'checkpoints').network
  assert network.per_pixel and network.mean == program.network.mean


def test_a_column_until_the_run_is_finished(run):
  workdir = run.parents[1]
  write_json(workdir / 'config.json', {'rows': {'alone': {}, 'at': {}}})
  (column,) = find_columns([workdir], 'at', 1)
  assert (column.name, column.workdir) == ('at', workdir)
  assert column.title.endswith('unfinished, step 6')
  (same,) = find_columns([run])
  assert same.name == 'at' and same.weights.digest == column.weights.digest
  with pytest.raises(
    FileNotFoundError, match='seed0 has no weights and no checkpoints yet'
  ):
    find_columns([workdir], 'alone')


def flip_a_bit(checkpoint):
  files = (p for p in (checkpoint / 'state').rglob('*') if p.is_file())
  path = max(files, key=lambda p: p.stat().st_size)
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(bytes(content))


def other_digest(checkpoint):
  """As if arrays had changed in a way that Orbax cannot see."""
  path = checkpoint / 'meta/metadata'
  meta = json.loads(path.read_text())
  meta['meta']['student']['digest'] = 'another'
  path.write_text(json.dumps(meta))


def without_student(checkpoint):
  path = checkpoint / 'meta/metadata'
  meta = json.loads(path.read_text())
  del meta['meta']['student']
  path.write_text(json.dumps(meta))


@pytest.mark.parametrize(
  ('damage', 'said'),
  [
    (flip_a_bit, 'cannot be read.*sets it aside'),
    (other_digest, 'not the ones that were saved.*sets it aside'),
    (lambda path: shutil.rmtree(path / 'meta'), 'cannot be read'),
    (without_student, 'before 0.4'),
  ],
)
def test_damage_is_named(run, damage, said):
  damage(run / 'checkpoints/6')
  with pytest.raises(ValueError, match=rf'(?s)checkpoints/6 .*{said}'):
    load_unfinished(run / 'checkpoints')


def test_none_yet(tmp_path):
  (tmp_path / '3.orbax-checkpoint-tmp').mkdir()
  with pytest.raises(FileNotFoundError, match='no checkpoint yet.*Ctrl-C'):
    load_unfinished(tmp_path)

"""F-ActT through the loop: its kernels train along, and stay out of weights."""

import jax
import numpy as np
import pytest
from helpers import Quiet, StopAt, numbers, one_device, tiny_config
from small_networks import TinyNet, assert_trees_equal, variables_of

from at_jax.data import load_dataset
from at_jax.models import MODELS
from at_jax.train.bench import Bench, make_network
from at_jax.train.checkpoint import Checkpoints, read_json, tree_digest
from at_jax.train.config import teacher_config
from at_jax.train.loop import train
from at_jax.train.program import Program, student_variables
from at_jax.train.stopping import Stopped
from at_jax.train.weights import load_weights
from configs import common, methods

SEED = 1
TAPS = (
  ('group1/block1', 'group1/block1'),
  ('group1', 'group1/block2'),
  ('group2', 'group2'),
)
NAMES = ('group1/block1', 'group1~group1/block2', 'group2')  # in rows
KERNELS = ('group1_block1', 'group1~group1_block2', 'group2')
# 4 steps an epoch. The term's weight is 0 from epoch 2 on: then its kernels
# are moved by weight decay and momentum alone, which epoch 3 sets back.
SETTINGS = {
  'objective.terms.activation.taps': TAPS,
  'objective.terms.activation.weight.end': 1.0,
  'objective.terms.activation.weight.value': 1000.0,
  'optimizer.drops': (3,),
  'optimizer.weight_decay': 0.01,
}


def settings():
  config = tiny_config('configs/wrn_activation.py:tiny', **SETTINGS)
  with config.unlocked():
    config.model = dict(name='tiny_net', width=4)
    config.teacher.overrides = common.dotted(
      {'model': dict(name='tiny_net', width=8)}
    )
  return config


@pytest.fixture(scope='module', autouse=True)
def tiny_net():
  """A network that compiles fast, by name."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'tiny_net', TinyNet)
    yield


@pytest.fixture(scope='module')
def program(tiny_net):
  config = settings()
  dataset = load_dataset(config.data)
  bench = Bench(dataset, one_device(), config.eval_batch_size, config.precision)
  teacher = make_network(teacher_config(config), dataset)
  program = Program(config, bench, teacher=teacher)
  program.set_teacher(variables_of(teacher, 7))  # nothing to compile
  return program


@pytest.fixture(scope='module')
def plain(program):
  """The same student without a teacher."""
  config = settings()
  with config.unlocked():
    config.objective = methods.alone()
    config.teacher.config = ''
  return Program(config, program.bench, teacher=None)


def run(program, folder, stop=None):
  return train(
    program,
    seed=SEED,
    folder=folder,
    title='run',
    console=Quiet(),
    stop=stop or StopAt(),
  )


@pytest.fixture(scope='module')
def whole(program, tmp_path_factory):
  folder = tmp_path_factory.mktemp('whole')
  return run(program, folder), folder


def last_state(program, folder):
  """The state in the folder's last checkpoint."""
  checkpoints = Checkpoints(folder / 'checkpoints')
  state, _ = checkpoints.restore(program.init(SEED))
  checkpoints.close()
  return state


@pytest.fixture(scope='module')
def history(program):
  """[(kernels, their momentum)] before the first step and after each."""
  state, seen = program.init(SEED), []
  feed = program.feed(SEED, 0)
  for step in range(program.total_steps + 1):
    trees = (state.params, state.opt_state[1].inner.trace)
    seen.append(
      jax.device_get([tree['objective']['activation'] for tree in trees])
    )
    if step < program.total_steps:
      state, _, _ = program.advance(state, feed, step)
  return seen


def test_kernels_are_parameters_of_the_state(program):
  own = program.init(SEED).params['objective']
  assert list(own) == ['activation']
  assert {k: v.shape for k, v in own['activation'].items()} == dict.fromkeys(
    KERNELS, (4, 8)
  )
  other = program.init(SEED + 1).params['objective']
  for one, two in zip(*map(jax.tree.leaves, (own, other)), strict=True):
    assert (np.asarray(one) != np.asarray(two)).all()


def test_student_begins_as_without_the_term(program, plain):
  state, bare = program.init(SEED), plain.init(SEED)
  assert bare.params['objective'] == {}
  assert_trees_equal(state.params['student'], bare.params['student'])


def test_kernels_move_while_the_term_has_a_weight(history):
  for name in KERNELS:
    kernels = [kernel[name] for kernel, _ in history]
    for before, after in zip(kernels[:4], kernels[1:5], strict=True):
      change = after - before
      # Weight decay alone would shrink the kernel along itself.
      along = np.vdot(change, before) / np.vdot(before, before) * before
      assert np.linalg.norm(change - along) > 0.5 * np.linalg.norm(change) > 0


def test_weight_decay_and_momentum_are_the_students(program, history):
  settings = program.config.optimizer
  for name in KERNELS:
    kernel, trace = (np.float64(tree[name]) for tree in history[4])
    assert np.linalg.norm(trace) > 0
    for step in range(4, 12):
      trace = 0 if step == 8 else settings.momentum * trace
      trace = trace + settings.weight_decay * kernel
      lr = settings.lr * settings.factor ** (step >= 8)
      kernel = kernel - lr * trace
      got = [tree[name] for tree in history[step + 1]]
      np.testing.assert_allclose(got[0], kernel, rtol=1e-4, atol=1e-6)
      np.testing.assert_allclose(got[1], trace, rtol=1e-4, atol=1e-7)


def test_kernels_are_in_the_checkpoint(program, whole, history):
  state = last_state(program, whole[1])
  assert int(state.step) == 12
  assert_trees_equal(state.params['objective']['activation'], history[-1][0])


# In the middle of an epoch, at its end, and both.
@pytest.mark.parametrize('stops', [(2,), (3,), (1, 3)])
def test_resume_is_bitwise(program, whole, tmp_path, stops):
  for count in stops:
    with pytest.raises(Stopped):
      run(program, tmp_path, stop=StopAt(count))
  result, (expected, folder) = run(program, tmp_path), whole
  assert numbers(tmp_path) == numbers(folder)
  assert result['test_loss'] == expected['test_loss']
  states = [last_state(program, f) for f in (tmp_path, folder)]
  assert tree_digest(states[0]) == tree_digest(states[1])


def test_rows_hold_the_term_and_its_taps(whole):
  rows = [row for row in numbers(whole[1]) if 'loss' in row]
  assert [row['weight/activation'] > 0 for row in rows] == [1, 1, 0, 0, 0, 0]
  for row in rows:
    parts = [row[f'activation/{name}'] for name in NAMES]
    assert min(parts) > 0
    np.testing.assert_allclose(sum(parts), row['activation'], rtol=1e-5)
  assert rows[0]['loss'] > 1.5 * rows[0]['ce']
  assert rows[-1]['loss'] == rows[-1]['ce']
  assert rows[1]['activation'] < 0.95 * rows[0]['activation']


def test_weights_and_the_count_are_the_students_alone(program, whole):
  result, folder = whole
  # By hand: three 3x3 convolutions with bias, batch norms, the last layer.
  convolutions = 9 * (3 * 4 + 2 * 4 * 4) + 3 * 4
  want = convolutions + 3 * 2 * 4 + 4 * 10 + 10
  assert result['parameters'] == want
  assert read_json(folder / 'result.json')['parameters'] == want
  weights = load_weights(folder / 'weights')
  state = last_state(program, folder)
  assert_trees_equal(weights.variables, student_variables(state))
  names = [str(p.relative_to(folder)) for p in (folder / 'weights').rglob('*')]
  files = [p for p in (folder / 'weights').rglob('*') if p.is_file()]
  assert len(files) > 1
  for word in ('objective', 'activation', *KERNELS):
    assert not any(word in name for name in names)
    assert not any(word.encode() in file.read_bytes() for file in files)


def test_weights_test_as_the_run_did(plain, whole):
  result, folder = whole
  evaluator = plain.bench.evaluator(plain.network, 'test')
  again = evaluator(load_weights(folder / 'weights').variables)
  assert again.as_dict('test')['test_error'] == result['test_error']


def test_teacher_is_not_moved(program):
  before = tree_digest(program.teacher_variables)
  state = program.init(SEED)
  program.advance(state, program.feed(SEED, 0), 0)
  assert tree_digest(program.teacher_variables) == before


def test_blocks_of_the_tiny_config_are_those_of_its_network():
  config = tiny_config('configs/wrn_activation.py:tiny,taps=blocks')
  assert config.model.depth == 10  # one block a group
  want = common.same('group1/block1', 'group2/block1', 'group3/block1')
  assert config.objective.terms.activation.taps == want

"""The term `activation` when it is built: its kernels, and what it refuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import assert_trees_equal, tiny_network, wrn_network
from transfer_runs import BLOCKS, CE, GROUPS, at_term, build

from at_jax.objectives import make_objective
from at_jax.objectives.forward import Forward
from at_jax.objectives.terms import regressors
from configs import common, methods

KEY = jax.random.key(3)
GOLDEN = (0.37808, -0.788042)  # entries [0, 0], of jax 0.10.2 on a CPU


def term(**settings):
  defaults = dict(taps=GROUPS, form='code')
  return {'weight': common.constant(100.0)} | defaults | settings


@functools.cache
def network(**kwargs):
  return tiny_network(**kwargs)


def kernels(key=KEY, student=4, **terms):
  objective = build(network(width=student), network(width=8), **terms)
  return objective.init(key)


def test_a_kernel_for_every_tap_from_student_to_teacher():
  own = kernels(activation=term(taps=BLOCKS))
  assert jax.tree.map(jnp.shape, own) == {
    'activation': {
      'group1_block1': (4, 8),
      'group1_block2': (4, 8),
      'group2_block1': (4, 8),
    }
  }
  assert {x.dtype for x in jax.tree.leaves(own)} == {jnp.dtype('float32')}


@pytest.mark.parametrize(
  ('depth', 'width', 'want'),
  [(16, 2, [(16, 32), (32, 64), (64, 128)]), (22, 1, [])],
)
def test_networks_and_taps_of_the_paper(depth, width, want):
  student, teacher = wrn_network(16, 1), wrn_network(depth, width)
  objective = build(student, teacher, **methods.activation(1e3)['terms'])
  own = jax.eval_shape(objective.init, KEY)
  assert [x.shape for x in jax.tree.leaves(own)] == want


def test_names_of_pairs():
  taps = (('group1/block1', 'group1'), ('group2', 'group2'))
  own = kernels(activation=term(taps=taps))['activation']
  assert set(own) == {'group1_block1~group1', 'group2'}


def test_other_terms_have_no_parameters():
  terms = dict(ce=CE, kd={'weight': common.constant(1.0)}, at=at_term())
  assert kernels(**terms) == {}
  assert kernels(activation=term(), student=8) == {}


def test_kernels_depend_on_the_key_alone():
  own = kernels(activation=term())
  assert_trees_equal(kernels(activation=term()), own)
  among_others = dict(ce=CE, at=at_term(), activation=term(form='paper'))
  assert_trees_equal(kernels(**among_others), own)
  one, two = jax.tree.leaves(own)
  other_one, other_two = jax.tree.leaves(
    kernels(jax.random.key(4), activation=term())
  )
  for x, y in ((one, two), (one, other_one), (two, other_two)):
    assert (np.asarray(x) != np.asarray(y)).all()
    assert abs(np.corrcoef(np.ravel(x), np.ravel(y))[0, 1]) < 0.6
  assert_trees_equal(
    jax.jit(build(network(width=4), network(width=8), activation=term()).init)(
      KEY
    ),
    own,
  )


def test_kernels_keep_the_size_of_rectified_features():
  """He's normal: a variance of 2 / the student's channels."""

  def ends(channels):
    return {'a': jax.ShapeDtypeStruct((2, 4, 4, channels), jnp.float32)}

  forward = Forward(None, None, ends(64), None, ends(512))
  kernel = np.asarray(regressors(KEY, forward, taps=(('a', 'a'),))['a'])
  assert kernel.shape == (64, 512)
  np.testing.assert_allclose(kernel.std(), (2 / 64) ** 0.5, rtol=0.02)
  assert abs(kernel.mean()) < 0.005
  assert 2.1 < np.abs(kernel).max() / kernel.std() < 2.4  # cut at 2.27


def test_kernels_of_a_seed_are_the_same_in_every_process():
  own = kernels(activation=term())['activation']
  got = [own[name][0, 0] for name in ('group1', 'group2')]
  np.testing.assert_allclose(got, GOLDEN, rtol=1e-3)


ERRORS = {
  'no taps': (term(taps=()), ['activation', 'no taps', 'common.same']),
  'twice': (
    term(taps=(('group1', 'group1'), *GROUPS)),
    ['activation', "'group1' twice", 'weight'],
  ),
  'a pair twice': (
    term(taps=(('group1', 'group1/block1'),) * 2),
    ["'group1~group1/block1' twice"],
  ),
  "student's endpoint": (
    term(taps=(('grup1', 'group1'),)),
    ["student's", "'grup1'", "mean 'group1'", 'group1/block2', 'group2'],
  ),
  "teacher's endpoint": (
    term(taps=(('group1', 'group1/block3'),)),
    ["teacher's", "'group1/block3'", "mean 'group1/block", 'group2/block1'],
  ),
  'two sizes': (
    term(taps=(('group1', 'group1'), ('group1/block1', 'group2'))),
    ["student's 'group1/block1' is 8x8", "teacher's 'group2' 4x4", 'term at'],
  ),
  'form': (term(form='papr'), ["'papr'", "mean 'paper'", 'code']),
  'setting': (
    term(resize='bilinear'),
    ["'resize'", "'activation'", 'weight, taps, form'],
  ),
  'no weight': ({'taps': GROUPS}, ["'activation'", 'no weight', 'constant']),
}


@pytest.mark.parametrize('width', [4, 8])  # with and without regressors
@pytest.mark.parametrize('case', ERRORS)
def test_errors_when_built(case, width):
  settings, words = ERRORS[case]
  with pytest.raises(ValueError) as error:
    build(network(width=width), network(width=8), activation=settings)
  for word in words:
    assert word in str(error.value)


def test_two_sizes_of_one_name():
  with pytest.raises(ValueError) as error:
    build(network(width=4), network(stride=2), activation=term())
  for word in ("student's 'group1' is 8x8", "teacher's 'group1' 4x4"):
    assert word in str(error.value)


@pytest.mark.parametrize('size', [(8, 4), (4, 8)])
def test_sizes_are_height_and_width(size):
  stride = tuple(8 // side for side in size)
  square, other = network(width=4), network(width=8, stride=stride)
  message = "'group1' is 8x8.*'group1' {}x{}".format(*size)
  with pytest.raises(ValueError, match=message):
    build(square, other, activation=term())


def test_no_teacher():
  with pytest.raises(ValueError, match="'activation' needs a teacher.*config"):
    build(network(width=4), None, activation=term())


def test_unknown_name_of_a_term_is_led_here():
  with pytest.raises(ValueError, match="'activations'.*mean 'activation'"):
    build(network(width=4), network(width=8), activations=term())


def test_supervised_has_no_parameters():
  objective = make_objective(
    {'name': 'supervised'},
    student=network(width=4),
    teacher=network(width=8),
    steps_per_epoch=1,
    epochs=1,
  )
  assert objective.init(KEY) == {}

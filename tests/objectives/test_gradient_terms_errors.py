"""Which endpoints gradients can be taken at; what is refused when built."""

import flax.linen as nn
import jax.numpy as jnp
import pytest
from small_networks import MEAN, STD, tiny_network, wrn_network
from transfer_runs import CE, build, two_parts

from at_jax.models import create_model
from at_jax.objectives import Network
from at_jax.objectives.forward import Networks
from at_jax.objectives.places import submodule_of
from configs import common

STUDENT, TEACHER = two_parts(), two_parts(hidden=8, norm=True)


def term(**settings):
  return {'weight': common.constant(1.0)} | settings


def tapped(*pairs):
  return dict(grad_at=term(taps=pairs))


def check(words, student=STUDENT, teacher=TEACHER, **terms):
  with pytest.raises(ValueError) as error:
    build(student, teacher, ce=CE, **terms)
  for word in words:
    assert word in str(error.value)
  return str(error.value)


@pytest.mark.parametrize('settings', [{}, {'taps': common.same('middle')}])
def test_grad_at_without_a_teacher(settings):
  words = "'grad_at'", 'needs a teacher', 'config.teacher'
  check(words, teacher=None, grad_at=term(**settings))


@pytest.mark.parametrize('settings', [{}, {'taps': common.same('middle')}])
def test_teacher_of_other_classes(settings):
  words = 'grad_at', 'same classes', 'student has 10', 'teacher 7'
  check(words, teacher=two_parts(num_classes=7), grad_at=term(**settings))


@pytest.mark.parametrize('name', ['min_l2', 'symmetry'])
def test_terms_without_teacher_do_not_ask_for_one(name):
  build(STUDENT, None, **{name: term()})


UNKNOWN = {
  'grad_at': dict(tap=()),
  'min_l2': dict(square=True),
  'symmetry': dict(output=0.5),
}


@pytest.mark.parametrize('name', UNKNOWN)
def test_unknown_setting(name):
  (setting,) = UNKNOWN[name]
  words = f"'{setting}'", f"term '{name}'", f"mean '{setting}", 'squared'
  check(words, **{name: term(**UNKNOWN[name])})


def test_unknown_endpoint():
  for pair in (('midle', 'middle'), ('middle', 'midle')):
    words = "'midle'", "mean 'middle'", 'active'
    check(words, **tapped(pair))


def test_one_pair_twice():
  pair = ('middle', 'middle')
  check(['grad_at', "'middle' twice"], **tapped(pair, pair))


@pytest.mark.parametrize('side', [0, 1])
def test_endpoint_that_no_submodule_returns(side):
  pair = ['middle', 'middle']
  pair[side] = 'active'
  text = check(["'active'", 'TwoParts', 'submodule'], **tapped(tuple(pair)))
  assert 'There are: middle.' in text


def test_network_without_any_endpoint_to_reach():
  network = tiny_network(norm=False)
  words = 'TinyNet', "'group1'", 'There are: none'
  check(words, student=network, **tapped(('group1', 'middle')))


def test_shapes_that_differ():
  words = "'middle'", '(4, 4, 4)', '(4, 4, 6)', 'one shape', 'pixels'
  wide = two_parts(width=6)
  check(words, teacher=wide, **tapped(('middle', 'middle')))


class Around(nn.Module):
  """What it returns is also what the module in it does."""

  @nn.compact
  def __call__(self, x):
    return nn.Conv(3, (3, 3))(x)


class Repeats(nn.Module):
  """`once` is the output of other modules; of `shared` there are two."""

  dtype = jnp.float32

  @nn.compact
  def __call__(self, images, *, train):
    shared = nn.Conv(3, (3, 3), name='shared')
    first = shared(images)
    second = shared(nn.tanh(first))
    once = Around()(second)
    logits = nn.Dense(10)(jnp.mean(once, axis=(1, 2)))
    return logits, {'first': first, 'second': second, 'once': once}


@pytest.mark.parametrize('name', ['first', 'second'])
def test_module_that_is_called_twice(name):
  network = Network(Repeats(), MEAN, STD, (8, 8, 3), 'Repeats')
  build(network, network, **tapped(('once', 'once')))
  text = check(
    ['Repeats', f"'{name}'", 'There are: once.'],
    student=network,
    teacher=network,
    **tapped((name, 'once')),
  )
  assert 'submodule' in text


def named(name, **kwargs):
  return Network(create_model(name, **kwargs), MEAN, STD, (8, 8, 3), name)


GROUPS = ['group1', 'group2', 'group3']
BLOCKS = [f'{group}/block1' for group in GROUPS]
CONVS = [f'{group}/conv' for group in GROUPS]
MODELS = {
  'wrn': (wrn_network(width=0.25), GROUPS + BLOCKS),
  'cifar_resnet': (named('cifar_resnet', depth=8), GROUPS + BLOCKS),
  'nin': (named('nin', widths=4), CONVS),
  'nin without ReLU': (
    named('nin', widths=4, relu_before_pool=False),
    GROUPS + CONVS,
  ),
  'nin of the paper': (
    named('nin', widths=4, batch_norm=False, relu_before_pool=False),
    GROUPS + CONVS,
  ),
}


@pytest.mark.parametrize('train', [False, True])
@pytest.mark.parametrize('name', MODELS)
def test_endpoints_of_our_models(name, train):
  network, want = MODELS[name]
  ends = Networks(network, None).shapes().student_ends
  for end in ends:
    if end in want:
      assert submodule_of(network, end, train)[1] == ends[end].shape[1:]
    else:
      with pytest.raises(ValueError, match='submodule.*' + '.*'.join(want)):
        submodule_of(network, end, train)
  assert set(want) <= set(ends)


def test_submodule_is_the_one_whose_output_it_is():
  path, shape = submodule_of(two_parts(norm=True), 'middle', True)
  assert path == ('front',) and shape == (4, 4, 4)

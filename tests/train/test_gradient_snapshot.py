"""attention.npz of a study of gradients: what the picture is made of."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import one_device, tiny_config
from small_networks import TinyNet, variables_of

from at_jax.data import load_dataset
from at_jax.models import MODELS
from at_jax.train.bench import Bench, make_network
from at_jax.train.config import teacher_config
from at_jax.train.program import Program
from at_jax.train.snapshot import COUNT, save_snapshot
from configs import common, methods

NAME = 'input gradient'
MEAN, STD = (120.0,), (60.0,)  # the teacher's


@pytest.fixture(scope='module')
def make():
  """terms -> a program whose networks compile fast."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'tiny_net', TinyNet)

    def program(objective):
      config = tiny_config('configs/wrn_at.py:tiny')
      with config.unlocked():
        config.model = dict(name='tiny_net', width=4)
        config.objective = objective
        config.teacher.overrides = common.dotted(
          {'model': dict(name='tiny_net', width=8), 'data.mean': MEAN}
          | {'data.std': STD}
        )
      dataset = load_dataset(config.data)
      bench = Bench(
        dataset, one_device(), config.eval_batch_size, config.precision
      )
      teacher = make_network(teacher_config(config), dataset)
      made = Program(config, bench, teacher=teacher)
      made.set_teacher(variables_of(teacher, 7))
      return made

    yield program


@functools.partial(jax.jit, static_argnames=('network', 'own'))
def by_hand(network, variables, raw, label, own):
  """One image's gradient with respect to the student's own pixels."""
  (mean, std), (other_mean, other_std) = (
    np.array([one.mean, one.std], np.float32)[:, None, None]
    for one in (own, network)
  )
  pixels = (raw - mean) / std

  def loss(pixels):
    images = (pixels * std + mean - other_mean) / other_std
    logits, _ = network.apply(variables, images[None])
    return -jax.nn.log_softmax(logits[0])[label]

  return jax.grad(loss)(jnp.asarray(pixels))


def test_gradients_of_student_and_teacher(make, tmp_path):
  program = make(methods.grad_at(1.0))
  assert program.shows_gradients
  before, after = (variables_of(program.network, seed) for seed in (1, 2))
  save_snapshot(tmp_path, 'before', program, before)
  save_snapshot(tmp_path, 'after', program, after)
  arrays = dict(np.load(tmp_path / 'attention.npz'))
  own, teacher = program.network, program.objective.teacher
  for prefix, network, variables in (
    ('before', own, before),
    ('after', own, after),
    ('teacher', teacher, program.teacher_variables),
  ):
    got = arrays[f'{prefix}/{NAME}']
    assert got.shape == arrays['images'].shape and got.dtype == np.float32
    assert len(got) == COUNT
    for k, (raw, label) in enumerate(
      zip(arrays['images'], arrays['labels'], strict=True)
    ):
      want = by_hand(network, variables, np.float32(raw), label, own)
      np.testing.assert_allclose(got[k], want, rtol=1e-3, atol=1e-6)
  assert {name.partition('/')[2] for name in arrays if '/' in name} == {
    'group1',
    'group2',
    NAME,
  }


def test_a_program_without_gradients_shows_them_if_told(make, tmp_path):
  program = make(methods.alone())
  assert not program.shows_gradients
  variables = variables_of(program.network, 1)
  save_snapshot(tmp_path, 'before', program, variables)
  assert f'before/{NAME}' not in np.load(tmp_path / 'attention.npz')
  program.shows_gradients = True
  save_snapshot(tmp_path, 'before', program, variables)
  assert f'before/{NAME}' in np.load(tmp_path / 'attention.npz')

"""Our networks, losses and steps against plain PyTorch ones, weight by weight.

Skipped where PyTorch is not installed.
"""

import functools

import jax
import numpy as np
import optax
import pytest
from small_networks import variables_of

from at_jax.data.augment import normalise
from at_jax.data.dataset import Dataset, Split
from at_jax.train.bench import Bench, make_network
from at_jax.train.config import load_config, row_config, teacher_config
from at_jax.train.mesh import data_mesh, put, replicated
from at_jax.train.optimizer import make_optimizer
from at_jax.train.program import Program
from benchmarks import workload
from benchmarks.catalogue import WORK

torch = pytest.importorskip('torch')
from torch_copies import (  # noqa: E402 (imports torch)
  assert_close,
  load,
  nchw,
  state_dict,
)

from benchmarks import torch_nin, torch_step, torch_wrn  # noqa: E402

BATCH = 8
MOMENTUM = 0.9  # of running statistics, in Linen's sense


@functools.cache
def dataset():
  images, labels = (x[:BATCH] for x in workload.random_examples('ce', BATCH))
  split = Split(images, labels)
  names = tuple('abcdefghij')
  return Dataset('random', 'random', names, split, None, split)


@functools.cache
def config_of(step):
  """The benchmark's, without augmentation: the engines draw differently."""
  config = load_config(workload.CONFIGS[step])
  with config.unlocked():
    config.batch_size = BATCH
    config.data.update(pad=0, flip=False)
    config.optimizer.update(lr=workload.LR, warmup=0.0)
  return row_config(config, 'main')


def images():
  return dataset().train.images


def torch_normalised(step, images, order):
  scale = torch_step.normalisation(WORK[step], images)
  return torch_step.normalise(nchw(images[order]), *scale)


@pytest.mark.parametrize('step', ['ce', 'ran56_cifar', 'ran56'])
def test_normalisation(step):
  network = make_network(config_of(step), dataset())
  ours = normalise(images()[::-1], network.mean, network.std)
  theirs = torch_normalised(step, images(), slice(None, None, -1))
  assert_close(theirs, nchw(ours), 1e-6)


# 1.5: the first group of a width other than 1 has a convolution as shortcut.
@pytest.mark.parametrize('width', [1, 1.5])
@pytest.mark.parametrize('train', [False, True])
def test_network(width, train):
  config = config_of('ce').copy_and_resolve_references().unlock()
  config.model.width = width
  network = make_network(config, dataset())
  variables = variables_of(network, seed=1)
  pixels = normalise(images(), network.mean, network.std)
  apply = jax.jit(network.apply, static_argnames='train')
  outputs = apply(variables, pixels, train=train)
  (logits, ends), stats = outputs if train else (outputs, None)

  model = load(torch_wrn.WRN(16, width), variables).train(train)
  before = {k: v.clone() for k, v in model.named_buffers()}
  with torch.no_grad():
    other_logits, other_ends = model(nchw(pixels))
  assert_close(other_logits, logits, 2e-5)
  for number, other in enumerate(other_ends, 1):
    assert_close(other, nchw(ends[f'group{number}']), 2e-5)
  if train:
    want = state_dict(type(model), {'params': {}, 'batch_stats': stats})
    assert_statistics(model, before, want)


def assert_statistics(model, before, want):
  """PyTorch's running variance is that of n - 1, ours that of n."""
  after = dict(model.named_buffers())
  assert len(want) == 2 * 13
  for name, value in want.items():
    got = after[name]
    if name.endswith('var'):
      size = 32 // 2 ** size_of_stage(name)
      n = BATCH * size**2
      old = MOMENTUM * before[name]
      got = old + (got - old) * (n - 1) / n
    assert_close(got, value, 2e-5)


def size_of_stage(name):
  """How often the input of a batch norm was halved."""
  if name.startswith('bn.'):
    return 2
  _, group, block, layer, _ = name.split('.')
  begins = (block, layer) == ('0', 'bn0')
  return max(int(group) - begins, 0)


def ours(step, teacher_variables, variables, count):
  """(student's variables, loss) after each of `count` steps of `Program`."""
  config = config_of(step)
  mesh = data_mesh(jax.devices()[:1])
  bench = Bench(dataset(), mesh, BATCH, config.precision)
  teacher = None
  if config.teacher.config:
    teacher = make_network(teacher_config(config), dataset())
  program = Program(config, bench, teacher=teacher)
  program.set_teacher(teacher_variables)
  params = {'student': variables['params'], 'objective': {}}
  place = functools.partial(put, sharding=replicated(mesh))
  state = program.init(0).replace(
    params=place(params), batch_stats=place(variables['batch_stats'])
  )
  history, feed = [], program.feed(0, 0)
  for number in range(count):
    order = np.array(program.order(state))
    state, metrics, length = program.advance(state, feed, number)
    assert length == 1
    student = {
      'params': state.params['student'],
      'batch_stats': state.batch_stats,
    }
    history.append((jax.tree.map(np.array, student), metrics['loss'][0], order))
  return history


# Attention-56 compiles for a minute, and is so deep that float32 leaves two
# digits of its gradients (float64 does not). Its logits are compared in
# test_torch_ran.py, its updates below.
@pytest.mark.parametrize(
  'name', [name for name in WORK if not name.startswith('ran')]
)
def test_two_training_steps(name):
  step, shape = torch_step.STEPS[name], (config_of(name), dataset())
  variables = variables_of(make_network(*shape), seed=2)
  student, teacher = torch_step.make_networks(step)
  load(student, variables)
  teacher_variables = None
  if teacher:
    wide = make_network(teacher_config(config_of(name)), dataset())
    teacher_variables = variables_of(wide, seed=3)
    load(teacher, teacher_variables)
  optimizer = torch_step.make_optimizer(student, step)
  kind = type(student)
  before = dict(state_dict(kind, variables))

  # The second step has the momentum of the first.
  history = ours(name, teacher_variables, variables, 2)
  for after, loss, order in history:
    pixels = torch_normalised(name, images(), order)
    labels = torch.tensor(dataset().train.labels[order]).long()
    value = step.loss(student, teacher, pixels, labels)
    torch_step.update(value, optimizer)
    assert value.item() == pytest.approx(float(loss), rel=1e-4)
    want = state_dict(kind, {'params': after['params'], 'batch_stats': {}})
    for parameter_name, parameter in student.named_parameters():
      # What the step changed, not what it left as it was; a parameter itself
      # is rounded to 24 bits. As a whole: at a single ReLU or maximum that is
      # nearly a tie the two may differ.
      new, old = parameter.detach(), before[parameter_name]
      noise = 2.0**-22 * float(old.norm())
      change = want[parameter_name] - old
      off = float((new - old - change).norm())
      assert off <= 1e-3 * float(change.norm()) + noise, parameter_name
      before[parameter_name] = new.clone()
    counted = [key for key in before if key in want]
    assert len(counted) == len(want)


@pytest.mark.parametrize('name', list(WORK))
def test_updates(name):
  settings = config_of(name).optimizer.to_dict()
  ours, _ = make_optimizer(settings, steps_per_epoch=100, epochs=1)
  layer = torch.nn.Linear(5, 4, bias=False)
  theirs = torch_step.make_optimizer(layer, torch_step.STEPS[name])
  kernel = layer.weight.detach().numpy().T.copy()
  params = {'student': {'kernel': kernel}}
  state, rng = ours.init(params), np.random.default_rng(4)
  for _ in range(3):
    # As small as the weights times their decay, which has to be seen.
    gradient = rng.normal(0, 1e-4, (5, 4)).astype(np.float32)
    grads = {'student': {'kernel': gradient}}
    updates, state = ours.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    layer.weight.grad = torch.tensor(gradient.T)
    theirs.step()
    change = layer.weight.detach().numpy().T - kernel
    assert_close(change, params['student']['kernel'] - kernel, 1e-5)


@pytest.mark.parametrize('size', [32, 9])
def test_network_in_network(size):
  config = config_of('nin')
  network = make_network(config, dataset())
  variables = variables_of(network, seed=1)
  pixels = normalise(images()[:, :size, :size], network.mean, network.std)
  logits, _ = jax.jit(network.apply)(variables, pixels)
  model = load(torch_nin.NIN(96), variables)
  with torch.no_grad():
    assert_close(model(nchw(pixels)), logits, 2e-5)

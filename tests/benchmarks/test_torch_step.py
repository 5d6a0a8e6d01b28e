"""Our networks, losses and steps against plain PyTorch ones, weight by weight.

Skipped where PyTorch is not installed.
"""

import functools

import jax
import numpy as np
import pytest
from small_networks import variables_of

from at_jax.data.augment import normalise
from at_jax.data.dataset import Dataset, Split
from at_jax.train.bench import Bench, make_network
from at_jax.train.config import load_config, row_config, teacher_config
from at_jax.train.mesh import data_mesh, put, replicated
from at_jax.train.program import Program
from benchmarks import workload

torch = pytest.importorskip('torch')
from benchmarks import (  # noqa: E402 (imports torch)
  torch_nin,
  torch_step,
  torch_wrn,
)

BATCH = 8
MOMENTUM = 0.9  # of running statistics, in Linen's sense


def to_torch(path, array):
  """(PyTorch's name, its value) of a leaf of Linen's variables."""
  *modules, leaf = [key.key for key in path]
  if '_conv' in modules[0]:  # a NIN's
    group, layer = modules[0].removeprefix('group').split('_conv')
    modules[0] = f'groups.{int(group) - 1}.{2 * int(layer)}'
  elif modules[0].startswith('group'):
    group, block = modules[0].removeprefix('group').split('_block')
    modules[0] = f'groups.{int(group) - 1}.{int(block) - 1}'
  names = {'mean': 'running_mean', 'var': 'running_var', 'bias': 'bias'}
  array = np.array(array)
  if leaf == 'kernel':
    array = array.transpose((3, 2, 0, 1) if array.ndim == 4 else (1, 0))
  return '.'.join([*modules, names.get(leaf, 'weight')]), torch.tensor(array)


def state_dict(variables):
  """Linen's `params` and `batch_stats` as a PyTorch state dict."""
  return dict(
    to_torch(path, leaf)
    for part in ('params', 'batch_stats')
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables[part])
  )


def load(model, variables):
  """Copies weights; every parameter and statistic must be there."""
  counters = {
    name: value
    for name, value in model.state_dict().items()
    if name.endswith('num_batches_tracked')
  }
  model.load_state_dict(state_dict(variables) | counters)
  return model


def assert_close(got, want, tolerance):
  """Relative to the largest entry: sums of floats are in another order."""
  got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
  assert got.shape == want.shape
  bound = tolerance * np.max(np.abs(want))
  np.testing.assert_allclose(got, want, rtol=0, atol=bound)


@functools.cache
def dataset():
  images, labels = (x[:BATCH] for x in workload.random_examples(BATCH))
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


def nchw(pixels):
  return torch.tensor(np.array(pixels)).permute(0, 3, 1, 2)


def torch_normalised(pixels):
  return torch_step.normalise(nchw(pixels), *torch_step.normalisation('cpu'))


def test_normalisation():
  data = config_of('ce').data
  ours = normalise(images(), data.mean, data.std)
  theirs = torch_normalised(images())
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
    want = state_dict({'params': {}, 'batch_stats': stats})
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


@pytest.mark.parametrize('name', list(workload.CONFIGS))
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
  before = dict(state_dict(variables))

  # The second step has the momentum of the first.
  history = ours(name, teacher_variables, variables, 2)
  for after, loss, order in history:
    pixels = torch_normalised(images()[order])
    labels = torch.tensor(dataset().train.labels[order]).long()
    value = step.loss(student, teacher, pixels, labels)
    torch_step.update(value, optimizer)
    assert value.item() == pytest.approx(float(loss), rel=1e-4)
    want = state_dict({'params': after['params'], 'batch_stats': {}})
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


def test_crop_flip_is_a_reflected_padding_cut():
  rng = np.random.default_rng(5)
  data = images()
  rows = rng.permutation(BATCH)
  top, left = rng.integers(0, 9, (2, BATCH))
  top[:4], left[:4] = (0, 8, 0, 8), (0, 8, 8, 0)
  mirror = np.arange(BATCH) % 2 == 0
  got = torch_step.crop_flip(
    *(torch.tensor(x) for x in (data, rows, top, left, mirror))
  )
  padded = np.pad(data, ((0, 0), (4, 4), (4, 4), (0, 0)), mode='reflect')
  for k in range(BATCH):
    crop = padded[rows[k], top[k] : top[k] + 32, left[k] : left[k] + 32]
    crop = crop[:, ::-1] if mirror[k] else crop
    np.testing.assert_array_equal(got[k].permute(1, 2, 0), crop)


def test_augmentation_draws_every_offset_and_both_directions():
  torch.manual_seed(0)
  ramp = torch.arange(32)[:, None] * 7 + torch.arange(32) * 0
  one = torch.stack([ramp, ramp.T, ramp * 0], -1).to(torch.uint8)[None]
  out = torch_step.augment(one, torch.zeros(600, dtype=torch.long))
  middle = out[:, :, 16, 16].long()
  assert {int(x) for x in middle[:, 0]} == {7 * k for k in range(12, 21)}
  rising = (out[:, 1, 16, 17].long() > middle[:, 1]).float().mean()
  assert 0.4 < rising < 0.6


def test_plain_images_are_mirrored_and_not_cropped():
  torch.manual_seed(0)
  data = torch.tensor(images())
  out = torch_step.augment(data, torch.zeros(50, dtype=torch.long), crop=False)
  one = data[0].permute(2, 0, 1)
  same = [torch.equal(x, one) for x in out]
  mirrored = [torch.equal(x, one.flip(2)) for x in out]
  assert 10 < sum(same) < 40 and sum(same) + sum(mirrored) == 50

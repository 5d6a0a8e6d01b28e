"""Converted weights compute what they computed in PyTorch."""

import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from at_jax.convert import convert, convert_to_torch
from at_jax.train.weights import load_weights

torch = pytest.importorskip('torch')

from torch_networks import (  # noqa: E402 (needs PyTorch)
  CifarResNet,
  DenseNet,
  ResNet,
  shaken,
  wrn_logits,
  wrn_state,
)


@dataclasses.dataclass
class Case:
  """A PyTorch network, its file, and how to convert it."""

  state: dict[str, Any]
  logits: Callable
  load: Callable  # raises where a state dict does not fit
  wrap: Callable  # of the state dict, as such files have it
  size: int
  flags: dict[str, Any]


def of_module(network, **kwargs):
  network.load_state_dict(shaken(network.state_dict(), 1))
  network.eval()
  return Case(network.state_dict(), network, network.load_state_dict, **kwargs)


def data_parallel(state):
  return {f'module.{name}': value for name, value in state.items()}


def resnet18():
  return of_module(
    ResNet(18, 12),
    wrap=dict,
    size=64,
    flags=dict(model='resnet18', image_size=64),
  )


def resnet50():
  return of_module(
    ResNet(50, 12),
    wrap=lambda state: {'model': data_parallel(state), 'epoch': 90},
    size=64,
    flags=dict(model='resnet50', image_size=64),
  )


def densenet121():
  """Under the names that torchvision's published weights have."""
  return of_module(
    DenseNet(12),
    wrap=old_names,
    size=64,
    flags=dict(model='densenet121', image_size=64),
  )


def old_names(state):
  """norm1 -> norm.1 in dense layers; no counters, which PyTorch had not yet."""
  return {
    re.sub(r'(denselayer\d+\.(norm|conv))', r'\1.', name): value
    for name, value in state.items()
    if not name.endswith('num_batches_tracked')
  }


def cifar_resnet(**kwargs):
  network = CifarResNet(20, 12, **kwargs)
  case = of_module(
    network,
    wrap=lambda state: {'best': 0.9, 'state_dict': data_parallel(state)},
    size=32,
    flags=dict(model='cifar_resnet:depth=20'),
  )
  case.logits = lambda x: network(x)[0]
  return case


def cifar_resnet_end():
  case = cifar_resnet(halves=False)
  case.flags['option_a'] = 'end'
  return case


def wrn():
  state = shaken(wrn_state(16, 2, 12), 1)

  def load(other):
    assert other.keys() == state.keys()

  return Case(
    state,
    logits=functools.partial(wrn_logits, state),
    load=load,
    wrap=lambda state: {
      'params': {k: v.requires_grad_() for k, v in state.items()},
      'optimizer': {'state': {}, 'param_groups': [{'lr': 0.1}]},
    },
    size=32,
    flags=dict(model='wrn:depth=16,width=2'),
  )


CASES = (resnet18, resnet50, densenet121, cifar_resnet, cifar_resnet_end, wrn)


@pytest.fixture(scope='module', params=CASES, ids=lambda case: case.__name__)
def converted(request, tmp_path_factory):
  """(the case, the weights folder)."""
  folder = tmp_path_factory.mktemp('convert')
  torch.manual_seed(0)
  case = request.param()
  torch.save(case.wrap(case.state), folder / 'theirs.th')
  convert(folder / 'theirs.th', folder / 'ours', **case.flags)
  return case, folder / 'ours'


def test_logits_are_pytorchs(converted):
  case, folder = converted
  weights = load_weights(folder)
  assert weights.network.input_shape == (case.size, case.size, 3)
  images = np.random.default_rng(0).standard_normal(
    (2, case.size, case.size, 3), np.float32
  )
  with torch.no_grad():
    want = case.logits(torch.tensor(images.transpose(0, 3, 1, 2))).numpy()
  got, _ = jax.jit(weights.network.apply)(weights.variables, images)
  assert want.shape == (2, 12) and 0.1 < want.std() < 10
  np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)


@pytest.mark.parametrize('end', ['pth', 'safetensors'])
def test_round_trip_is_bitwise(converted, tmp_path, end):
  case, folder = converted
  out = tmp_path / f'new/back.{end}'
  read = functools.partial(torch.load, weights_only=True)
  if end == 'safetensors':
    read = pytest.importorskip('safetensors.torch').load_file
  option_a = case.flags.get('option_a', 'both')
  convert_to_torch(folder, out, option_a=option_a)
  back = read(out)
  case.load(back)
  kept = {k for k in case.state if not k.endswith('num_batches_tracked')}
  assert back.keys() == kept
  for name in kept:
    assert torch.equal(back[name], case.state[name]), name
  assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_channels_of_option_a_differ_by_their_order(tmp_path):
  """Every group has the same attention maps, and so teaches the same."""
  torch.manual_seed(0)
  network = CifarResNet(8, 10)
  network.load_state_dict(shaken(network.state_dict(), 1))
  network.eval()
  file, folder = tmp_path / 'a.pth', tmp_path / 'a'
  torch.save(network.state_dict(), file)
  convert(file, folder, model='cifar_resnet:depth=8')
  weights = load_weights(folder)
  images = np.random.default_rng(0).standard_normal((2, 8, 8, 3), np.float32)
  with torch.no_grad():
    _, theirs = network(torch.tensor(images.transpose(0, 3, 1, 2)))
  _, ours = weights.network.apply(weights.variables, images)
  for group, end in enumerate(theirs, 1):
    end = np.moveaxis(end.numpy(), 1, -1)
    own = np.asarray(ours[f'group{group}'])
    close = dict(rtol=0, atol=1e-4)
    for p in (1, 2):
      np.testing.assert_allclose((own**p).mean(-1), (end**p).mean(-1), **close)
    assert (np.abs(own - end).max() > 0.1) == (group > 1)


def test_one_of_two_networks(tmp_path):
  small, large = wrn_state(10, 1, 5), wrn_state(16, 2, 5)
  both = {f'student.{k}': v for k, v in small.items()}
  both |= {f'teacher.{k}': v for k, v in large.items()}
  file = tmp_path / 'model.pt7'
  torch.save({'params': both, 'epoch': 200}, file)
  with pytest.raises(ValueError, match='two networks, student and teacher'):
    convert(file, tmp_path / 'a', model='wrn:depth=16,width=2')
  said = convert(
    file, tmp_path / 'a', model='wrn:depth=16,width=2', prefix='teacher'
  )
  assert f'{len(small)} tensors outside teacher were left out' in said
  params = load_weights(tmp_path / 'a').variables['params']
  theirs = large['group2.block0.convdim'].numpy()
  np.testing.assert_array_equal(
    params['group3_block1']['convdim']['kernel'], theirs.transpose(2, 3, 1, 0)
  )


def test_last_layer_may_be_called_fc(tmp_path):
  network = CifarResNet(8, 10)
  state = network.state_dict()
  for part in ('weight', 'bias'):
    state[f'fc.{part}'] = state.pop(f'linear.{part}')
  torch.save(state, tmp_path / 'a.pth')
  convert(tmp_path / 'a.pth', tmp_path / 'a', model='cifar_resnet:depth=8')
  convert_to_torch(tmp_path / 'a', tmp_path / 'b.pth')
  network.load_state_dict(torch.load(tmp_path / 'b.pth'))


def test_half_precision_is_said(tmp_path):
  state = {k: v.bfloat16() for k, v in wrn_state(10, 1, 5).items()}
  state['fc.bias'] = state['fc.bias'].double()
  torch.save(state, tmp_path / 'a.pth')
  said = convert(
    tmp_path / 'a.pth', tmp_path / 'a', model='wrn:depth=10,width=1'
  )
  assert f'{len(state) - 1} tensors were bfloat16, now float32' in said
  assert '1 tensors were float64, now float32' in said
  params = load_weights(tmp_path / 'a').variables['params']
  np.testing.assert_array_equal(
    params['head']['kernel'], state['fc.weight'].float().numpy().T
  )

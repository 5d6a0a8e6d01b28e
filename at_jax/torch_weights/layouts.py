"""What published PyTorch code calls the layers of our networks.

Sources, for names and shapes:
  ResNets: torchvision, https://github.com/pytorch/vision, models/resnet.py
  CIFAR ResNets: https://github.com/akamaster/pytorch_resnet_cifar10
  WRNs: https://github.com/szagoruyko/attention-transfer
  DenseNets: torchvision, models/densenet.py
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from at_jax._arrays import unknown

BLOCK = re.compile(r'group(\d+)_block(\d+)')
HEADS = ('fc', 'linear', 'classifier')  # what last layers are called
LEAVES = {
  'kernel': '.weight',
  'scale': '.weight',
  'bias': '.bias',
  'mean': '.running_mean',
  'var': '.running_var',
}


@dataclasses.dataclass(frozen=True)
class Layout:
  """Names of the tensors of a family of networks, and order of its channels.

  Attributes:
    block: what names in a block begin with, given group and block from 1 on.
    layers: {our name of a layer, the block left out: theirs}.
    first: our name of the first convolution.
    conv: what follows the name of a convolution.
    orders: {group: order}; channel i of our group's sums is channel order[i] of
      theirs. Empty: channels stand where they stand.
    old_names: a pattern of names that older files have, and what `re.sub` makes
      of them.
  """

  block: Callable[[int, int], str]
  layers: dict[str, str]
  first: str = 'conv0'
  conv: str = '.weight'
  orders: dict[int, Any] = dataclasses.field(default_factory=dict)
  old_names: tuple[str, str] | None = None

  def name_of(self, layer, leaf, *, is_conv):
    """('group2_block1/bn0', 'mean') -> 'layer2.0.bn1.running_mean'."""
    block = BLOCK.match(layer)
    place = self.block(*map(int, block.groups())) if block else ''
    name = self.layers[layer[block.end() + 1 :] if block else layer]
    return place + name + (self.conv if is_conv else LEAVES[leaf])

  def orders_of(self, layer):
    """Orders of the channels that go into a layer, and that come out.

    None: as they are; so are those inside a block, between its convolutions.
    """
    block = BLOCK.match(layer)
    if not self.orders or not (block or layer == 'head'):
      return None, None
    if not block:
      return self.orders[max(self.orders)], None
    group, number = map(int, block.groups())
    before = self.orders[group - 1 if number == 1 < group else group]
    return {
      'conv0': (before, None),
      'bn0': (None, None),
      'conv1': (None, self.orders[group]),
      'bn1': (None, self.orders[group]),
    }[layer[block.end() + 1 :]]


def half_before():
  """Orders of the channels where shortcuts put half of the zeros before.

  Ours append all zeros to the old channels. Nothing else in these networks
  tells channels apart, so both are one network up to the order of the channels
  of each group: first the old ones, in their order, then the others.
  """
  orders = {1: np.arange(16)}
  for group, width in ((2, 32), (3, 64)):
    old = orders[group - 1] + width // 4
    new = np.setdiff1d(np.arange(width), old)
    orders[group] = np.concatenate([old, new])
  return orders


_BASIC = {'conv0': 'conv1', 'bn0': 'bn1', 'conv1': 'conv2', 'bn1': 'bn2'}
_RESNET = Layout(
  block=lambda group, block: f'layer{group}.{block - 1}.',
  layers=_BASIC
  | {
    'stem/conv0': 'conv1',
    'stem/bn0': 'bn1',
    'conv2': 'conv3',
    'bn2': 'bn3',
    'convdim': 'downsample.0',
    'bndim': 'downsample.1',
    'head': 'fc',
  },
  first='stem/conv0',
)
_CIFAR_RESNET = Layout(
  block=_RESNET.block,
  layers=_BASIC | {'head': 'linear'},
  orders=half_before(),
)
_WRN = Layout(
  block=lambda group, block: f'group{group - 1}.block{block - 1}.',
  layers={
    **{name: name for name in ('conv0', 'bn0', 'conv1', 'bn1', 'convdim')},
    'bn': 'bn',
    'head': 'fc',
  },
  conv='',
)
_DENSENET = Layout(
  block=lambda group, block: f'features.denseblock{group}.denselayer{block}.',
  layers={
    'conv0': 'conv1',
    'bn0': 'norm1',
    'conv1': 'conv2',
    'bn1': 'norm2',
    'stem/conv0': 'features.conv0',
    'stem/bn0': 'features.norm0',
    **{
      f'transition{i}/{ours}': f'features.transition{i}.{theirs}'
      for i in (1, 2, 3)
      for ours, theirs in (('bn0', 'norm'), ('conv0', 'conv'))
    },
    'bn': 'features.norm5',
    'head': 'classifier',
  },
  first='stem/conv0',
  # Modules' names once had dots in them; the published weights still do.
  old_names=(r'(\.denselayer\d+\.(?:norm|conv))\.([12])\.', r'\1\2.'),
)
# By the names of `create_model`.
LAYOUTS = {
  'wrn': _WRN,
  'cifar_resnet': _CIFAR_RESNET,
  **{f'resnet{depth}': _RESNET for depth in (18, 34, 50, 101, 152)},
  'densenet121': _DENSENET,
}


def find_layout(model, *, option_a='both'):
  """The layout of a model.

  Args:
    model: a key of `LAYOUTS`.
    option_a: where the shortcuts of their CIFAR ResNets put the zeros: half of
      them on 'both' sides of the old channels, or all at the 'end', as ours.

  Raises:
    ValueError: a model without a layout, another word.
  """
  if model not in LAYOUTS:
    raise ValueError(unknown('model of PyTorch', model, LAYOUTS))
  if option_a not in ('both', 'end'):
    raise ValueError(unknown('option A', option_a, ('both', 'end')))
  layout = LAYOUTS[model]
  if option_a == 'end':
    return dataclasses.replace(layout, orders={})
  return layout


def fit_head(layout, state):
  """The layout with the name that the last layer has in a state dict."""
  found = [head for head in HEADS if f'{head}.weight' in state]
  if not found or layout.layers['head'] in found:
    return layout
  return dataclasses.replace(layout, layers=layout.layers | {'head': found[0]})


def present_names(layout, state):
  """The state dict with the present names of tensors that have old ones.

  A name whose present form is taken is left, to be reported.
  """
  if not layout.old_names:
    return state
  renamed = {name: re.sub(*layout.old_names, name) for name in state}
  return {
    name if new in state else new: state[name] for name, new in renamed.items()
  }

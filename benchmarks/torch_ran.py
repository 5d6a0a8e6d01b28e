"""Attention-56 for CIFAR and for ImageNet in plain PyTorch.

One attention module in each of three stages, with p, t, r = 1, 2, 1, as in
https://arxiv.org/abs/1704.06904 and its authors' Caffe network.
"""

import torch.nn.functional as F
from torch import nn

from benchmarks.torch_wrn import conv

POOLS = (3, 2, 1)  # of the masks, stage by stage


class Unit(nn.Module):
  """Pre-activation bottleneck; returns the raw sum."""

  def __init__(self, inputs, outputs, stride=1):
    super().__init__()
    inner = outputs // 4
    self.bn0 = nn.BatchNorm2d(inputs)
    self.conv0 = conv(inputs, inner, 1)
    self.bn1 = nn.BatchNorm2d(inner)
    self.conv1 = conv(inner, inner, 3, stride)
    self.bn2 = nn.BatchNorm2d(inner)
    self.conv2 = conv(inner, outputs, 1)
    same = inputs == outputs and stride == 1
    self.convdim = None if same else conv(inputs, outputs, 1, stride)

  def forward(self, x):
    active = F.relu(self.bn0(x), inplace=True)
    y = self.conv0(active)
    y = self.conv1(F.relu(self.bn1(y), inplace=True))
    y = self.conv2(F.relu(self.bn2(y), inplace=True))
    return y + (x if self.convdim is None else self.convdim(active))


def units(channels, count):
  return [Unit(channels, channels) for _ in range(count)]


def pool(x):
  return F.max_pool2d(x, 3, 2, ceil_mode=True)


def resize(x, like):
  return F.interpolate(x, like.shape[2:], mode='bilinear', align_corners=True)


class Mask(nn.Module):
  """The soft mask: down `pools` times, up again, and a gate of every entry."""

  def __init__(self, channels, pools):
    super().__init__()
    self.down = nn.ModuleList(units(channels, pools - 1))
    self.bottom = nn.Sequential(*units(channels, 2))
    self.skip = nn.ModuleList(units(channels, pools - 1))
    self.up = nn.ModuleList(units(channels, pools - 1))
    self.head = nn.Sequential(
      nn.BatchNorm2d(channels),
      nn.ReLU(inplace=True),
      conv(channels, channels, 1),
      nn.BatchNorm2d(channels),
      nn.ReLU(inplace=True),
      conv(channels, channels, 1),
      nn.Sigmoid(),
    )

  def forward(self, x):
    y, levels = x, []
    for unit in self.down:
      y = unit(pool(y))
      levels.append(y)
    y = self.bottom(pool(y))
    for level in reversed(range(len(levels))):
      like = levels[level]
      y = self.up[level](resize(y, like) + self.skip[level](like))
    return self.head(resize(y, x))


class AttentionModule(nn.Module):
  """A trunk times one plus its mask, between two units."""

  def __init__(self, channels, pools):
    super().__init__()
    self.before = Unit(channels, channels)
    self.trunk = nn.Sequential(*units(channels, 2))
    self.mask = Mask(channels, pools)
    self.after = Unit(channels, channels)

  def forward(self, x):
    x = self.before(x)
    return self.after((1 + self.mask(x)) * self.trunk(x))


class RAN(nn.Module):
  """Images `[B, 3, H, W]` -> logits.

  Args:
    stem: layers before the first stage.
    width: channels of the first stage, four times those of the stem.
    closing: units at the end of each stage.
    last: whether three units follow, of twice the last stage's channels.
    num_classes: number of logits.
  """

  def __init__(self, stem, width, *, closing, last, num_classes):
    super().__init__()
    self.stem = nn.Sequential(*stem)
    self.groups = nn.Sequential()
    inputs = width // 4
    for group, pools in enumerate(POOLS):
      outputs = width * 2**group
      self.groups.append(
        nn.Sequential(
          Unit(inputs, outputs, 2 if group else 1),
          AttentionModule(outputs, pools),
          *units(outputs, closing),
        )
      )
      inputs = outputs
    if last:
      outputs = 2 * inputs
      wider = Unit(inputs, outputs, 2)
      self.groups.append(nn.Sequential(wider, *units(outputs, 2)))
      inputs = outputs
    self.bn = nn.BatchNorm2d(inputs)
    self.head = nn.Linear(inputs, num_classes)
    nn.init.kaiming_normal_(self.head.weight)
    nn.init.zeros_(self.head.bias)

  def forward(self, images):
    x = self.groups(self.stem(images))
    x = F.relu(self.bn(x), inplace=True)
    return self.head(x.mean((2, 3)))


def attention56_cifar(num_classes=10):
  stem = [conv(3, 16, 3)]
  return RAN(stem, 64, closing=1, last=False, num_classes=num_classes)


def attention56(num_classes=1000, width=256):
  channels = width // 4
  stem = [
    conv(3, channels, 7, 2),
    nn.BatchNorm2d(channels),
    nn.ReLU(inplace=True),
    nn.MaxPool2d(3, 2, ceil_mode=True),
  ]
  return RAN(stem, width, closing=0, last=True, num_classes=num_classes)

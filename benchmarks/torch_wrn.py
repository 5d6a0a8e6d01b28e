"""Wide residual networks and the losses of Tables 1 and 2 in plain PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, kernel, stride=1):
  layer = nn.Conv2d(
    inputs, outputs, kernel, stride, padding=kernel // 2, bias=False
  )
  nn.init.kaiming_normal_(layer.weight)
  return layer


def batch_norm(channels):
  layer = nn.BatchNorm2d(channels)
  nn.init.uniform_(layer.weight)
  return layer


class Block(nn.Module):
  """Pre-activation block: two 3x3 convolutions; returns the raw sum."""

  def __init__(self, inputs, outputs, stride):
    super().__init__()
    self.bn0 = batch_norm(inputs)
    self.conv0 = conv(inputs, outputs, 3, stride)
    self.bn1 = batch_norm(outputs)
    self.conv1 = conv(outputs, outputs, 3)
    same = inputs == outputs
    self.convdim = None if same else conv(inputs, outputs, 1, stride)

  def forward(self, x):
    active = F.relu(self.bn0(x), inplace=True)
    y = self.conv0(active)
    y = self.conv1(F.relu(self.bn1(y), inplace=True))
    return y + (x if self.convdim is None else self.convdim(active))


class WRN(nn.Module):
  """WRN-depth-width: images `[B, 3, H, W]` -> (logits, three group outputs)."""

  def __init__(self, depth, width, num_classes=10):
    super().__init__()
    self.conv0 = conv(3, 16, 3)
    self.groups = nn.ModuleList()
    inputs = 16
    for base, stride in ((16, 1), (32, 2), (64, 2)):
      outputs = int(base * width)
      blocks = [Block(inputs, outputs, stride)]
      for _ in range((depth - 4) // 6 - 1):
        blocks.append(Block(outputs, outputs, 1))
      self.groups.append(nn.Sequential(*blocks))
      inputs = outputs
    self.bn = batch_norm(inputs)
    self.head = nn.Linear(inputs, num_classes)
    nn.init.kaiming_normal_(self.head.weight)
    nn.init.zeros_(self.head.bias)

  def forward(self, images):
    x, ends = self.conv0(images), []
    for group in self.groups:
      x = group(x)
      ends.append(x)
    x = F.relu(self.bn(x)).mean((2, 3))
    return self.head(x), ends


def ask(teacher, images):
  """What the teacher says, as constants."""
  with torch.no_grad():
    return teacher(images)


def cross_entropy(student, teacher, images, labels):
  del teacher
  return F.cross_entropy(student(images)[0], labels)


def distillation(
  student, teacher, images, labels, *, temperature=4.0, alpha=0.9
):
  logits, _ = student(images)
  others, _ = ask(teacher, images)
  soft = F.kl_div(
    F.log_softmax(logits / temperature, 1),
    F.softmax(others / temperature, 1),
    reduction='batchmean',
  )
  hard = F.cross_entropy(logits, labels)
  return alpha * temperature**2 * soft + (1 - alpha) * hard


def attention(features):
  """Normalised map of each example, `[B, H*W]`."""
  return F.normalize(features.pow(2).mean(1).flatten(1))


def attention_transfer(student, teacher, images, labels, *, beta=1e3):
  logits, ends = student(images)
  distance = sum(
    (attention(own) - attention(other)).pow(2).mean()
    for own, other in zip(ends, ask(teacher, images)[1], strict=True)
  )
  return F.cross_entropy(logits, labels) + beta * distance

"""Networks in networks and the losses of Table 3 in plain PyTorch."""

import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, kernel):
  layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
  nn.init.kaiming_normal_(layer.weight)
  nn.init.zeros_(layer.bias)
  return layer


class NIN(nn.Module):
  """NIN without batch norm, and without ReLU before pooling."""

  def __init__(self, width, num_classes=10):
    super().__init__()
    self.groups = nn.ModuleList()
    inputs = 3
    for _ in range(3):
      self.groups.append(
        nn.Sequential(
          conv(inputs, width, 3),
          nn.ReLU(inplace=True),
          conv(width, width, 1),
          nn.ReLU(inplace=True),
          conv(width, width, 1),
        )
      )
      inputs = width
    self.head = nn.Linear(width, num_classes)
    nn.init.kaiming_normal_(self.head.weight)
    nn.init.zeros_(self.head.bias)

  def forward(self, images):
    one, two, three = self.groups
    x = F.max_pool2d(one(images), 3, 2, ceil_mode=True)
    x = F.avg_pool2d(two(x), 3, 2, ceil_mode=True, count_include_pad=False)
    return self.head(three(x).mean((2, 3)))


def cross_entropy(student, teacher, images, labels):
  del teacher
  return F.cross_entropy(student(images), labels)


def input_gradient(network, images, labels, *, create_graph):
  """(mean loss, each image's gradient of its own loss)."""
  images = images.detach().requires_grad_()
  losses = F.cross_entropy(network(images), labels, reduction='none')
  (gradient,) = torch.autograd.grad(
    losses.sum(), images, create_graph=create_graph
  )
  return losses.mean(), gradient


def double_backpropagation(student, teacher, images, labels, *, beta):
  del teacher
  loss, own = input_gradient(student, images, labels, create_graph=True)
  return loss + beta / 2 * own.pow(2).sum((1, 2, 3)).mean()


def gradient_transfer(student, teacher, images, labels, *, beta):
  loss, own = input_gradient(student, images, labels, create_graph=True)
  _, other = input_gradient(teacher, images, labels, create_graph=False)
  distance = (own - other.detach()).pow(2).sum((1, 2, 3))
  return loss + beta / 2 * distance.mean()

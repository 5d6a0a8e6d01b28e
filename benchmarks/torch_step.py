"""The same training steps in plain PyTorch, to compare with.

Written as one would write it for PyTorch alone: eager modules, `torch.optim`,
data on the device, augmentation of a whole batch at once. Axes: B batch,
C channels, H height, W width.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from benchmarks import torch_nin, torch_ran, torch_wrn, workload
from benchmarks.catalogue import WORK

PAD = 4
BETA = 1.0  # that of configs/plain.py


class Step(NamedTuple):
  """A step of `benchmarks.catalogue.WORK`.

  Attributes:
    networks: () -> (student, teacher or None).
    loss: (student, teacher, images, labels) -> the loss of a batch.
    crop: how images are padded before they are cropped, 'reflect' or 'zero';
      '' if they are only mirrored.
    weight_decay: of the optimizer.
    nesterov: whether its momentum is Nesterov's.
    tf32: whether a GPU may round to TF32; our gradient steps may not.
  """

  networks: Callable
  loss: Callable
  crop: str = 'reflect'
  weight_decay: float = 5e-4
  nesterov: bool = False
  tf32: bool = True


def wide_residual(taught):
  teacher = torch_wrn.WRN(16, 2) if taught else None
  return torch_wrn.WRN(16, 1), teacher


def network_in_network(taught):
  teacher = torch_nin.NIN(192) if taught else None
  return torch_nin.NIN(96), teacher


def plain(loss, *, taught=False, **settings):
  """A step under the conditions of Table 3."""
  networks = functools.partial(network_in_network, taught)
  loss = functools.partial(loss, **settings)
  return Step(networks, loss, crop='', weight_decay=0.0, tf32=False)


def residual_attention(network, crop):
  return Step(
    lambda: (network(), None),
    torch_nin.cross_entropy,
    crop=crop,
    weight_decay=1e-4,
    nesterov=True,
  )


alone = functools.partial(wide_residual, False)
taught = functools.partial(wide_residual, True)
STEPS = {
  'ce': Step(alone, torch_wrn.cross_entropy),
  'kd': Step(taught, torch_wrn.distillation),
  'at': Step(taught, torch_wrn.attention_transfer),
  'nin': plain(torch_nin.cross_entropy),
  'min_l2': plain(torch_nin.double_backpropagation, beta=BETA),
  'grad_at': plain(torch_nin.gradient_transfer, taught=True, beta=BETA),
  'ran56_cifar': residual_attention(torch_ran.attention56_cifar, 'zero'),
  'ran56': residual_attention(torch_ran.attention56, ''),
}


def crop_flip(images, rows, top, left, mirror, zero=False):
  """Gathers, pads, crops and mirrors in one look-up.

  Args:
    images: the data set, uint8 `[N, H, W, C]`.
    rows: which examples, `[B]`.
    top: first row of each crop in the image padded by `PAD`, `[B]`.
    left: first column, likewise.
    mirror: bool `[B]`.
    zero: whether padding is zero, and not the image's reflection.

  Returns:
    uint8 `[B, C, H, W]`, with the channels last in memory.
  """

  def positions(first, size):
    return first[:, None] + torch.arange(size, device=images.device) - PAD

  def reflected(index, size):
    index = torch.where(index < 0, -index, index)
    return torch.where(index < size, index, 2 * (size - 1) - index)

  def inside(index, size):
    return (index >= 0) & (index < size)

  height, width = images.shape[1:3]
  y, x = positions(top, height)[:, :, None], positions(left, width)
  x = torch.where(mirror[:, None], x.flip(1), x)[:, None]
  rows = rows[:, None, None]
  crops = images[rows, reflected(y, height), reflected(x, width)]
  if zero:
    crops *= (inside(y, height) & inside(x, width))[..., None]
  return crops.permute(0, 3, 1, 2)


def augment(images, rows, crop='reflect'):
  """A batch of crops at random offsets, half of them mirrored."""
  where = {'device': images.device}
  low, high = (0, 2 * PAD) if crop else (PAD, PAD)
  top, left = torch.randint(low, high + 1, (2, len(rows)), **where)
  mirror = torch.rand(len(rows), **where) < 0.5
  return crop_flip(images, rows, top, left, mirror, crop == 'zero')


def normalisation(work, images):
  """Mean and standard deviation for `normalise`, once and not every step.

  Args:
    work: of `WORK`.
    images: the data set, uint8 `[N, H, W, C]`, a NumPy array.

  Returns:
    float32, broadcast against `[B, C, H, W]`.
  """
  mean = images.mean(0) if work.mean is None else work.mean
  return tuple(
    torch.tensor(np.array(x, np.float32, ndmin=3).transpose(2, 0, 1)[None])
    for x in (mean, work.std)
  )


def normalise(images, mean, std, layout=torch.contiguous_format):
  """uint8 `[B, C, H, W]` -> float32 of the layout that the networks want."""
  return (images.contiguous(memory_format=layout).float() - mean) / std


def make_networks(step):
  """(student, teacher or None) of a `Step`."""
  student, teacher = step.networks()
  return student, teacher and teacher.eval().requires_grad_(False)


def make_optimizer(student, step):
  return torch.optim.SGD(
    student.parameters(),
    lr=workload.LR,
    momentum=0.9,
    weight_decay=step.weight_decay,
    nesterov=step.nesterov,
    fused=next(student.parameters()).is_cuda,
  )


def update(loss, optimizer):
  optimizer.zero_grad()
  loss.backward()
  optimizer.step()


def prepare(settings):
  """A `workload.Run` of what `settings` describes; see `benchmarks.step`."""
  device = torch.device('cuda' if settings['device'] == 'gpu' else 'cpu')
  on_gpu = device.type == 'cuda'
  # Every batch has one shape, so cuDNN may choose its algorithms by trying.
  torch.backends.cudnn.benchmark = True
  torch.manual_seed(0)
  last = settings['channels_last']
  layout = torch.channels_last if last else torch.contiguous_format
  step, batch = STEPS[settings['step']], settings['batch']
  torch.backends.cudnn.allow_tf32 = step.tf32
  student, teacher = (
    network and network.to(device, memory_format=layout)
    for network in make_networks(step)
  )
  optimizer = make_optimizer(student, step)
  images, labels = workload.random_examples(settings['step'], batch)
  mean, std = (
    x.to(device, memory_format=layout)
    for x in normalisation(WORK[settings['step']], images)
  )
  images = torch.from_numpy(images).to(device)
  labels = torch.from_numpy(labels).to(device).long()

  def loss_of(rows):
    pixels = normalise(augment(images, rows, step.crop), mean, std, layout)
    return step.loss(student, teacher, pixels, labels[rows])

  if settings['compiled']:
    loss_of = torch.compile(loss_of, mode=settings['compiled'])
  batches, loss = [], None

  def advance():
    nonlocal batches, loss
    if not batches:
      order = torch.randperm(len(images), device=device)
      batches = list(order.split(batch))
    if settings['compiled']:
      torch.compiler.cudagraph_mark_step_begin()
    with torch.autocast(device.type, torch.bfloat16, settings['bf16']):
      value = loss_of(batches.pop())
    update(value, optimizer)
    loss = value.detach()
    return 1

  def wait():
    if on_gpu:
      torch.cuda.synchronize()
    return loss.item()

  peak = torch.cuda.max_memory_allocated if on_gpu else lambda: None
  return workload.Run(advance, wait, peak)

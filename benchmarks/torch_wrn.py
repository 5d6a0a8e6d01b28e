"""The same training step in plain PyTorch, to compare with.

Written as one would write it for PyTorch alone: eager modules, `torch.optim`,
data on the device, augmentation of a whole batch at once. Axes: B batch,
C channels, H height, W width.
"""

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import workload

PAD = 4


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


def cross_entropy(student, teacher, labels):
  del teacher
  return F.cross_entropy(student[0], labels)


def distillation(student, teacher, labels, *, temperature=4.0, alpha=0.9):
  soft = F.kl_div(
    F.log_softmax(student[0] / temperature, 1),
    F.softmax(teacher[0] / temperature, 1),
    reduction='batchmean',
  )
  hard = F.cross_entropy(student[0], labels)
  return alpha * temperature**2 * soft + (1 - alpha) * hard


def attention(features):
  """Normalised map of each example, `[B, H*W]`."""
  return F.normalize(features.pow(2).mean(1).flatten(1))


def attention_transfer(student, teacher, labels, *, beta=1e3):
  distance = sum(
    (attention(own) - attention(other)).pow(2).mean()
    for own, other in zip(student[1], teacher[1], strict=True)
  )
  return F.cross_entropy(student[0], labels) + beta * distance


LOSSES = {
  'ce': cross_entropy,
  'kd': distillation,
  'at': attention_transfer,
}


def crop_flip(images, rows, top, left, mirror):
  """Gathers, pads by reflection, crops and mirrors in one look-up.

  Args:
    images: the data set, uint8 `[N, H, W, C]`.
    rows: which examples, `[B]`.
    top: first row of each crop in the image padded by `PAD`, `[B]`.
    left: first column, likewise.
    mirror: bool `[B]`.

  Returns:
    uint8 `[B, C, H, W]`, with the channels last in memory.
  """

  def positions(first, size):
    index = first[:, None] + torch.arange(size, device=images.device) - PAD
    index = torch.where(index < 0, -index, index)
    return torch.where(index < size, index, 2 * (size - 1) - index)

  y = positions(top, images.shape[1])
  x = positions(left, images.shape[2])
  x = torch.where(mirror[:, None], x.flip(1), x)
  crops = images[rows[:, None, None], y[:, :, None], x[:, None, :]]
  return crops.permute(0, 3, 1, 2)


def augment(images, rows):
  """A batch of crops at random offsets, half of them mirrored."""
  where = {'device': images.device}
  top, left = torch.randint(0, 2 * PAD + 1, (2, len(rows)), **where)
  mirror = torch.rand(len(rows), **where) < 0.5
  return crop_flip(images, rows, top, left, mirror)


def normalisation(device):
  """Mean and standard deviation for `normalise`; a copy, so not every step."""
  return tuple(
    torch.tensor(x, device=device).view(1, -1, 1, 1)
    for x in (workload.MEAN, workload.STD)
  )


def normalise(images, mean, std, layout=torch.contiguous_format):
  """uint8 `[B, C, H, W]` -> float32 of the layout that the networks want."""
  return (images.contiguous(memory_format=layout).float() - mean) / std


def make_networks(name):
  """(student, teacher or None) of the step called `name`."""
  student = WRN(16, 1)
  if name == 'ce':
    return student, None
  return student, WRN(16, 2).eval().requires_grad_(False)


def forward(name, student, teacher, images, labels):
  """The loss of one batch of normalised images."""
  outputs = None
  if teacher is not None:
    with torch.no_grad():
      outputs = teacher(images)
  return LOSSES[name](student(images), outputs, labels)


def make_optimizer(student):
  return torch.optim.SGD(
    student.parameters(),
    lr=0.1,
    momentum=0.9,
    weight_decay=5e-4,
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
  name, batch = settings['step'], settings['batch']
  student, teacher = (
    network and network.to(device, memory_format=layout)
    for network in make_networks(name)
  )
  optimizer = make_optimizer(student)
  images, labels = (
    torch.from_numpy(x).to(device) for x in workload.random_examples(batch)
  )
  labels = labels.long()
  mean, std = normalisation(device)

  def loss_of(rows):
    pixels = normalise(augment(images, rows), mean, std, layout)
    return forward(name, student, teacher, pixels, labels[rows])

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

"""Networks in plain PyTorch, under the names of the published code.

Written from the papers and the names, to compare converted weights with.
"""

import pytest

torch = pytest.importorskip('torch')
nn, F = torch.nn, torch.nn.functional

RESNETS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


def conv(inputs, outputs, kernel, stride=1):
  return nn.Conv2d(
    inputs, outputs, kernel, stride, padding=kernel // 2, bias=False
  )


class Residual(nn.Module):
  """Two 3x3 convolutions, or 1x1, 3x3, 1x1, and a shortcut."""

  def __init__(self, inputs, width, stride, deep):
    super().__init__()
    outputs = 4 * width if deep else width
    if deep:
      self.conv1 = conv(inputs, width, 1)
      self.conv2 = conv(width, width, 3, stride)
      self.conv3 = conv(width, outputs, 1)
      self.bn3 = nn.BatchNorm2d(outputs)
    else:
      self.conv1 = conv(inputs, width, 3, stride)
      self.conv2 = conv(width, width, 3)
    self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
    self.downsample = None
    if stride > 1 or inputs != outputs:
      self.downsample = nn.Sequential(
        conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
      )

  def forward(self, x):
    y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
    if hasattr(self, 'conv3'):
      y = self.bn3(self.conv3(F.relu(y)))
    return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
  """torchvision's ResNet-18, 34 or 50: images `[B, 3, H, W]` -> logits."""

  def __init__(self, depth, num_classes):
    super().__init__()
    deep = depth > 34
    self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
    self.bn1 = nn.BatchNorm2d(64)
    inputs = 64
    for i, count in enumerate(RESNETS[depth]):
      blocks, width = [], 64 * 2**i
      for k in range(count):
        stride = 2 if i > 0 and k == 0 else 1
        blocks.append(Residual(inputs, width, stride, deep))
        inputs = 4 * width if deep else width
      setattr(self, f'layer{i + 1}', nn.Sequential(*blocks))
    self.fc = nn.Linear(inputs, num_classes)

  def forward(self, x):
    x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
    x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
    return self.fc(x.mean((2, 3)))


def dense_layer(inputs, growth):
  """norm1, conv1, norm2, conv2 of torchvision's DenseNet."""
  return nn.ModuleDict(
    {
      'norm1': nn.BatchNorm2d(inputs),
      'conv1': conv(inputs, 4 * growth, 1),
      'norm2': nn.BatchNorm2d(4 * growth),
      'conv2': conv(4 * growth, growth, 3),
    }
  )


class DenseNet(nn.Module):
  """torchvision's DenseNet-121: images `[B, 3, H, W]` -> logits."""

  blocks, growth = (6, 12, 24, 16), 32

  def __init__(self, num_classes):
    super().__init__()
    channels = 64
    features = {
      'conv0': nn.Conv2d(3, channels, 7, 2, padding=3, bias=False),
      'norm0': nn.BatchNorm2d(channels),
    }
    for i, count in enumerate(self.blocks, 1):
      layers = {}
      for k in range(1, count + 1):
        layers[f'denselayer{k}'] = dense_layer(channels, self.growth)
        channels += self.growth
      features[f'denseblock{i}'] = nn.ModuleDict(layers)
      if i < len(self.blocks):
        features[f'transition{i}'] = nn.ModuleDict(
          {
            'norm': nn.BatchNorm2d(channels),
            'conv': conv(channels, channels // 2, 1),
          }
        )
        channels //= 2
    features['norm5'] = nn.BatchNorm2d(channels)
    self.features = nn.ModuleDict(features)
    self.classifier = nn.Linear(channels, num_classes)

  def forward(self, x):
    parts = self.features
    x = F.relu(parts['norm0'](parts['conv0'](x)))
    x = F.max_pool2d(x, 3, 2, padding=1)
    for i in range(1, len(self.blocks) + 1):
      for layer in parts[f'denseblock{i}'].values():
        y = layer['conv1'](F.relu(layer['norm1'](x)))
        y = layer['conv2'](F.relu(layer['norm2'](y)))
        x = torch.cat([x, y], 1)
      if i < len(self.blocks):
        last = parts[f'transition{i}']
        x = F.avg_pool2d(last['conv'](F.relu(last['norm'](x))), 2)
    return self.classifier(F.relu(parts['norm5'](x)).mean((2, 3)))


class CifarBlock(nn.Module):
  """Option A; `before` of the channels that are new come before the old."""

  def __init__(self, inputs, outputs, stride, before):
    super().__init__()
    self.conv1 = conv(inputs, outputs, 3, stride)
    self.bn1 = nn.BatchNorm2d(outputs)
    self.conv2 = conv(outputs, outputs, 3)
    self.bn2 = nn.BatchNorm2d(outputs)
    self.stride, self.pads = stride, (before, outputs - inputs - before)

  def forward(self, x):
    y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
    old = x[:, :, :: self.stride, :: self.stride]
    return F.relu(y + F.pad(old, (0, 0, 0, 0, *self.pads)))


class CifarResNet(nn.Module):
  """akamaster's ResNet for CIFAR; `halves=False` appends all zeros.

  Returns (logits, outputs of the three layers).
  """

  def __init__(self, depth, num_classes, halves=True):
    super().__init__()
    self.conv1, self.bn1 = conv(3, 16, 3), nn.BatchNorm2d(16)
    inputs = 16
    for i in range(3):
      blocks, width = [], 16 * 2**i
      for k in range((depth - 2) // 6):
        stride = 2 if i > 0 and k == 0 else 1
        before = (width - inputs) // 2 if halves else 0
        blocks.append(CifarBlock(inputs, width, stride, before))
        inputs = width
      setattr(self, f'layer{i + 1}', nn.Sequential(*blocks))
    self.linear = nn.Linear(64, num_classes)

  def forward(self, x):
    ends = [F.relu(self.bn1(self.conv1(x)))]
    for layer in (self.layer1, self.layer2, self.layer3):
      ends.append(layer(ends[-1]))
    return self.linear(ends[-1].mean((2, 3))), ends[1:]


def wrn_state(depth, width, num_classes):
  """A flat dict of a WRN's tensors, as the attention transfer code has it."""
  state = {'conv0': torch.randn(16, 3, 3, 3) * (2 / 27) ** 0.5}

  def add_norm(name, channels):
    state[f'{name}.weight'] = torch.ones(channels)
    state[f'{name}.bias'] = torch.zeros(channels)
    state[f'{name}.running_mean'] = torch.zeros(channels)
    state[f'{name}.running_var'] = torch.ones(channels)

  def add_conv(name, inputs, outputs, kernel):
    fan_in = inputs * kernel**2
    kernel = torch.randn(outputs, inputs, kernel, kernel)
    state[name] = kernel * (2 / fan_in) ** 0.5

  inputs = 16
  for group, base in enumerate((16, 32, 64)):
    outputs = int(base * width)
    for block in range((depth - 4) // 6):
      name = f'group{group}.block{block}'
      add_norm(f'{name}.bn0', inputs)
      add_conv(f'{name}.conv0', inputs, outputs, 3)
      add_norm(f'{name}.bn1', outputs)
      add_conv(f'{name}.conv1', outputs, outputs, 3)
      if inputs != outputs:
        add_conv(f'{name}.convdim', inputs, outputs, 1)
      inputs = outputs
  add_norm('bn', inputs)
  state['fc.weight'] = torch.randn(num_classes, inputs) / inputs
  state['fc.bias'] = torch.zeros(num_classes)
  return state


def wrn_logits(state, x):
  """The forward pass of `wrn_state`."""

  def active(x, name):
    mean, var, weight, bias = (
      state[f'{name}.{key}']
      for key in ('running_mean', 'running_var', 'weight', 'bias')
    )
    return F.relu(F.batch_norm(x, mean, var, weight, bias))

  x = F.conv2d(x, state['conv0'], padding=1)
  for group in range(3):
    block = 0
    while (name := f'group{group}.block{block}') + '.conv0' in state:
      stride = 2 if group > 0 and block == 0 else 1
      first = active(x, f'{name}.bn0')
      y = F.conv2d(first, state[f'{name}.conv0'], stride=stride, padding=1)
      y = active(y, f'{name}.bn1')
      y = F.conv2d(y, state[f'{name}.conv1'], padding=1)
      dim = state.get(f'{name}.convdim')
      x = y + (x if dim is None else F.conv2d(first, dim, stride=stride))
      block += 1
  x = active(x, 'bn').mean((2, 3))
  return F.linear(x, state['fc.weight'], state['fc.bias'])


def shaken(state, seed):
  """A state dict with no scale, bias or statistic at its initial value."""
  generator = torch.Generator().manual_seed(seed)

  def draw(name, value):
    if name.endswith('num_batches_tracked'):
      return torch.tensor(7)
    if value.ndim > 1:
      return value
    uniform = torch.rand(value.shape, generator=generator)
    if name.endswith(('running_var', 'weight')):
      return 0.5 + uniform
    return uniform - 0.5

  return {k: draw(k, v.detach()) for k, v in state.items()}

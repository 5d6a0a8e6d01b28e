"""What a state dict does not say: model, images, names of the classes."""

import pathlib

from at_jax.models import create_model
from at_jax.objectives import Network

# Image size, mean and std on the scale 0 to 255: torchvision's for its own
# networks, the attention transfer authors' for networks for CIFAR.
IMAGENET = 224, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
CIFAR = 32, (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
OF_IMAGENET = 'resnet', 'densenet'  # what names of models begin with


def parse_model(text):
  """'wrn:depth=16,width=2' -> ('wrn', {'depth': 16, 'width': 2})."""
  name, _, rest = text.partition(':')
  arguments = {}
  for item in filter(None, rest.split(',')):
    key, _, value = item.partition('=')
    if key in ('num_classes', 'dtype'):
      raise ValueError(
        f'--model={text}: leave out {key}. Classes are those of the last '
        'layer, the type is that of the run that reads the weights.'
      )
    (arguments[key],) = _numbers(f'--model={text}', value)
  return name, arguments


def make_network(arguments, channels, image_size, mean, std, label):
  """The `Network`, its images checked."""
  large = arguments['name'].startswith(OF_IMAGENET)
  size, *norm = IMAGENET if large else CIFAR
  given = {'mean': mean, 'std': std}
  for i, (flag, text) in enumerate(given.items()):
    if text:
      norm[i] = tuple(map(float, _numbers(f'--{flag}={text}', text)))
    if len(norm[i]) not in (1, channels):
      raise ValueError(
        f'--{flag} wants {channels} numbers, one for each channel of the '
        f'images, got {norm[i]}.'
      )
  if not min(norm[1]) >= 1:
    raise ValueError(
      f'--std is on the scale 0 to 255, got {norm[1]}: 255 times what PyTorch '
      'gets, and --mean likewise.'
    )
  size = image_size or size
  if size < 1:
    raise ValueError(f'--image-size must be at least 1, got {size}.')
  model = create_model(**arguments)
  return Network(model, *norm, (size, size, channels), label)


def class_names(path, count):
  """The lines of a file, as many as there are classes; '': 0, 1, ..."""
  if not path:
    return [str(i) for i in range(count)]
  text = pathlib.Path(path).expanduser().read_text(encoding='utf-8')
  names = [line.strip() for line in text.splitlines() if line.strip()]
  if len(names) != count:
    raise ValueError(
      f'--classes={path} has {len(names)} names, one on a line, and the last '
      f'layer {count} classes.'
    )
  return names


def _numbers(flag, text):
  """Integers or floats, separated by commas."""
  try:
    return tuple(
      float(x) if '.' in x or 'e' in x else int(x) for x in text.split(',')
    )
  except ValueError:
    raise ValueError(f'{flag} wants numbers, got {text!r}.') from None

"""Networks by name.

Every model is a `flax.linen` module with

  logits, endpoints = model.apply(variables, images, train=False)

`images` are normalised floats `[B, H, W, C]`; `endpoints` is a dict of named
arrays, documented in the class. XLA drops the ones that nobody reads.
"""

import dataclasses
import functools

from at_jax._arrays import unknown
from at_jax.models.a3net import A3Net
from at_jax.models.attention_cnn import AttentionCNN
from at_jax.models.cifar_resnet import CifarResNet
from at_jax.models.densenet import DenseNet
from at_jax.models.nin import NIN
from at_jax.models.preact_cifar_resnet import PreactCifarResNet
from at_jax.models.preact_resnet import PreactResNet
from at_jax.models.ran import RANCifar, RANCifarWide, RANImageNet, RANNext
from at_jax.models.resnet import ResNet
from at_jax.models.tasn import TASN
from at_jax.models.wrn import WRN

MODELS = {
  'wrn': WRN,
  'nin': NIN,
  'cifar_resnet': CifarResNet,
  'resnet18': functools.partial(ResNet, depth=18),
  'resnet34': functools.partial(ResNet, depth=34),
  'resnet50': functools.partial(ResNet, depth=50),
  'resnet101': functools.partial(ResNet, depth=101),
  'resnet152': functools.partial(ResNet, depth=152),
  'preact_resnet18': functools.partial(PreactResNet, depth=18),
  'preact_resnet34': functools.partial(PreactResNet, depth=34),
  'preact_cifar_resnet': PreactCifarResNet,
  'tasn': TASN,
  'ran_cifar': RANCifar,
  'ran_cifar_wide': RANCifarWide,
  'ran56': functools.partial(RANImageNet, modules=(1, 1, 1)),
  'ran92': functools.partial(RANImageNet, modules=(1, 2, 3)),
  'ran_next56': functools.partial(RANNext, modules=(1, 1, 1)),
  'ran_next92': functools.partial(RANNext, modules=(1, 2, 3)),
  'densenet121': functools.partial(DenseNet, blocks=(6, 12, 24, 16)),
  'a3net': A3Net,
  'attention_cnn': AttentionCNN,
}


def create_model(name, **kwargs):
  """Builds a model: `create_model('wrn', depth=16, width=1, num_classes=10)`.

  Args:
    name: a key of `MODELS`.
    **kwargs: the fields of its class; all take `num_classes` and `dtype`. Lists
      become tuples: JSON knows lists only, and a module must be hashable.

  Returns:
    A `flax.linen` module.

  Raises:
    ValueError: an unknown name or argument; the nearest and all are named.
  """
  if name not in MODELS:
    raise ValueError(unknown('model', name, sorted(MODELS)))
  model = MODELS[name]
  fixed = getattr(model, 'keywords', {})
  fields = [
    field.name
    for field in dataclasses.fields(getattr(model, 'func', model))
    if field.name not in ('parent', 'name', *fixed)
  ]
  for key in kwargs:
    if key not in fields:
      raise ValueError(unknown(f'argument of model {name!r}', key, fields))
  return model(**{key: _tuples(value) for key, value in kwargs.items()})


def _tuples(value):
  if isinstance(value, (list, tuple)):
    return tuple(_tuples(item) for item in value)
  return value

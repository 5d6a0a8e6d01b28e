"""A small form of each family of models, for tests of what all of them can."""

import functools

from small_networks import TASN_SETTINGS

from at_jax.models import MODELS, create_model
from at_jax.models.densenet import DenseNet
from at_jax.models.ran import RANCifar, RANCifarWide, RANImageNet
from at_jax.objectives import Network

MEAN, STD = 120.0, 60.0

# Its arguments, the size of its images, and the pictures that only it has.
RAN_SETTINGS = dict(t=1, width=4)
FORMS = {
  'wrn': (dict(depth=10, width=0.25), 8, ()),
  'nin': (dict(widths=8), 8, ()),
  'cifar_resnet': (dict(depth=8), 8, ()),
  'preact_cifar_resnet': (dict(depth=11), 8, ()),
  'resnet18': ({}, 32, ()),
  'preact_resnet18': ({}, 32, ()),
  'densenet121': (dict(growth=4, width=8), 32, ()),
  'ran_cifar': (RAN_SETTINGS, 8, ('masks',)),
  'ran_cifar_wide': (RAN_SETTINGS | dict(modules=1, width=8), 8, ('masks',)),
  'ran56': (RAN_SETTINGS | dict(width=16), 32, ('masks',)),
  'ran_next56': (RAN_SETTINGS | dict(width=64), 32, ('masks',)),
  'tasn': (TASN_SETTINGS, 24, ('samples',)),
  'a3net': (
    dict(blocks=(1, 1), growth=4, stem=8, width=4, taps=(1, 2)),
    32,
    ('gates',),
  ),
  'attention_cnn': (dict(width=4, k=4), 8, ('gates',)),
}
# Of the same classes, and only larger.
LARGER = {
  'resnet18': ('resnet34', 'resnet50', 'resnet101', 'resnet152'),
  'preact_resnet18': ('preact_resnet34',),
  'ran56': ('ran92',),
  'ran_next56': ('ran_next92',),
}


def network_of(name):
  """The `Network` of a family's small form, of three classes."""
  arguments, side, _ = FORMS[name]
  model = create_model(name, **arguments | dict(num_classes=3))
  return Network(model, (MEAN,), (STD,), (side, side, 3), name)


def shorten(patch):
  """Makes small what is no argument, by a `MonkeyPatch`.

  Of DenseNet-121's layers there is one in each group. Of residual attention
  networks `ran_cifar` has one stage, whose mask has a skip, others fewer pools.
  """
  model = functools.partial(DenseNet, blocks=(1, 1, 1, 1))
  patch.setitem(MODELS, 'densenet121', model)
  patch.setattr(RANCifar, 'pools', (2,))
  patch.setattr(RANCifarWide, 'pools', (1, 0))
  patch.setattr(RANImageNet, 'pools', (1, 1, 1))

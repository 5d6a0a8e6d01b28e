"""ResNet-20 taught by ResNet-56 on CIFAR-10, attention transfer by activations.

Not in the paper; later work compares on this pair with recipes of its own.
Maps are taken after each group, behind its last ReLU. Ours: not yet measured.
  python train.py --config=configs/cifar_resnet_at.py        # also :beta=500
  python train.py --config=configs/cifar_resnet_at.py:dataset=cifar100
  python train.py --config=configs/cifar_resnet_at.py:tiny   # seconds, no files
"""

from configs import common, methods, networks

DEFAULTS = common.SETUP | dict(
  depth=20,
  teacher='configs/cifar_resnet.py:depth=56',
  beta=1e3,
)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = common.taught(arg, networks.cifar_resnet(arg.depth, tiny=arg.tiny))
  config.label = 'ResNet AT'
  config.objective = methods.at(arg.beta)
  return config

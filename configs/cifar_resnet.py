"""A residual network for CIFAR alone (He et al.), with the paper's recipe.

He et al. train longer with less weight decay; for comparable rows this keeps
the attention transfer paper's CIFAR section. Ours: not yet measured.
  python train.py --config=configs/cifar_resnet.py:depth=56 # 20, 32, 44, 110
  python train.py --config=configs/cifar_resnet.py:dataset=cifar100
  python train.py --config=configs/cifar_resnet.py:tiny     # seconds, no files
"""

from configs import common, networks


def get_config(arg=None):
  arg = common.parse_arg(arg, **common.SETUP, depth=20)
  config = common.setup(arg)
  config.model = networks.cifar_resnet(arg.depth, tiny=arg.tiny)
  config.label = f'ResNet-{config.model.depth}'
  return config

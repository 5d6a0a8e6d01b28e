"""A ResNet alone on ImageNet, or on photos by ImageNet's recipe.

Paper, ImageNet validation error, top-1 / top-5: ResNet-18 30.4 / 10.8,
ResNet-34 26.1 / 8.3 (Table 5). Ours: not yet measured.
  python train.py --config=configs/resnet_imagenet.py          # :depth=34
  python train.py --config=configs/resnet_imagenet.py:dataset=folder:PATH
  python train.py --config=configs/resnet_imagenet.py:tiny     # no files
docs/data.md says how ImageNet is prepared.
"""

from configs import common, photos

PAPER = {18: 30.4, 34: 26.1}


def get_config(arg=None):
  arg = common.parse_arg(arg, **photos.IMAGENET, depth=18)
  config = photos.imagenet(arg, arg.depth)
  config.label = f'ResNet-{arg.depth}'
  if photos.is_paper(arg, photos.IMAGENET):
    config.paper = PAPER.get(arg.depth, 0.0)
  return config

"""ResNet-18 taught by ResNet-34 on ImageNet, attention transfer.

Paper: 29.3 % top-1, 10.0 % top-5 validation error (Table 5). Ours: not yet
measured. Recipes, of which beta = 1000 is the only one published:
  paper    last two groups, the term begins at epoch 60 of 100
  repeat   last two groups from the start, drops after 30, 60 and 90 whole
           epochs that keep the momentum: with it others reached 29.1 to 29.4
  code     all four groups from the start: the authors' released code, with
           which users of it got 33 to 40
The teacher is trained first; published weights are faster, docs/convert.md:
  python train.py --config=configs/resnet_imagenet_at.py:recipe=repeat \
    --config.teacher.config= --config.teacher.weights=weights/resnet34
  python train.py --config=configs/resnet_imagenet_at.py:tiny  # no files
"""

from configs import common, photos

DEFAULTS = photos.IMAGENET_PAIR


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = photos.imagenet_taught(arg)
  config.label = f'AT ({arg.recipe})'
  config.objective = photos.imagenet_at(arg, config)
  if photos.is_paper(arg, DEFAULTS):
    config.paper = 29.3
  return config

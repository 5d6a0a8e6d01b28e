"""Table 5 of the paper: ImageNet, ResNet-18 alone and taught by ResNet-34.

Paper, validation error, top-1 / top-5: alone 30.4 / 10.8, AT 29.3 / 10.0,
teacher 26.1 / 8.3. Ours: not yet measured.
  python train.py --config=configs/table5.py           # or :recipe=repeat
  python train.py --config=configs/table5.py:tiny      # no files
Recipes: see resnet_imagenet_at.py.
"""

from configs import common, methods, photos

DEFAULTS = photos.IMAGENET_PAIR


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS, rows='')
  config = photos.imagenet_taught(arg)
  theirs = photos.is_paper(arg, DEFAULTS)
  rows = {
    'alone': _row('alone', 30.4, methods.alone(), theirs),
    'at': _row('AT', 29.3, photos.imagenet_at(arg, config), theirs),
  }
  config.rows = common.dotted(common.select(rows, arg.rows))
  config.baseline = 'alone' if 'alone' in config.rows else ''
  return config


def _row(label, error, objective, theirs):
  paper = error if theirs else 0.0
  return {'label': label, 'paper': paper, 'objective': objective}

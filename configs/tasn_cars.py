"""TASN on Stanford Cars: 196 makes and models, 8,144 and 8,041 photos.

Paper: 6.2 % test error, at a size we do not know. Ours: not yet measured.
  python train.py --config=configs/tasn_cars.py
  python train.py --config=configs/tasn_cars.py:tiny       # no files
Weights to begin with, presets and recipes: tasn_cub.py.
"""

from configs import common, tasn


def get_config(arg=None):
  defaults = tasn.SETUP | dict(dataset=tasn.CARS)
  arg = common.parse_arg(arg, **defaults)
  config = tasn.one(arg)
  config.paper = 6.2 if tasn.is_paper(arg, defaults) else 0.0
  return config

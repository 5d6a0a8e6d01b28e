"""TASN on iNaturalist 2017: 5,089 species, 579,184 and 95,986 photos.

Tested on the validation split, since the test split has no labels. Ours: not
yet measured.
  python train.py --config=configs/tasn_inat.py
  python train.py --config=configs/tasn_inat.py:tiny       # no files
Weights to begin with, presets and recipes: tasn_cub.py; whether the paper's
recipe is the same here is not known to us.
"""

from configs import common, tasn


def get_config(arg=None):
  arg = common.parse_arg(arg, **tasn.SETUP | dict(dataset=tasn.INAT))
  config = tasn.one(arg)
  if config.data.name == tasn.INAT:
    config.data.test_split = 'validation'
  return config

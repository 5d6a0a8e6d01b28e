"""ResNet-18 taught by ResNet-34 on CUB-200-2011, both from ImageNet weights.

Paper: 27.0 % test error with attention transfer of the last two groups (Table
4). Ours: not yet measured. Stem and first group are frozen, batch norms fixed.
  python train.py --config=configs/resnet_cub_at.py          # or :beta=500
  python train.py --config=configs/resnet_cub_at.py:tiny     # no files
Wanted: weights/resnet18 and weights/resnet34 (docs/convert.md), and the data
(docs/data.md); docs/transfer_learning.md has both, command by command.
"""

from configs import photos

DEFAULTS = photos.fine_tuning_defaults('cub')


def get_config(arg=None):
  arg = photos.parse_fine(arg, **DEFAULTS)
  config = photos.taught(arg)
  config.label = 'AT'
  config.objective = photos.at(arg)
  if photos.is_paper(arg, DEFAULTS):
    config.paper = 27.0
  return config

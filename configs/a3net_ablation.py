"""What each attention of A3Net does, on ChestX-ray14. No medical device.

Rows: a DenseNet-121 alone; channel attention after its last group; element
attention too; three groups and their mean; scale attention over them, which is
A3Net. The paper's own table is not known to us. Ours: not yet measured.
  python train.py --config=configs/a3net_ablation.py:seeds=3
  python train.py --config=configs/a3net_ablation.py:rows=backbone+sa
  python train.py --config=configs/a3net_ablation.py:tiny  # no files
"""

from configs import common, triple


def get_config(arg=None):
  arg = common.parse_arg(arg, **triple.SETUP, rows='')
  config = triple.cxr(arg)
  taps = (1, 2) if arg.tiny else (2, 3, 4)
  names = arg.rows or ('backbone+sa' if arg.tiny else '')
  own = triple.TINY if arg.tiny else {}
  config.rows = triple.part_rows(names, own, taps)
  config.baseline = 'backbone' if 'backbone' in config.rows else ''
  return config

"""Table 1 of the residual attention paper: three kinds of gates, CIFAR-10.

Attention-56, one run each in the paper: mixed 5.52 %, channel 6.24 %, spatial
6.33 %. Ours: not yet measured.
  python train.py --config=configs/ran_table1.py:seeds=5
  python train.py --config=configs/ran_table1.py:rows=mixed+channel
  python train.py --config=configs/ran_table1.py:tiny       # no files
"""

from configs import common, ran


def get_config(arg=None):
  arg = common.parse_arg(arg, **ran.SETUP, rows='')
  rows = {
    'mixed': ran.row(arg, 'mixed'),
    'channel': ran.row(arg, 'channel', gate='channel'),
    'spatial': ran.row(arg, 'spatial', gate='spatial'),
  }
  return ran.study(arg, rows, tiny='channel', baseline='mixed')

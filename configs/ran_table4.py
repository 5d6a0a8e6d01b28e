"""Table 4 of the residual attention paper: what a mask is made of, CIFAR-10.

Attention-56 with masks of three units at full size, and with those that pool
and interpolate. Paper, one run each: 6.48 and 5.52 %. The third row, without
masks, is ours: it says what the trunk does alone. Ours: not yet measured.
  python train.py --config=configs/ran_table4.py:seeds=5
  python train.py --config=configs/ran_table4.py:rows=local
  python train.py --config=configs/ran_table4.py:tiny       # no files
"""

from configs import common, ran


def get_config(arg=None):
  arg = common.parse_arg(arg, **ran.SETUP, rows='')
  rows = {
    'encoder_decoder': ran.row(arg, 'encoder and decoder'),
    'local': ran.row(arg, 'local convolutions', mask='local'),
    'none': ran.row(arg, 'no masks', mask='none'),
  }
  return ran.study(arg, rows, tiny='local+none', baseline='encoder_decoder')

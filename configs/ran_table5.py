"""Table 5 of the residual attention paper: wrong labels in training, CIFAR-10.

Attention-92 and ResNet-164; a label is wrong with probability 10, 30, 50 or
70 %, each of the nine others as often, drawn once with `noise_seed`; test
labels are right. Paper, one run each, ResNet-164 / Attention-92: 5.93 / 5.15,
6.61 / 5.79, 8.35 / 7.27, 17.21 / 15.75 %. Ours: not yet measured.
  python train.py --config=configs/ran_table5.py:seeds=5
  python train.py --config=configs/ran_table5.py:rows=resnet_30+attention_30
  python train.py --config=configs/ran_table5.py:tiny       # no files
"""

from configs import common, ran

LEVELS = (10, 30, 50, 70)  # per cent


def get_config(arg=None):
  arg = common.parse_arg(arg, **ran.SETUP, noise_seed=0, rows='')
  rows = {}
  for level in LEVELS:
    noise = level / 100
    resnet = ran.resnet_row(arg, f'ResNet-164, {level} %', noise=noise)
    rows[f'resnet_{level}'] = resnet
    own = ran.row(arg, f'Attention-92, {level} %', depth=92, noise=noise)
    rows[f'attention_{level}'] = own | {'baseline': f'resnet_{level}'}
  config = ran.study(arg, rows, tiny='resnet_30')
  config.data.noise_seed = arg.noise_seed
  return config

"""Table 3 of the residual attention paper: residual or naive, by depth.

Attention residual learning, H = (1 + M) T, and naive, H = M T, on CIFAR-10.
Paper, one run each, residual / naive: Attention-56 5.52 / 5.89, 92 4.99 / 5.35,
128 4.44 / 5.57, 164 4.31 / 7.18 %. A difference is to the residual row of its
depth. Ours: not yet measured.
  python train.py --config=configs/ran_table3.py:seeds=5
  python train.py --config=configs/ran_table3.py:rows=arl_56+nal_56
  python train.py --config=configs/ran_table3.py:rows=arl_164+nal_164+resnet_164
  python train.py --config=configs/ran_table3.py:tiny       # no files
The report's curves of responses are the paper's Figure 4, if the rows of the
last command but one are there.
"""

from configs import common, ran

DEPTHS = (56, 92, 128, 164)


def get_config(arg=None):
  arg = common.parse_arg(arg, **ran.SETUP, rows='')
  rows = {}
  for depth in DEPTHS:
    name = f'Attention-{depth}'
    rows[f'arl_{depth}'] = ran.row(arg, f'{name}, residual', depth=depth)
    naive = ran.row(arg, f'{name}, naive', depth=depth, residual=False)
    rows[f'nal_{depth}'] = naive | {'baseline': f'arl_{depth}'}
  rows['resnet_164'] = ran.resnet_row(arg, 'ResNet-164')
  return ran.study(arg, rows, tiny='arl_56+nal_56')

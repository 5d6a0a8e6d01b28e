"""A wide residual network alone: students' baseline, and every teacher.

Paper, CIFAR-10 test error, median of 5: WRN-16-1 8.77 %, WRN-16-2 6.31 %,
WRN-40-1 6.58 %, WRN-40-2 5.23 % (Table 1).
  python train.py --config=configs/wrn.py:depth=16,width=2   # also :seeds=5
  python train.py --config=configs/wrn.py:dataset=cifar100   # mnist, digits
  python train.py --config=configs/wrn.py:epochs=10          # drops move along
  python train.py --config=configs/wrn.py:tiny               # seconds, no files
"""

from configs import common, networks

PAPER = {(16, 1): 8.77, (16, 2): 6.31, (40, 1): 6.58, (40, 2): 5.23}


def get_config(arg=None):
  arg = common.parse_arg(arg, **common.SETUP, depth=16, width=1.0)
  config = common.setup(arg)
  config.model = networks.wrn(arg.depth, arg.width, tiny=arg.tiny)
  config.label = f'WRN-{config.model.depth}-{config.model.width:g}'
  error = PAPER.get((arg.depth, arg.width), 0.0)
  config.paper = common.paper(arg, common.SETUP, error)
  return config

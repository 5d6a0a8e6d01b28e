"""WRN-16-1 taught by WRN-16-2 on CIFAR-10, knowledge distillation.

alpha T^2 KL + (1 - alpha) CE with T = 4, alpha = 0.9. Paper: 7.41 % test
error, median of 5 (Table 1, row 2). Ours: not yet measured.
  python train.py --config=configs/wrn_kd.py          # or :alpha=0.5
  python train.py --config=configs/wrn_kd.py:tiny     # seconds, no files
"""

from configs import common, methods, networks

DEFAULTS = common.PAIR | dict(
  alpha=0.9,
  temperature=4.0,
)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = common.taught(arg, networks.wrn(arg.depth, arg.width, tiny=arg.tiny))
  config.label = 'KD'
  config.paper = common.paper(arg, DEFAULTS, 7.41)
  config.objective = methods.kd(arg.alpha, arg.temperature)
  return config

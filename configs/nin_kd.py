"""NIN-thin taught by NIN-wide on CIFAR-10, knowledge distillation.

Under the conditions of the paper's Table 3: no batch norm, flips only, no
weight decay. Paper: 12.1 % test error, one run, of networks whose widths it
does not give, see `nin.py`, nor alpha and temperature. Ours: not yet measured.
  python train.py --config=configs/nin_kd.py          # also :temperature=2
  python train.py --config=configs/nin_kd.py:tiny     # seconds, no files
"""

from configs import common, methods, plain

DEFAULTS = plain.PAIR | dict(alpha=0.9, temperature=4.0)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = plain.taught(arg, methods.kd(arg.alpha, arg.temperature))
  config.label = 'NIN KD'
  config.paper = common.paper(arg, DEFAULTS, 12.1)
  return config

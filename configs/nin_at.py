"""NIN-thin taught by NIN-wide on CIFAR-10, activation-based attention transfer.

Maps are taken after each block, before its pooling. Paper: 8.93 % test error,
median of 5 (Table 1, row 1), of networks whose widths it does not give, see
`nin.py`. Ours: not yet measured.
  python train.py --config=configs/nin_at.py          # also :beta=500
  python train.py --config=configs/nin_at.py:tiny     # seconds, no files
"""

from configs import common, methods, networks

DEFAULTS = common.SETUP | dict(
  width=96,
  teacher='configs/nin.py:width=192',
  beta=1e3,
)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = common.taught(arg, networks.nin(arg.width, tiny=arg.tiny))
  config.label = 'NIN AT'
  config.paper = common.paper(arg, DEFAULTS, 8.93)
  config.objective = methods.at(arg.beta)
  return config

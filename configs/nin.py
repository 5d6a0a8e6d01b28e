"""A network in network alone: 192 channels (wide, 0.9 M), or 96 (thin, 0.2 M).

The paper gives sizes ("1M", "0.2M") and blocks (3x3, 1x1, 1x1), not widths:
these are ours. Paper, CIFAR-10 test error, median of 5: thin 9.38 %, wide
7.28 % (Table 1). Ours: not yet measured.
  python train.py --config=configs/nin.py:width=96    # also :seeds=5
  python train.py --config=configs/nin.py:tiny        # seconds, no files
"""

from configs import common, networks

PAPER = {192: 7.28, 96: 9.38}


def get_config(arg=None):
  arg = common.parse_arg(arg, **common.SETUP, width=192)
  config = common.setup(arg)
  config.model = networks.nin(arg.width, tiny=arg.tiny)
  config.label = f'NIN-{config.model.widths}'
  config.paper = common.paper(arg, common.SETUP, PAPER.get(arg.width, 0.0))
  return config

"""NIN-thin on CIFAR-10 with small input gradients: double backpropagation.

Drucker and LeCun's penalty, "min-l2" in the paper; no teacher. Paper: 12.5 %
test error, one run (Table 3), of a network whose width it does not give, see
`nin.py`, with a beta it does not give either. Ours: not yet measured.
  python train.py --config=configs/nin_min_l2.py          # also :beta=3
  python train.py --config=configs/nin_min_l2.py:tiny     # seconds, no files
"""

from configs import common, methods, plain

DEFAULTS = plain.SETUP | dict(beta=plain.BETAS['min_l2'], squared=True)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = plain.setup(arg)
  config.objective = methods.min_l2(arg.beta, squared=arg.squared)
  config.label = 'NIN min-l2'
  config.paper = common.paper(arg, DEFAULTS, 12.5)
  return config

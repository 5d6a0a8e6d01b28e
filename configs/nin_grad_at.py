"""NIN-thin taught by NIN-wide on CIFAR-10, gradient-based attention transfer.

The student's gradient of the loss with respect to the pixels is to be the
teacher's. Paper: 12.1 % test error, one run (Table 3), of networks whose widths
it does not give, see `nin.py`, with a beta it does not give either. Ours: not
yet measured.
  python train.py --config=configs/nin_grad_at.py         # also :beta=3
  python train.py --config=configs/nin_grad_at.py:tiny    # seconds, no files
"""

from configs import common, methods, plain

DEFAULTS = plain.PAIR | dict(beta=plain.BETAS['grad_at'], squared=True)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  objective = methods.grad_at(arg.beta, squared=arg.squared)
  config = plain.taught(arg, objective)
  config.label = 'NIN grad-AT'
  config.paper = common.paper(arg, DEFAULTS, 12.1)
  return config

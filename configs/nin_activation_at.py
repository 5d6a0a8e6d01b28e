"""NIN-thin taught by NIN-wide on CIFAR-10, by activations, as in Table 3.

No batch norm in the student, flips only, no weight decay. The teacher is not
that of gradients: it has batch norm, and no ReLU before pooling. Maps are those
of each block's last convolution. Paper: 11.2 % test error, one run, of networks
whose widths it does not give, see `nin.py`. Ours: not yet measured.
  python train.py --config=configs/nin_activation_at.py       # also :beta=500
  python train.py --config=configs/nin_activation_at.py:tiny  # seconds
`nin_at.py` is the pair of Table 1, with batch norm.
"""

from configs import common, methods, plain

DEFAULTS = plain.SETUP | dict(
  beta=plain.BETAS['activation_at'],
  teacher=plain.ACTIVATION_TEACHER,
)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = plain.taught(arg, methods.at(arg.beta, taps=plain.CONVOLUTIONS))
  config.label = 'NIN AT, conv'
  config.paper = common.paper(arg, DEFAULTS, 11.2)
  return config

"""A NIN without batch norm, alone: baseline and teacher of the paper's Table 3.

No ReLU before pooling, flips only, no weight decay. Paper: thin (96 channels)
13.5 % test error on CIFAR-10, one run (Table 3), of networks whose widths it
does not give. Ours: not yet measured.
  python train.py --config=configs/nin_plain.py
  python train.py --config=configs/nin_plain.py:width=192,batch_norm
  python train.py --config=configs/nin_plain.py:tiny      # seconds, no files
`batch_norm` makes the teacher of `nin_activation_at.py`.
"""

from configs import common, plain

DEFAULTS = plain.SETUP | dict(batch_norm=False)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = plain.setup(arg, batch_norm=arg.batch_norm)
  norm = 'with' if arg.batch_norm else 'without'
  config.label = f'NIN-{config.model["widths"]} {norm} BN'
  config.paper = common.paper(arg, DEFAULTS, 13.5)
  return config

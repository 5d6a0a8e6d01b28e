"""NIN-thin on CIFAR-10 whose input gradients follow a mirrored image.

The paper's "symmetry norm", equation 6, and the l2 between the two outputs; no
teacher. Paper: 11.8 % test error, one run (Table 3), of a network whose width
it does not give, see `nin.py`, with weights it does not give either. Ours: not
yet measured.
  python train.py --config=configs/nin_symmetry.py        # also :outputs=0
  python train.py --config=configs/nin_symmetry.py:tiny   # seconds, no files
"""

from configs import common, methods, plain

DEFAULTS = plain.SETUP | dict(
  beta=plain.BETAS['symmetry'], outputs=1.0, squared=True
)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = plain.setup(arg)
  config.objective = methods.symmetry(
    arg.beta, outputs=arg.outputs, squared=arg.squared
  )
  config.label = 'NIN symmetry'
  config.paper = common.paper(arg, DEFAULTS, 11.8)
  return config

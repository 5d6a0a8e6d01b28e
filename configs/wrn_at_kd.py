"""WRN-16-1 taught by WRN-16-2 on CIFAR-10, attention transfer and KD together.

The paper decays beta in this combination, by a schedule it never gave. Ours
falls in a straight line to 0 over the run; `:decay=constant` keeps it, `cosine`
is the third choice. Paper: 7.51 % test error, median of 5 (Table 1, row 2).
Ours: not yet measured.
  python train.py --config=configs/wrn_at_kd.py       # also :decay=constant
  python train.py --config=configs/wrn_at_kd.py:tiny  # seconds, no files
"""

from configs import common, methods, networks

DEFAULTS = common.PAIR | dict(
  beta=1e3,
  decay='linear',
  alpha=0.9,
  temperature=4.0,
)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = common.taught(arg, networks.wrn(arg.depth, arg.width, tiny=arg.tiny))
  config.label = 'AT+KD'
  config.paper = common.paper(arg, DEFAULTS, 7.51)
  config.objective = methods.at_kd(
    arg.beta, decay=arg.decay, alpha=arg.alpha, temperature=arg.temperature
  )
  return config

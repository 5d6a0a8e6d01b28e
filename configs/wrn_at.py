"""WRN-16-1 taught by WRN-16-2 on CIFAR-10, activation-based attention transfer.

Paper: 7.93 % test error, median of 5 (Table 1, row 2; Table 2). Ours: not yet
measured.
  python train.py --config=configs/wrn_at.py           # or :beta=500
  python train.py --config=configs/wrn_at.py:teacher=configs/wrn.py:depth=40
  python train.py --config=configs/wrn_at.py:taps=blocks # after every block
  python train.py --config=configs/wrn_at.py:tiny        # seconds, no files
"""

from configs import common, methods, networks

DEFAULTS = common.PAIR | dict(
  beta=1e3,
  taps='groups',
  form='code',
  kind='sum_pow',
  p=2.0,
)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = common.taught(arg, networks.wrn(arg.depth, arg.width, tiny=arg.tiny))
  config.label = 'AT'
  config.paper = common.paper(arg, DEFAULTS, 7.93)
  config.objective = methods.at(
    arg.beta,
    taps=networks.wrn_taps(arg, config.model.depth),
    form=arg.form,
    kind=arg.kind,
    p=arg.p,
  )
  return config

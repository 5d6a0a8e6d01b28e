"""100 labelled digits, and attention by gradients: minutes on two CPU cores.

A small network in network without batch norm, alone, with gradient methods,
distilled, and with activations, as in the paper's Table 3; not `symmetry`: a
mirrored digit is none. Its teachers saw 1,000 labels.
  python train.py --config=configs/digits_grad_at.py          # 5 seeds
  python train.py --config=configs/digits_grad_at.py:rows=alone+grad_at
  python train.py --config=configs/digits_grad_at.py:tiny     # seconds
  python train.py \\
    --config=configs/digits_grad_at.py:sweep=min_l2,betas=0.1+1,validation=500
"""

from configs import common, networks, plain

ROWS = 'alone+min_l2+grad_at+kd+activation_at'
TINY = 'alone+grad_at'
TEACHER = 'configs/nin_plain.py:width=96;dataset=digits'
DEFAULTS = dict(tiny=False, seeds=5, width=24, lr=0.003, epochs=600)
BETAS = dict(min_l2=3.0, grad_at=1.0, activation_at=100.0)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS | plain.STUDY | BETAS)
  config = common.digits(arg)
  plain.set_conditions(config, plain.TINY_LR if arg.tiny else arg.lr)
  config.model = networks.plain_nin(arg.width, tiny=arg.tiny)
  config.data.validation = arg.validation
  if arg.tiny:
    config.seeds = min(config.seeds, 2)
  else:
    config.data.train_examples = 100
    config.epochs = arg.epochs
    config.batch_size = 50
    config.eval_every = max(1, arg.epochs // 5)
    config.optimizer.update(
      drops=(arg.epochs // 2, arg.epochs * 3 // 4), warmup=arg.epochs / 10
    )
    # The teachers have all the labels, and so need fewer epochs.
    config.teacher.overrides = common.dotted(
      {
        'data.train_examples': 0,
        'epochs': 50,
        'optimizer.drops': (26, 39),
        'optimizer.lr': 0.01,
        'optimizer.warmup': 5.0,
      }
    )
  if not (arg.rows or arg.sweep):
    arg.rows = TINY if arg.tiny else ROWS
  teachers = dict(
    grad_at=TEACHER, kd=TEACHER, activation_at=f'{TEACHER};batch_norm'
  )
  plain.fill_rows(config, arg, teachers)
  return config

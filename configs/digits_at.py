"""100 labelled digits, and a teacher who saw 1,000: the default of `train.py`.

Rows: the student alone, with attention transfer, with knowledge distillation,
with both. Embedded data, no download, under three minutes on two CPU cores.
  python train.py                                      # 5 seeds
  python train.py --config=configs/digits_at.py:beta=50,rows=alone+at
  python train.py --config=configs/digits_at.py:tiny   # seconds
"""

from configs import common, methods, networks


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    tiny=False,
    seeds=5,
    depth=10,
    width=0.5,
    rows='',
    beta=10.0,
    alpha=0.9,
    temperature=4.0,
    validation=0,
    lr=0.2,
    epochs=100,
  )
  config = common.digits(arg)
  config.data.validation = arg.validation
  if arg.tiny:
    config.seeds = min(config.seeds, 2)
  config.model = networks.wrn(arg.depth, arg.width, tiny=arg.tiny)
  config.teacher.config = 'configs/wrn.py:depth=16;width=2;dataset=digits'
  if not arg.tiny:
    config.data.train_examples = 100
    config.epochs = arg.epochs
    config.batch_size = 50
    config.eval_every = 20
    config.optimizer.update(
      lr=arg.lr, drops=(arg.epochs // 2, arg.epochs * 3 // 4)
    )
    # The teacher has all the labels, and so needs fewer epochs.
    config.teacher.overrides = common.dotted(
      {
        'data.train_examples': 0,
        'epochs': 12,
        'optimizer.drops': (8, 11),
      }
    )
  config.rows = common.dotted(common.select(_rows(arg), arg.rows))
  config.baseline = 'alone' if 'alone' in config.rows else ''
  return config


def _rows(arg):
  soft = dict(alpha=arg.alpha, temperature=arg.temperature)
  return {
    'alone': _row('alone', methods.alone()),
    'at': _row('AT', methods.at(arg.beta)),
    'kd': _row('KD', methods.kd(**soft)),
    'at_kd': _row('AT+KD', methods.at_kd(arg.beta, **soft)),
  }


def _row(label, objective):
  return {'label': label, 'objective': objective}

"""A small residual attention network on 500 digits: minutes on two CPU cores.

Rows: attention residual learning, H = (1 + M) T; naive, H = M T; masks without
pools; no masks at all, the trunk alone. Embedded data, no download.
  python train.py --config=configs/ran_digits.py        # 5 seeds
  python train.py --config=configs/ran_digits.py:rows=arl+none,modules=2
  python train.py --config=configs/ran_digits.py:tiny   # seconds
Widths 16, 32, 64 where CIFAR has 64, 128, 256; learning rate and length by
guess.
"""

from configs import common, ran


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    tiny=False,
    seeds=5,
    modules=1,
    width=16,
    rows='',
    lr=0.1,
    epochs=30,
    validation=0,
    train_examples=500,
  )
  config = common.digits(arg)
  ran.set_optimizer(config)
  model = ran.network(56, tiny=arg.tiny)
  if arg.tiny:
    config.seeds = min(config.seeds, 2)
  else:
    model |= dict(modules=arg.modules, width=arg.width)
    config.data.update(
      validation=arg.validation, train_examples=arg.train_examples
    )
    config.epochs, config.eval_every = arg.epochs, 5
    config.batch_size = 50
    # Where the paper's drops are: after 40 and 60 % of all iterations.
    config.optimizer.drops = (
      1 + 0.4 * config.epochs,
      1 + 0.6 * config.epochs,
    )
  rows = {
    'arl': _row('residual, (1 + M) T', model),
    'nal': _row('naive, M T', model | dict(residual=False)),
    'local': _row('masks without pools', model | dict(mask='local')),
    'none': _row('no masks, T', model | dict(mask='none')),
  }
  wanted = arg.rows or ('nal' if arg.tiny else '')
  config.rows = common.dotted(common.select(rows, wanted))
  config.baseline = 'none' if 'none' in config.rows else ''
  return config


def _row(label, model):
  return {'label': label, 'model': model}

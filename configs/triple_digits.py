"""Convolution, attention, global average, softmax: on scikit-learn's digits.

Rows: the convolution with a dense layer after its average, with channel, with
element attention, with both, with the softmax over classes, and with a dense
layer behind both. Embedded data, no download, minutes on two CPU cores.
  python train.py --config=configs/triple_digits.py        # 5 seeds
  python train.py --config=configs/triple_digits.py:rows=control+both
  python train.py --config=configs/triple_digits.py:tiny   # seconds
Learning rate and length by guess. On MNIST: triple_mnist.py.
"""

from configs import common, triple


def get_config(arg=None):
  arg = common.parse_arg(
    arg, tiny=False, seeds=5, rows='', lr=3e-3, epochs=30, validation=0
  )
  config = common.digits(arg)
  if arg.tiny:
    config.seeds = min(config.seeds, 2)
  else:
    config.data.validation = arg.validation
    config.batch_size, config.eval_every = 50, 10
    triple.adam(config, arg.lr, arg.epochs)
  config.rows = triple.cnn_rows(arg.rows or ('both' if arg.tiny else ''))
  config.baseline = 'control' if 'control' in config.rows else ''
  return config

"""Convolution, attention, global average, softmax: on MNIST, without padding.

The question that is asked of the paper's element attention, answered in code:
`Conv2D - attention - GAP - Softmax(10)`. Rows as in triple_digits.py. Ours: not
yet measured.
  python train.py --config=configs/triple_mnist.py
  python train.py --config=configs/triple_mnist.py:rows=control+both,seeds=5
  python train.py --config=configs/triple_mnist.py:tiny    # no files
"""

from configs import common, triple


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    tiny=False,
    seeds=1,
    rows='',
    lr=1e-3,
    epochs=2,
    dataset='mnist',
    validation=0,
  )
  config = common.setup(arg)
  if not arg.tiny:
    config.data.update(pad=0, validation=arg.validation)
    triple.adam(config, arg.lr, arg.epochs)
    config.optimizer.warmup = 0.0
  config.rows = triple.cnn_rows(arg.rows or ('control' if arg.tiny else ''))
  config.baseline = 'control' if 'control' in config.rows else ''
  return config

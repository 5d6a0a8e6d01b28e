"""A residual attention network on CIFAR-10: Attention-56, 92, ... 452.

Paper, CIFAR-10 test error of one run: Attention-56 5.52 %, 92 4.99 %, 128
4.44 %, 164 4.31 %, 236 4.14 %, 452 3.90 %. Ours: not yet measured.
  python train.py --config=configs/ran_cifar.py              # also :depth=92
  python train.py --config=configs/ran_cifar.py:gate=channel,residual=False
  python train.py --config=configs/ran_cifar.py:depth=92,noise=0.3
  python train.py --config=configs/ran_cifar.py:iterations=16000  # a tenth
  python train.py --config=configs/ran_cifar.py:tiny         # no files
`gate`: mixed, channel, spatial; `mask`: encoder_decoder, local, none; `noise`:
how probable a wrong training label is; `dataset`: cifar10, cifar100, digits.
160,000 iterations end with the epoch in which the last one falls (the 205th).
"""

from configs import common, ran


def get_config(arg=None):
  arg = common.parse_arg(arg, **ran.SETUP, **ran.ONE)
  config = ran.setup(arg)
  own = dict(gate=arg.gate, residual=arg.residual, mask=arg.mask)
  config.model = ran.network(arg.depth, tiny=arg.tiny, **own)
  if arg.noise:
    config.data.update(label_noise=arg.noise, noise_seed=arg.noise_seed)
  config.label = f'Attention-{arg.depth}'
  config.paper = ran.error(arg, arg.depth, noise=arg.noise, **own)
  return config

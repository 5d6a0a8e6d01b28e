"""What configs of residual attention networks share: networks and recipes.

CIFAR's recipe is the paper's, section 4.1: it counts iterations, of 64 images.
It does not say whether images are padded before or after their mean is
subtracted: here before, so that a border is black. The mean is that of every
pixel of the training images; they are not divided by a deviation (but by 255,
which batch norm undoes). It does not say which epoch is reported: here the
last. Of ImageNet's recipe, section 4.2, see ran_imagenet.py.
"""

import math

from at_jax._arrays import unknown
from configs import common

# Depth: arguments of `ran_cifar`.
NETWORKS = {
  56: dict(modules=1),
  92: dict(modules=2),
  128: dict(modules=3),
  164: dict(modules=4),
  236: dict(modules=6),
  452: dict(modules=6, p=2, t=4, r=3),
}
DATASETS = ('cifar10', 'cifar100', 'digits')
TRAINING_IMAGES = {'cifar10': 50_000, 'cifar100': 50_000, 'digits': 1_000}
ITERATIONS, DROPS = 160_000, (64_000, 96_000)
DIGITS_ITERATIONS = 600  # by guess; the paper's would be 10,667 epochs
SETUP = dict(
  tiny=False,
  seeds=1,
  dataset='cifar10',
  iterations=0,  # the paper's
  batch=64,
  lr=0.1,
  validation=0,
  train_examples=0,
  eval_every=1,
)
ONE = dict(
  depth=56,
  gate='mixed',
  residual=True,
  mask='encoder_decoder',
  noise=0.0,
  noise_seed=0,
)
# Error in % on CIFAR-10 of (depth, gate, residual, mask, noise), Tables 1, 3
# to 6; on CIFAR-100 by depth.
PAPER = {
  (56, 'mixed', True, 'encoder_decoder', 0.0): 5.52,
  (56, 'channel', True, 'encoder_decoder', 0.0): 6.24,
  (56, 'spatial', True, 'encoder_decoder', 0.0): 6.33,
  (56, 'mixed', True, 'local', 0.0): 6.48,
  (92, 'mixed', True, 'encoder_decoder', 0.0): 4.99,
  (128, 'mixed', True, 'encoder_decoder', 0.0): 4.44,
  (164, 'mixed', True, 'encoder_decoder', 0.0): 4.31,
  (236, 'mixed', True, 'encoder_decoder', 0.0): 4.14,
  (452, 'mixed', True, 'encoder_decoder', 0.0): 3.90,
  (56, 'mixed', False, 'encoder_decoder', 0.0): 5.89,
  (92, 'mixed', False, 'encoder_decoder', 0.0): 5.35,
  (128, 'mixed', False, 'encoder_decoder', 0.0): 5.57,
  (164, 'mixed', False, 'encoder_decoder', 0.0): 7.18,
  (92, 'mixed', True, 'encoder_decoder', 0.1): 5.15,
  (92, 'mixed', True, 'encoder_decoder', 0.3): 5.79,
  (92, 'mixed', True, 'encoder_decoder', 0.5): 7.27,
  (92, 'mixed', True, 'encoder_decoder', 0.7): 15.75,
}
PAPER_CIFAR100 = {92: 21.71, 236: 21.16, 452: 20.45}
PLAIN = ('mixed', True, 'encoder_decoder', 0.0)
# ResNet-164 by noise, Tables 5 and 6.
PAPER_RESNET = {0.0: 5.46, 0.1: 5.93, 0.3: 6.61, 0.5: 8.35, 0.7: 17.21}


def network(depth, *, tiny=False, **settings):
  """`config.model` of Attention-`depth`; the tiny form is small."""
  if depth not in NETWORKS:
    raise ValueError(unknown('depth', depth, NETWORKS))
  if tiny:
    return dict(name='ran_cifar', modules=1, t=1, width=8, **settings)
  return dict(name='ran_cifar', **NETWORKS[depth], **settings)


def resnet(depth=164, *, tiny=False):
  """ResNet-164, with which the paper compares."""
  return dict(name='preact_cifar_resnet', depth=11 if tiny else depth)


def setup(arg):
  """The recipe for `arg.dataset`, drops in proportion to `arg.iterations`."""
  if arg.dataset not in DATASETS:
    raise ValueError(unknown('dataset', arg.dataset, DATASETS))
  if arg.dataset == 'digits':
    config = common.digits(arg)
  else:
    config = common.cifar(arg, arg.dataset)
    config.data.update(pad_mode='zero', per_pixel_mean=True, std=(255.0,))
  config.optimizer.lr = arg.lr
  set_optimizer(config)
  if not arg.tiny:
    config.data.update(
      validation=arg.validation, train_examples=arg.train_examples
    )
    config.eval_every = arg.eval_every
    config.batch_size = arg.batch
    images = TRAINING_IMAGES[arg.dataset] - arg.validation
    usual = DIGITS_ITERATIONS if arg.dataset == 'digits' else ITERATIONS
    iterations = arg.iterations or usual
    _count(config, iterations, arg.train_examples or images)
  return config


def set_optimizer(config):
  """What all recipes share; for ImageNet decay and Nesterov are guesses."""
  config.optimizer.update(
    nesterov=True,
    weight_decay=1e-4,  # on everything, as the authors' code has it
    factor=0.1,
    reset_momentum=False,
  )


def error(arg, depth, gate, residual, mask, noise):
  """The paper's, in %; 0 where it has none or settings are not its own."""
  if not _is_paper(arg):
    return 0.0
  own = (gate, residual, mask, noise)
  if arg.dataset == 'cifar100' and own == PLAIN:
    return PAPER_CIFAR100.get(depth, 0.0)
  return PAPER.get((depth, *own), 0.0) if arg.dataset == 'cifar10' else 0.0


def row(arg, label, *, depth=56, noise=0.0, **own):
  """A row of a study: a network of `NETWORKS`, what it has of its own."""
  own = {name: ONE[name] for name in ('gate', 'residual', 'mask')} | own
  made = {
    'label': label,
    'paper': error(arg, depth, noise=noise, **own),
    'model': network(depth, tiny=arg.tiny, **own),
  }
  return made | _noisy(noise)


def resnet_row(arg, label, *, noise=0.0):
  """A row of ResNet-164."""
  theirs = arg.dataset == 'cifar10' and _is_paper(arg)
  made = {
    'label': label,
    'paper': PAPER_RESNET.get(noise, 0.0) if theirs else 0.0,
    'model': resnet(tiny=arg.tiny),
  }
  return made | _noisy(noise)


def study(arg, rows, *, tiny, baseline=''):
  """The recipe with those of `rows` that `arg.rows` selects.

  `tiny` names those of the tiny form. Differences are to `baseline`, or to what
  each row names.
  """
  config = setup(arg)
  wanted = arg.rows or (tiny if arg.tiny else '')
  config.rows = common.dotted(common.select(rows, wanted))
  config.baseline = baseline if baseline in config.rows else ''
  return config


def _is_paper(arg):
  free = {name: arg[name] for name in ('dataset', 'eval_every')}
  return common.is_paper(arg, SETUP | free)


def _noisy(level):
  return {'data.label_noise': level} if level else {}


def _count(config, iterations, images):
  """Iterations as epochs: the last one is whole, drops fall where they fell."""
  steps = images // config.batch_size
  if not steps or iterations < 1:
    raise ValueError(
      f'iterations={iterations} and batch={config.batch_size} make no epoch of '
      f'{images} training images.'
    )
  config.epochs = math.ceil(iterations / steps)
  config.optimizer.drops = tuple(
    1 + drop * iterations / ITERATIONS / steps for drop in DROPS
  )

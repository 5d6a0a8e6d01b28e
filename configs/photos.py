"""What configs of networks for large images share: data and recipes.

ImageNet's recipe is that of the authors' code and of PyTorch's examples. Of
fine-tuning the paper says what is cropped, frozen and transferred, and neither
learning rate, epochs, batch size nor beta: those here are ours.
"""

from at_jax._arrays import unknown
from at_jax.data import STREAMED
from configs import common, methods, networks

# Names for `dataset=`; folder:<path> and tfds:<name> do as well.
DATASETS = {
  'imagenet': 'tfds:imagenet2012',
  'cub': 'tfds:caltech_birds2011',
  'scenes': 'folder:~/tensorflow_datasets/scenes',
}
# Where the annotated box is looked at, as the paper does on CUB.
BOXED = ('tfds:caltech_birds2011', 'tfds:cars196')
# ImageNet's, on the scale 0 to 255, as published weights want them.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
# Of a ResNet's groups the paper transfers the last two (14x14 and 7x7).
LAST_GROUPS = common.same('group3', 'group4')
ALL_GROUPS = common.same('group1', 'group2', 'group3', 'group4')
TINY_GROUPS = common.same('group2', 'group3')
# What the paper freezes; the stem comes before its "first group".
FROZEN = ('stem', 'group1_*')

IMAGENET = dict(
  tiny=False,
  seeds=1,
  dataset='imagenet',
  epochs=100,
  lr=0.1,
  batch=256,
  size=224,
  start='',
)
IMAGENET_PAIR = IMAGENET | dict(
  depth=18,
  teacher_depth=34,
  beta=1e3,
  recipe='paper',
)
RECIPES = ('paper', 'repeat', 'code')
FINE = dict(
  tiny=False,
  seeds=1,
  dataset='cub',
  epochs=60,
  lr=0.01,
  batch=32,
  size=224,
  to_box=False,  # `parse_fine`: True where the paper looks at boxes
  validation=0,
  start='weights/resnet18',
)
FINE_PAIR = FINE | dict(
  depth=18,
  teacher_depth=34,
  teacher_start='weights/resnet34',
  beta=1e3,
  alpha=0.9,
  temperature=4.0,
)


def imagenet(arg, depth):
  """A ResNet alone by ImageNet's recipe."""
  config = imagenet_data(arg)
  config.model = networks.resnet(depth, tiny=arg.tiny)
  config.optimizer.update(weight_decay=1e-4, drops=(30, 60, 90), factor=0.1)
  config.epochs = 100
  _lengthen(config, arg)
  return config


def imagenet_data(arg):
  """The images and settings of a run, but for network and schedule."""
  config = base(arg)
  if config.data.name == DATASETS['imagenet']:
    config.data.test_split = 'validation'  # the test set has no labels
  if arg.start and not arg.tiny:
    config.start = common.dotted({'': arg.start})
  return config


def imagenet_taught(arg):
  """The student of `IMAGENET_PAIR`, with its teacher, but for its objective."""
  if arg.recipe not in RECIPES:
    raise ValueError(unknown('recipe', arg.recipe, RECIPES))
  config = imagenet(arg, arg.depth)
  if arg.recipe == 'repeat' and not arg.tiny:
    # PyTorch's MultiStepLR: after 30 whole epochs, and nothing is reset.
    config.optimizer.reset_momentum = False
    config.optimizer.drops = tuple(d + 1 for d in config.optimizer.drops)
  own = dict(depth=arg.teacher_depth, lr=arg.lr, batch=arg.batch)
  _set_teacher(config, 'resnet_imagenet', own)
  return config


def imagenet_at(arg, config):
  """Attention transfer by `arg.recipe`."""
  taps = ALL_GROUPS if arg.recipe == 'code' else LAST_GROUPS
  objective = methods.at(arg.beta, taps=TINY_GROUPS if arg.tiny else taps)
  if arg.recipe == 'paper':  # when epoch 60 of 100 begins, in proportion
    start = round(0.59 * config.epochs, 3)
    objective['terms']['at']['weight'] = common.constant(arg.beta, start=start)
  return objective


def parse_fine(arg, **defaults):
  """Arguments of `FINE`; what is not said follows from data and depths.

  Boxes are looked at where the paper does (asked for where none are annotated,
  they are an error of the data), and each depth begins with its own weights.
  """
  found = common.parse_arg(arg, **defaults)
  usual = dict(to_box=_boxed(found.dataset))
  for whose in ('', 'teacher_'):
    if f'{whose}start' in defaults:
      depth = found[f'{whose}depth']
      usual[f'{whose}start'] = f'weights/resnet{depth}'
  return common.parse_arg(arg, **defaults | usual)


def _boxed(dataset):
  return DATASETS.get(dataset, dataset) in BOXED


def fine_tuned(arg, depth, start):
  """A ResNet alone that begins with `start`, '' for nothing.

  With a start: batch norms use running statistics, stem and first group are
  frozen, and the new head learns ten times as fast.
  """
  config = base(arg)
  config.model = networks.resnet(depth, tiny=arg.tiny)
  config.data.validation = arg.validation
  if not arg.tiny:
    config.data.update(crop='random', to_box=arg.to_box)
  config.optimizer.update(weight_decay=5e-4, drops=(31, 51), factor=0.1)
  config.optimizer.reset_momentum = False
  config.epochs = 60
  _lengthen(config, arg)
  if start and not arg.tiny:
    config.start = common.dotted({'': start})
    config.bn, config.freeze = 'frozen', FROZEN
    config.optimizer.rates = common.dotted({'head': 10.0})
  return config


def taught(arg):
  """The student of `FINE_PAIR`, with its teacher, but for its objective."""
  config = fine_tuned(arg, arg.depth, arg.start)
  own = dict(depth=arg.teacher_depth, lr=arg.lr, batch=arg.batch)
  _set_teacher(config, 'resnet_finetune', own | dict(start=arg.teacher_start))
  return config


def at(arg):
  """Attention transfer of the last two groups."""
  taps = TINY_GROUPS if arg.tiny else LAST_GROUPS
  return methods.at(arg.beta, taps=taps)


def fine_tuning_defaults(dataset):
  """Arguments of a pair on 'cub' or 'scenes'."""
  return FINE_PAIR | dict(dataset=dataset)


def is_paper(arg, defaults):
  """Whether settings are those that stand for the paper's.

  Wherever the pretrained weights lie; but there must be some.
  """
  starts = [name for name in defaults if name.endswith('start')]
  known = all(bool(arg[name]) == bool(defaults[name]) for name in starts)
  free = {**defaults, **{name: arg[name] for name in starts}}
  if 'to_box' in free:
    free['to_box'] = _boxed(free['dataset'])
  return known and common.is_paper(arg, free)


def _set_teacher(config, name, own):
  """Names the config of the teacher, which drops when the student does."""
  own = ';'.join(f'{name}={value}' for name, value in own.items())
  config.teacher.config = f'configs/{name}.py:{own}'
  config.teacher.overrides = common.dotted(
    {
      'optimizer.drops': config.optimizer.drops,
      'optimizer.reset_momentum': config.optimizer.reset_momentum,
    }
  )


def base(arg):
  """Data from files and the sizes of batches; the tiny form has its own."""
  config = common.base()
  config.seeds = arg.seeds
  if arg.tiny:
    return common.shrink(config, channels=3)
  config.data.update(
    name=_name(arg.dataset), size=arg.size, pad=0, mean=MEAN, std=STD
  )
  config.batch_size = arg.batch
  config.eval_batch_size = arg.batch
  config.optimizer.lr = arg.lr
  return config


def _name(dataset):
  if dataset.partition(':')[0] in STREAMED:
    return dataset
  if dataset not in DATASETS:
    known = [*DATASETS, 'folder:<path>', 'tfds:<name>']
    raise ValueError(unknown('dataset', dataset, known))
  return DATASETS[dataset]


def _lengthen(config, arg):
  """`arg.epochs`, with drops moved in proportion; the tiny form has its own."""
  if arg.tiny:
    config.epochs, config.optimizer.drops = 2, (2,)
  else:
    common.stretch(config, arg.epochs)

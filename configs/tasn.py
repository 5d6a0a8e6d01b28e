"""What configs of TASN share: presets, network, objective, recipes.

Presets say where paper and codes disagree: `ours` is the one of docs/tasn.md,
`paper` the formulas as they stand in the paper, `mxnet` and `pytorch` what the
authors' two codes do where there is a setting for it (the second does not
distil); docs/tasn.md says what is left.
"""

from at_jax._arrays import unknown
from configs import common, photos

CUB, CARS = 'tfds:caltech_birds2011', 'tfds:cars196'
INAT = 'tfds:i_naturalist2017'
ONE_HEAD = dict(attention=1.0, part=1.0, master=1.0)
TWO_HEADS = dict(
  attention=1.0, part=0.5, master=0.5, part_shared=0.5, master_shared=0.5
)
SHARED = dict(attention=0.2, part_shared=1.0, master_shared=1.0)
LAMBDA = 2.0  # distillation over the master's cross-entropy, in the paper
# Of the model, of the objective.
PRESETS = {
  'ours': (
    dict(spatial_scale=7.0, heads='both'),
    dict(weights=TWO_HEADS, distil=1.0),
  ),
  'paper': (
    dict(spatial_scale=1.0, heads='separate'),
    dict(weights=ONE_HEAD, distil=2.0),
  ),
  'mxnet': (
    dict(
      spatial_scale=7.0,
      power=2.0,
      draw='distinct',
      detail_index='mean',
      align_corners=True,
      rule='pt',
      heads='both',
    ),
    dict(weights=TWO_HEADS, distil=1.0, one_way=False),
  ),
  'pytorch': (
    dict(spatial_scale=2.0, detail_floor=0.01, rule='pt', heads='shared'),
    dict(weights=SHARED, distil=0.0),
  ),
}
RECIPES = ('paper', 'pytorch')
SETUP = dict(
  tiny=False,
  seeds=1,
  dataset=CUB,
  preset='ours',
  recipe='paper',
  backbone='resnet50',
  size=512,
  sampled=224,
  attention_size=224,
  attention_width=64,
  epochs=0,  # those of the recipe
  lr=0.0,  # likewise
  batch=96,
  validation=0,
  attention_start='weights/resnet18',
  start='weights/resnet50',
)
SMALL = dict(
  backbone=('wrn', (('depth', 10), ('width', 0.5))),
  stem='small',
  width=8,
  blocks=(1, 1, 1),
)


def setup(arg):
  """Data and optimizer of `arg.recipe` on images of `arg.size`."""
  if arg.recipe not in RECIPES:
    raise ValueError(unknown('recipe', arg.recipe, RECIPES))
  config = photos.base(arg)
  if arg.tiny:
    config.data.update(size=16, train_examples=60)
    config.batch_size = 20
    return config
  config.data.update(resize=arg.size, validation=arg.validation)
  config.start = common.dotted(
    {
      path: folder
      for path, folder in (
        ('attention/trunk', arg.attention_start),
        ('backbone', arg.start),
      )
      if folder
    }
  )
  _set_recipe(config, arg)
  return config


def _set_recipe(config, arg):
  """The paper's and MXNet's, or that of the PyTorch code."""
  if arg.recipe == 'paper':
    config.data.update(crop='random', jitter=0.4, rotate=30.0, colour=0.1)
    config.optimizer.update(
      lr=0.1, momentum=0.0, weight_decay=0.0, drops=(101, 201), factor=0.1
    )
    config.epochs = 300
  else:
    config.optimizer.update(
      lr=0.005, weight_decay=1e-4, drops=(31, 61), factor=0.1
    )
    config.epochs, config.eval_every = 90, 5
  config.optimizer.reset_momentum = False
  config.optimizer.lr = arg.lr or config.optimizer.lr
  common.stretch(config, arg.epochs or config.epochs)


def network(arg, *, preset='ours', **changes):
  """`config.model`; the tiny form is small."""
  own = preset_of(preset)[0] | changes
  if arg.tiny:
    return dict(name='tasn', **SMALL, attention_size=16, sampled_size=8, **own)
  own = dict(sampled_size=arg.sampled, width=arg.attention_width) | own
  own |= dict(attention_size=arg.attention_size)
  return dict(name='tasn', backbone=arg.backbone, **own)


def objective(*, preset='ours', distil=None):
  """`config.objective` of a preset; `distil` replaces its weight."""
  own = preset_of(preset)[1]
  own = own if distil is None else own | dict(distil=distil)
  return dict(name='tasn', temperature=10.0, **own)


def taught(preset='ours'):
  """The objective with distillation, the paper's where the preset has none."""
  own = objective(preset=preset)
  weights = own['weights']
  master = weights.get('master', weights.get('master_shared'))
  return own | dict(distil=own['distil'] or LAMBDA * master)


def alone(preset='ours'):
  """The objective without a part network."""
  own = dict(preset_of(preset)[1])
  own['weights'] = {
    name: weight
    for name, weight in own['weights'].items()
    if not name.startswith('part')
  }
  return dict(name='tasn', weights=own['weights'], distil=0.0)


def preset_of(name):
  """(settings of the model, of the objective) by a key of `PRESETS`."""
  if name not in PRESETS:
    raise ValueError(unknown('preset of TASN', name, PRESETS))
  return PRESETS[name]


def one(arg):
  """A config of one row."""
  config = setup(arg)
  config.model = network(arg, preset=arg.preset)
  config.objective = objective(preset=arg.preset)
  return config


def is_paper(arg, defaults, *also):
  """Whether settings stand for the paper's, wherever the weights lie.

  `also` names arguments that may be other ones.
  """
  starts = ('start', 'attention_start')
  own = {name: defaults[name] for name in starts if arg[name]}
  free = {name: arg[name] for name in ('preset', *also)}
  known = all(arg[name] for name in starts) and arg.preset != 'pytorch'
  same = arg.to_dict() | own
  return known and common.is_paper(same, defaults | free)

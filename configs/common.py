"""What configs share: arguments, weights of terms, and the settings of a run.

Configs hold plain values only: no functions, no arrays.
"""

import ml_collections

from at_jax._arrays import unknown


def parse_arg(arg, **defaults):
  """Arguments after the colon: `--config=configs/wrn.py:depth=40,tiny`.

  A name alone means True. Values take the type of the default. Arguments of a
  config inside an argument are separated by `;`:
  `:teacher=configs/wrn.py:depth=40;width=2,beta=500`.

  Args:
    arg: the text after the colon, or None.
    **defaults: every argument the config takes.

  Returns:
    A ConfigDict of all of them.

  Raises:
    ValueError: an unknown argument or a value of another type.
  """
  values = dict(defaults)
  for item in filter(None, (arg or '').split(',')):
    name, equals, text = item.partition('=')
    if name not in defaults:
      raise ValueError(unknown('config argument', name, defaults))
    if not equals and not isinstance(defaults[name], bool):
      kind = type(defaults[name]).__name__
      raise ValueError(
        f'Config argument {name} wants a value ({kind}): {name}=...'
      )
    values[name] = _cast(name, text if equals else 'True', defaults[name])
  for name in ('epochs', 'iterations') if values.get('tiny') else ():
    if values.get(name) != defaults.get(name):
      raise ValueError(
        f'The tiny form has {name} of its own: leave out {name}=, or tiny.'
      )
  return ml_collections.ConfigDict(values)


def _cast(name, text, default):
  kind = type(default)
  try:
    if kind is bool:
      return {'true': True, '1': True, 'false': False, '0': False}[text.lower()]
    return kind(text)
  except (KeyError, ValueError):
    raise ValueError(
      f'Config argument {name}={text}: wanted {kind.__name__}, like '
      f'{default!r}.'
    ) from None


def constant(value, *, start=0.0, end=0.0):
  """A term's weight: `value`, from epoch `start` to `end` (0: to the end)."""
  return _weight('constant', value, start, end)


def linear(value, *, start=0.0, end=0.0):
  """Falls in a straight line from `value` at `start` to 0 at `end`."""
  return _weight('linear', value, start, end)


def cosine(value, *, start=0.0, end=0.0):
  """Falls along half a cosine from `value` at `start` to 0 at `end`."""
  return _weight('cosine', value, start, end)


def steps(value, *, at, factor, start=0.0, end=0.0):
  """`value`, times `factor` at the start of each epoch of `at` (from 1)."""
  return _weight('steps', value, start, end) | dict(
    at=tuple(at), factor=float(factor)
  )


def _weight(schedule, value, start, end):
  return dict(
    value=float(value),
    schedule=schedule,
    start=float(start),
    end=float(end),
  )


def schedule(name):
  """One of the weights above that need a value alone, by name."""
  schedules = {'constant': constant, 'linear': linear, 'cosine': cosine}
  if name not in schedules:
    raise ValueError(unknown('schedule', name, schedules))
  return schedules[name]


def same(*names):
  """Taps between endpoints of the same name in student and teacher."""
  return tuple((name, name) for name in names)


def dotted(changes):
  """A mapping whose keys may be dotted paths: {'model.width': 2}.

  For `config.rows`, kept in this order, and `config.teacher.overrides`: each
  entry replaces whole what stands at its path.
  """
  return ml_collections.ConfigDict(
    changes, allow_dotted_keys=True, sort_keys=False
  )


def select(rows, names):
  """The rows named in 'alone+at', all for ''."""
  wanted = names.split('+') if names else list(rows)
  for name in wanted:
    if name not in rows:
      raise ValueError(unknown('row', name, rows))
  return {name: rows[name] for name in wanted}


def base():
  """Every field a run reads, with the values of the paper's CIFAR section."""
  config = ml_collections.ConfigDict()
  config.label = ''  # in tables; '' is the config's file name
  config.paper = 0.0  # the paper's test error in percent; 0: none
  config.tiny = False
  config.seeds = 1  # runs with seeds 0 to seeds - 1
  config.data = dict(
    name='cifar10',
    dir='',  # '': ~/tensorflow_datasets
    validation=0,  # training images held out, for choices
    train_examples=0,  # labelled images used, balanced; 0: all
    size=0,  # of digits and of images from files; 0: as they are, 224
    channels=0,
    skip_damaged=False,
    label_noise=0.0,  # probability of a wrong label in training
    noise_seed=0,
    # Images from files (`folder:`, `tfds:`) only:
    crop='random_resized',  # in training; or 'random', 'center'
    resize=0,  # the shorter side before a crop; 0: size * 256 / 224
    scale=(0.08, 1.0),  # of 'random_resized': parts of the area
    to_box=False,  # look at the annotated box only
    test_split='',  # '': test
    workers=0,  # processes that decode; 0: threads
    pad=4,
    pad_mode='reflect',
    flip=True,
    colour=0.0,  # AlexNet's noise; the authors have 0.1
    jitter=0.0,  # of brightness, contrast and saturation: 1 - x to 1 + x
    rotate=0.0,  # degrees, to either side
    mean=(125.3, 123.0, 113.9),  # on the scale 0 to 255
    per_pixel_mean=False,  # that of the training images instead
    std=(63.0, 62.1, 66.7),
  )
  config.model = dict(name='wrn', depth=16, width=1.0)
  # A teacher by another config (trained first, once) or by a weights folder;
  # `overrides` replaces entries of its config: {'epochs': 20}.
  config.teacher = dict(config='', weights='', overrides=dotted({}))
  config.objective = dict(name='supervised')
  config.optimizer = dict(
    name='sgd',  # or 'adam'
    lr=0.1,
    momentum=0.9,
    nesterov=False,
    weight_decay=5e-4,  # on every parameter, before the momentum
    schedule='steps',
    drops=(60, 120, 160),  # at the start of these epochs, counted from 1
    factor=0.2,
    reset_momentum=True,  # at a drop, as the authors' code does
    warmup=0.0,  # epochs
    undecayed=(),  # paths without weight decay: ('**/bn*',)
    rates={},  # factors of lr by parameter path: {'head': 10.0}
  )
  config.epochs = 200
  # CIFAR: 390 steps an epoch; the original's 391st, of 80 images, is left out.
  config.batch_size = 128
  config.eval_batch_size = 500
  config.eval_every = 1  # epochs
  config.dtype = 'float32'  # of activations
  config.precision = 'default'  # of matrix products and convolutions
  config.bn = 'global'  # or 'per_device', or 'frozen': running statistics
  # Weights folders to begin from, by parameter path; '' is the whole network,
  # whose head begins anew where its size differs.
  config.start = dotted({})
  config.freeze = ()  # paths that are not trained: ('stem', 'group1_*')
  config.deterministic = False  # bitwise repeatable on a GPU too
  config.log_every = 100  # steps
  config.checkpoint_seconds = 120.0
  config.rows = dotted({})
  config.baseline = ''
  return config


def cifar(arg, dataset='cifar10'):
  """The paper's CIFAR setup; with `arg.tiny`, seconds on a CPU and no files."""
  config = base()
  config.data.name = dataset
  config.seeds = arg.get('seeds', 1)
  return shrink(config, channels=3) if arg.tiny else config


def shrink(config, channels):
  """The tiny form: seconds on a CPU, 8x8 digits, no files."""
  config.tiny = True
  config.data.update(
    name='digits',
    size=8,
    channels=channels,
    train_examples=200,
    pad=1,
    flip=False,
  )
  config.epochs = 2
  config.batch_size = 50
  config.eval_every = 1
  config.log_every = 2
  config.optimizer.drops = (2,)
  return config


def digits(arg):
  """scikit-learn's digits at 16x16: no files, no download, no flips."""
  config = base()
  config.seeds = arg.get('seeds', 1)
  config.data.update(name='digits', size=16, channels=1, pad=2, flip=False)
  config.data.update(mean=(77.8,), std=(81.0,))
  return shrink(config, channels=1) if arg.tiny else config


def stretch(config, epochs):
  """Runs for `epochs`, with the learning rate drops moved in proportion."""
  if epochs == config.epochs:
    return
  drops = tuple(
    max(2, 1 + round((drop - 1) * epochs / config.epochs))
    for drop in config.optimizer.drops
  )
  config.epochs, config.optimizer.drops = epochs, drops
  # A teacher inherits the epochs, but not the optimizer.
  config.teacher.overrides = dotted({'optimizer.drops': drops})


DATASETS = ('cifar10', 'cifar100', 'mnist', 'digits')


# Arguments of every config of one network, and of one with a teacher.
SETUP = dict(tiny=False, seeds=1, dataset='cifar10', epochs=200, start='')
PAIR = SETUP | dict(
  depth=16,
  width=1.0,
  teacher='configs/wrn.py:depth=16;width=2',
)


def taught(arg, model):
  """The setup of a student with a teacher, but for its objective."""
  config = setup(arg)
  config.model = model
  config.teacher.config = arg.teacher
  return config


def is_paper(arg, defaults):
  """Whether settings are the paper's own (any number of seeds)."""
  return all(arg[k] == v for k, v in defaults.items() if k != 'seeds')


def paper(arg, defaults, error):
  """The paper's number, for its own settings only."""
  return error if is_paper(arg, defaults) else 0.0


def setup(arg):
  """The setup for `arg.dataset`: `arg.epochs`, begun with `arg.start`."""
  if arg.dataset not in DATASETS:
    raise ValueError(unknown('dataset', arg.dataset, DATASETS))
  if arg.dataset == 'digits':
    config = digits(arg)
  else:
    config = cifar(arg, arg.dataset)
  if arg.dataset == 'mnist' and not arg.tiny:
    config.data.update(pad=2, flip=False, mean=(33.3,), std=(78.6,))
  if not arg.tiny:
    stretch(config, arg.get('epochs', config.epochs))
  if arg.get('start'):
    config.start = dotted({'': arg.start})
  return config

"""Where to look twice: marks of five pixels on canvases of 128x128.

Rows, the same network each time, which sees 32x32 pixels: a plain resize, one
that averages, structure sampling, with a part network, with distillation.
Embedded data, no download.
  python train.py --config=configs/tasn_glyphs.py              # 5 seeds
  python train.py --config=configs/tasn_glyphs.py:rows=uniform+structure,seeds=1
  python train.py --config=configs/tasn_glyphs.py:tiny         # seconds
Network, learning rate and length by guess; squared structure maps, as in MXNet,
since with plain ones a seed did not learn the marks in training.
"""

from configs import common, tasn


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    tiny=False,
    seeds=5,
    preset='ours',
    rows='',
    size=32,
    power=2.0,  # of the structure map; 0: the preset's
    lr=0.1,
    epochs=16,
    validation=0,
  )
  config = common.base()
  config.seeds = min(arg.seeds, 2) if arg.tiny else arg.seeds
  if arg.tiny:
    common.shrink(config, channels=1)
    config.data.update(size=16, train_examples=60, mean=(77.8,), std=(81.0,))
    config.batch_size = 20
  else:
    config.data.update(
      name='glyphs',
      validation=arg.validation,
      pad=0,
      flip=False,
      mean=(12.1,),
      std=(37.3,),
    )
    config.epochs, config.batch_size, config.eval_every = arg.epochs, 50, 8
    config.eval_batch_size = 100
    config.optimizer.schedule = 'cosine'
    config.optimizer.warmup = 1.0
  config.optimizer.lr = arg.lr
  size = 16 if arg.tiny else arg.size
  own, _ = tasn.preset_of(arg.preset)
  model = dict(name='tasn', **tasn.SMALL) | own
  model |= dict(power=arg.power) if arg.power else {}
  model |= dict(
    attention_size=size, sampled_size=size // (2 if arg.tiny else 1)
  )
  lonely = model | dict(part=False)
  both = model | dict(detail_index='mean')  # part networks are measured, too
  alone = tasn.alone(arg.preset)
  parts = tasn.objective(preset=arg.preset, distil=0.0)
  rows = {
    'uniform': _row('plain resize', lonely | dict(sampler='uniform'), alone),
    'filtered': _row('averaging', lonely | dict(sampler='filtered'), alone),
    'structure': _row('structure sampling', lonely, alone),
    'part': _row('with part network', both, parts),
    'distil': _row('with distillation', both, tasn.taught(arg.preset)),
  }
  wanted = arg.rows or ('distil' if arg.tiny else '')
  config.rows = common.dotted(common.select(rows, wanted))
  config.baseline = 'uniform' if 'uniform' in config.rows else ''
  return config


def _row(label, model, objective):
  return {'label': label, 'model': model, 'objective': objective}

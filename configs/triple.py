"""What configs of triple attention share: rows, objective, recipes.

A3Net's recipe is not documented but for weights pre-trained on ImageNet: what
is here is ours. Tables report the last epoch of a cosine schedule.
"""

from configs import common, photos

CXR = 'chestxray14:~/tensorflow_datasets/chestxray14'
SETUP = dict(
  tiny=False,
  seeds=1,
  dataset=CXR,
  epochs=30,
  lr=1e-4,
  batch=32,
  size=224,
  validation=8652,  # a tenth of train_val; whole patients
  start='weights/densenet121',
)
# Of the convolution with a module in front of its global average, by row.
CNN = {
  'control': (
    'convolution, average, dense',
    dict(channel=False, element=False),
  ),
  'channel': ('channel attention', dict(element=False)),
  'element': ('element attention', dict(channel=False)),
  'both': ('channel and element attention', {}),
  'so': ("both, softmax over classes ('so')", dict(preset='so', k=64)),
  'dense': ('both, dense layer behind the average', dict(head='dense')),
}
# Of A3Net by row; those of one scale have no auxiliary loss of their own.
PARTS = {
  'backbone': ('DenseNet alone', dict(channel=False, element=False)),
  'ca': ('+ channel', dict(element=False)),
  'ea': ('+ element', {}),
  'mean': ('three scales, plain mean', dict(scale=False)),
  'sa': ('three scales, + scale', {}),
}
SEVERAL = ('mean', 'sa')  # rows of all taps, with a loss at each
SMALL = dict(blocks=(2, 2, 2), growth=8, stem=16, width=32)
TINY = dict(blocks=(1, 1), growth=4, stem=8, width=4)


def adam(config, lr, epochs):
  """Adam and half a cosine, without weight decay."""
  config.optimizer.update(
    name='adam', lr=lr, weight_decay=0.0, schedule='cosine', warmup=1.0
  )
  config.epochs = epochs


def cnn_rows(names):
  """Rows of `attention_cnn`, by a '+' list of keys of `CNN`."""
  rows = {
    key: {
      'label': label,
      'model': dict(name='attention_cnn', **own),
      'objective': _cnn_objective(0.3 if key == 'dense' else 0.0),
    }
    for key, (label, own) in CNN.items()
  }
  return common.dotted(common.select(rows, names))


def _cnn_objective(auxiliary):
  """Weighted cross-entropy; without `dense` the only score is the logits."""
  return dict(name='multi_label', loss='softmax', auxiliary=auxiliary)


def network(own, taps):
  """`config.model` of A3Net with these taps."""
  return dict(name='a3net', taps=taps, **own)


def objective(auxiliary=1.0):
  """Weighted cross-entropies of the logits and of every scale."""
  return dict(name='multi_label', auxiliary=auxiliary)


def part_rows(names, own, taps):
  """The backbone and one part after the other; `sa` is A3Net."""
  rows = {}
  for key, (label, changes) in PARTS.items():
    whole = key in SEVERAL
    model = network(own | changes, taps if whole else taps[-1:])
    rows[key] = {
      'label': label,
      'model': model,
      'objective': objective(1.0 if whole else 0.0),
    }
  return common.dotted(common.select(rows, names))


def cxr(arg):
  """ChestX-ray14 and the recipe; with `arg.tiny` small canvases."""
  if arg.tiny:
    config = common.base()
    config.seeds = arg.seeds
    return canvases(config, tiny=True)
  config = photos.base(arg)
  config.data.update(
    resize=round(arg.size * 8 / 7),
    crop='random',
    validation=arg.validation,
    flip=False,  # a mirrored heart is another finding
  )
  adam(config, arg.lr, arg.epochs)
  if arg.start:
    config.start = common.dotted({'backbone': arg.start})
    config.optimizer.rates = common.dotted({'backbone': 0.1})
  return config


def canvases(config, *, tiny):
  """Several digits on a canvas of 64x64, made on the fly."""
  config.data.update(
    name='canvases', pad=0, flip=False, mean=(15.6,), std=(46.3,)
  )
  config.batch_size, config.eval_batch_size = 50, 200
  if tiny:
    config.tiny = True
    config.data.train_examples = 100
    adam(config, 1e-3, 2)
    config.log_every = 1
  return config

"""Which digits are there, and where? A small A3Net on canvases with several.

Rows: the backbone alone, and one attention after the other. The labels of a
canvas are the digits that occur; their boxes are known, and training does not
look at them. Embedded data, no download.
  python train.py --config=configs/triple_canvases.py      # 5 seeds
  python train.py --config=configs/triple_canvases.py:rows=backbone+sa,seeds=1
  python train.py --config=configs/triple_canvases.py:tiny # seconds
Network, learning rate and length by guess.
"""

from configs import common, triple


def get_config(arg=None):
  arg = common.parse_arg(
    arg, tiny=False, seeds=5, rows='', lr=3e-3, epochs=10, validation=0
  )
  config = common.base()
  config.seeds = min(arg.seeds, 2) if arg.tiny else arg.seeds
  triple.canvases(config, tiny=arg.tiny)
  if not arg.tiny:
    config.data.validation = arg.validation
    config.eval_every = 5
    triple.adam(config, arg.lr, arg.epochs)
  names = arg.rows or ('ca+sa' if arg.tiny else '')
  own, taps = triple.SMALL, (1, 2, 3)
  if arg.tiny:
    own, taps = triple.TINY, (1, 2)
  config.rows = triple.part_rows(names, own, taps)
  config.baseline = 'backbone' if 'backbone' in config.rows else ''
  return config

"""Table 4 of the paper: fine-tuning on CUB or MIT Scenes, or on your photos.

ResNet-18 alone, with knowledge distillation and with attention transfer from a
fine-tuned ResNet-34. Ours: not yet measured; on 17 kinds of flowers, from
scratch, see docs/transfer_learning.md.
  python train.py --config=configs/table4.py:dataset=cub,seeds=5  # or scenes
  ...=configs/table4.py:dataset=folder:PATH,start=,teacher_start=
  python train.py --config=configs/table4.py:tiny              # no files
"""

from configs import common, methods, photos

DEFAULTS = photos.fine_tuning_defaults('cub')
# Dataset: the paper's errors of the rows alone, kd and at.
PAPER = {'cub': (28.5, 27.0, 27.0), 'scenes': (28.2, 28.1, 27.1)}


def get_config(arg=None):
  arg = photos.parse_fine(arg, **DEFAULTS, rows='')
  config = photos.taught(arg)
  theirs = photos.is_paper(arg, DEFAULTS | dict(dataset=arg.dataset))
  errors = PAPER.get(arg.dataset if theirs else '', (0.0, 0.0, 0.0))
  rows = {
    'alone': ('alone', methods.alone()),
    'kd': ('KD', methods.kd(arg.alpha, arg.temperature)),
    'at': ('AT', photos.at(arg)),
  }
  rows = {
    name: {'label': label, 'paper': error, 'objective': objective}
    for error, (name, (label, objective)) in zip(
      errors, rows.items(), strict=True
    )
  }
  config.rows = common.dotted(common.select(rows, arg.rows))
  config.baseline = 'alone' if 'alone' in config.rows else ''
  return config

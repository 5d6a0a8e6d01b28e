"""A ResNet alone, fine-tuned: the baseline and the teacher of Table 4.

Paper, test error: CUB, ResNet-18 28.5, ResNet-34 26.5; Scenes 28.2 and 26.0
(Table 4). Ours: not yet measured.
  python train.py --config=configs/resnet_finetune.py:dataset=cub
  python train.py --config=configs/resnet_finetune.py:dataset=folder:PATH,start=
  python train.py --config=configs/resnet_finetune.py:tiny     # no files
It begins with `start=`, a weights folder (docs/convert.md), weights/resnet18 or
34 unless it is named, or with an empty `start=` from scratch: then nothing is
frozen.
"""

from configs import photos

PAPER = {
  ('cub', 18): 28.5,
  ('cub', 34): 26.5,
  ('scenes', 18): 28.2,
  ('scenes', 34): 26.0,
}


def get_config(arg=None):
  arg = photos.parse_fine(arg, **photos.FINE, depth=18)
  config = photos.fine_tuned(arg, arg.depth, arg.start)
  config.label = f'ResNet-{arg.depth}'
  if photos.is_paper(arg, photos.FINE | dict(dataset=arg.dataset)):
    config.paper = PAPER.get((arg.dataset, arg.depth), 0.0)
  return config

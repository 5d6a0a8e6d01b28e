"""TASN on CUB-200-2011: 200 kinds of birds, 5,994 and 5,794 photos.

Paper: 12.1 % test error at its best; the authors' README, of their MXNet code:
13.0 at sampled=224, 12.0 at sampled=336. Ours: not yet measured.
  python -m at_jax.convert resnet18.pth --model=resnet18 --out=weights/resnet18
  python -m at_jax.convert resnet50.pth --model=resnet50 --out=weights/resnet50
  python train.py --config=configs/tasn_cub.py
  python train.py --config=configs/tasn_cub.py:sampled=336,preset=mxnet,seeds=5
  python train.py --config=configs/tasn_cub.py:recipe=pytorch,preset=pytorch
  python train.py --config=configs/tasn_cub.py:dataset=folder:photos,batch=24
  python train.py --config=configs/tasn_cub.py:start=,attention_start=
  python train.py --config=configs/tasn_cub.py:tiny        # no files
Presets `ours`, `paper`, `mxnet`, `pytorch`: docs/tasn.md. The recipe `paper`
has learning rate 0.1, no momentum, no weight decay, for 96 images on 8 GPUs.
"""

from configs import common, tasn

# By size of the sampled images; from the authors' README.
PAPER = {224: 13.0, 336: 12.0}


def get_config(arg=None):
  arg = common.parse_arg(arg, **tasn.SETUP)
  config = tasn.one(arg)
  theirs = tasn.is_paper(arg, tasn.SETUP, 'sampled')
  config.paper = PAPER.get(arg.sampled, 0.0) if theirs else 0.0
  return config

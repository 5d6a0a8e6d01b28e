"""A3Net: triple attention for 14 diseases on chest X-rays. No medical device.

Paper: mean AUROC 82.6 % on the official split of ChestX-ray14; its recipe is
not known beyond the weights that begin it, and honest runs of a DenseNet-121
reach 80 to 81.5 %. Ours: not yet measured.
  python -m at_jax.convert densenet121.pth --model=densenet121 \\
      --out=weights/densenet121
  python train.py --config=configs/a3net_cxr14.py
  python train.py --config=configs/a3net_cxr14.py:dataset=chestxray14:nih
  python train.py --config=configs/a3net_cxr14.py:tiny     # no files
This is a study of attention in networks. It must not be used to diagnose, to
treat or to decide anything about a patient.
"""

from configs import common, triple

# What a row is compared with is the mean AUROC in %, not an error.
PAPER = 82.6


def get_config(arg=None):
  arg = common.parse_arg(arg, **triple.SETUP)
  config = triple.cxr(arg)
  taps = (1, 2) if arg.tiny else (2, 3, 4)
  config.model = triple.network(triple.TINY if arg.tiny else {}, taps)
  config.objective = triple.objective()
  same = common.is_paper(arg, triple.SETUP | dict(dataset=arg.dataset))
  config.paper = PAPER if same and arg.dataset.startswith('chest') else 0.0
  return config

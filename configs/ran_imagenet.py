"""A residual attention network on ImageNet: Attention-56, 92, AttentionNeXt-56.

Paper, top-1 / top-5 error of a single crop: Attention-56 21.76 / 5.9 % at 224,
AttentionNeXt-56 21.2 / 5.6 % at 224, Attention-92 19.5 / 4.8 % at 320, all on
the validation images that are not on ImageNet's blacklist. Ours: not yet
measured.
  python train.py --config=configs/ran_imagenet.py          # or :model=ran92
  python train.py --config=configs/ran_imagenet.py:dataset=folder:photos
  python train.py --config=configs/ran_imagenet.py:tiny       # no files
Paper: crops of 8 to 100 % of the area (GoogLeNet's), mirrors, AlexNet's colour
noise, learning rate 0.1 divided by 10 after 200,000, 400,000 and 500,000 of
530,000 iterations. Guesses, since it says nothing: batch 256, so that 530,000
iterations are 106 epochs, weight decay 1e-4, Nesterov momentum.
"""

from configs import common, photos, ran

PAPER = {('ran56', 224): 21.76, ('ran_next56', 224): 21.2}


def get_config(arg=None):
  arg = common.parse_arg(
    arg, **photos.IMAGENET | dict(model='ran56', epochs=106)
  )
  config = photos.imagenet_data(arg)
  ran.set_optimizer(config)
  if arg.tiny:
    config.model = ran.network(56, tiny=True)
  else:
    config.model = dict(name=arg.model)
    config.data.colour = 0.1
    config.epochs = arg.epochs
    # After 200, 400 and 500 thousand of 530 thousand iterations.
    config.optimizer.drops = tuple(
      round(1 + arg.epochs * part / 53, 3) for part in (20, 40, 50)
    )
  config.label = 'tiny' if arg.tiny else arg.model
  defaults = photos.IMAGENET | dict(model=arg.model, epochs=106)
  if common.is_paper(arg, defaults):
    config.paper = PAPER.get((arg.model, arg.size), 0.0)
  return config

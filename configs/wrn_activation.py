"""WRN-16-1 taught by WRN-16-2 on CIFAR-10, whole activations (F-ActT).

The FitNets-style baseline of the paper: l2 distance of normalised activations,
the student's through a trained 1x1 convolution where it is narrower. The paper
gives neither beta nor its decay nor the axes of the norm: here the mean over
H*W*C entries, and beta falls in a straight line from 1e5 to 0
(`:decay=constant` keeps it). A mean over C times as many entries as a map has
wants a beta that is larger; 1e5 did best of 1e3, 1e4, 1e5, 1e6 on validation
images in short runs (results/2026-11-20_f_actt_choice_cifar10_jpeg_copy).
Paper: 8.51 % test error, median of 5 (Table 1, row 2). Ours: not yet measured.
  python train.py --config=configs/wrn_activation.py    # also :beta=1e4
  python train.py --config=configs/wrn_activation.py:tiny  # seconds, no files
"""

from configs import common, methods, networks

DEFAULTS = common.PAIR | dict(
  beta=1e5,
  decay='linear',
  taps='groups',
)


def get_config(arg=None):
  arg = common.parse_arg(arg, **DEFAULTS)
  config = common.taught(arg, networks.wrn(arg.depth, arg.width, tiny=arg.tiny))
  config.label = 'F-ActT'
  config.paper = common.paper(arg, DEFAULTS, 8.51)
  taps = networks.wrn_taps(arg, config.model.depth)
  config.objective = methods.activation(arg.beta, decay=arg.decay, taps=taps)
  return config

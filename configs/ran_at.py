"""Attention transfer from a residual attention network: groups or masks.

Attention-56 taught by Attention-92 on CIFAR-10. Not in a paper: ours, and not
yet measured. `taps` groups: the maps of what the stages return, as for any
network; masks: the maps of the masks, each module's of the student beside that
at the same part of the teacher's stage; both.
  python train.py --config=configs/ran_at.py                 # or :taps=groups
  python train.py --config=configs/ran_at.py:beta=100,depth=56,teacher_depth=164
  python train.py --config=configs/ran_at.py:tiny            # no files
`gate` is that of student and teacher. Masks of the gate `channel` have norm 1
everywhere, so maps of their squares say nothing:
  ...=configs/ran_at.py:gate=channel --config.objective.terms.at.p=4
Any other student or teacher does as well: `config.teacher.config`, and taps
between `mask/group1/module1` and whatever has a map of its size.
"""

from at_jax._arrays import unknown
from configs import common, methods, ran

TAPS = ('groups', 'masks', 'both')


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    **ran.SETUP,
    depth=56,
    teacher_depth=92,
    gate='mixed',
    taps='masks',
    beta=1e3,
  )
  if arg.taps not in TAPS:
    raise ValueError(unknown('taps', arg.taps, TAPS))
  config = ran.setup(arg)
  config.label = f'AT ({arg.taps})'
  config.model = ran.network(arg.depth, tiny=arg.tiny, gate=arg.gate)
  own = dict(depth=arg.teacher_depth, gate=arg.gate)
  own |= dict(lr=arg.lr, batch=arg.batch)
  own = ';'.join(f'{name}={value}' for name, value in own.items())
  config.teacher.config = f'configs/ran_cifar.py:{own}'
  if not arg.tiny:
    drops = {'optimizer.drops': config.optimizer.drops}
    config.teacher.overrides = common.dotted(drops)
  pairs = methods.GROUPS if arg.taps != 'masks' else ()
  if arg.taps != 'groups':
    counts = (
      (1, 1) if arg.tiny else (_modules(arg.depth), _modules(arg.teacher_depth))
    )
    pairs += _masks(*counts)
  config.objective = methods.at(arg.beta, taps=pairs)
  return config


def _modules(depth):
  return ran.network(depth)['modules']


def _masks(own, others):
  """Module i of `own` beside the last of its part of the teacher's `others`."""
  return tuple(
    (
      f'mask/group{group}/module{i}',
      f'mask/group{group}/module{max(1, i * others // own)}',
    )
    for group in (1, 2, 3)
    for i in range(1, own + 1)
  )

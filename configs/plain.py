"""What the configs of the paper's Table 3 share: attention by gradients.

Networks in networks without batch norm, since nobody knows how it should behave
in a second backward pass; flips only, no weight decay, fixed seed. No beta, no
learning rate and no length was published. The learning rate is one that short
runs survived, the betas those of the least validation error in short runs on
the JPEG copy of CIFAR-10 (but activation_at's, which is that of Table 1), see
docs/gradient_attention.md; a longer run may want others: `table3.py:sweep=...`.
"""

import copy
import math

from at_jax._arrays import unknown
from configs import common, methods, networks

SETUP = common.SETUP | dict(width=96, lr=0.05)
PAIR = SETUP | dict(teacher='configs/nin_plain.py:width=192')
# Another one, with batch norm, teaches by activations.
ACTIVATION_TEACHER = 'configs/nin_plain.py:width=192;batch_norm'
TINY_LR = 1e-3  # there are no steps to warm up in
# The activations that leave a convolution: signed, before any batch norm.
CONVOLUTIONS = common.same('group1/conv', 'group2/conv', 'group3/conv')
BETAS = dict(min_l2=1.0, grad_at=1.0, symmetry=0.1, activation_at=1e3)
# Arguments of a study, beside those of its networks.
STUDY = BETAS | dict(
  outputs=1.0,  # weight of the outputs in `methods.symmetry`
  alpha=0.9,
  temperature=4.0,
  rows='',
  sweep='',
  betas='',
  validation=0,
)
# Row: (label, paper's error), left to right as in Table 3.
ROWS = {
  'alone': ('alone', 13.5),
  'min_l2': ('min-l2', 12.5),
  'grad_at': ('grad-AT', 12.1),
  'kd': ('KD', 12.1),
  'symmetry': ('symmetry', 11.8),
  'activation_at': ('AT', 11.2),
}


def setup(arg, *, batch_norm=False):
  """A student alone, under the conditions of Table 3."""
  config = common.setup(arg)
  set_conditions(config, TINY_LR if arg.tiny else arg.lr)
  config.model = networks.plain_nin(
    arg.width, batch_norm=batch_norm, tiny=arg.tiny
  )
  return config


def set_conditions(config, lr):
  """Flips alone, no weight decay, everything repeatable."""
  config.data.pad = 0
  # Without batch norm and without a warm-up, so large a rate diverges.
  config.optimizer.update(weight_decay=0.0, lr=lr, warmup=1.0)
  config.deterministic = True
  # Second derivatives lose too much in TF32 or bfloat16.
  config.precision = 'float32'


def taught(arg, objective):
  """A student with `arg.teacher`."""
  config = setup(arg)
  config.teacher.config = arg.teacher
  config.objective = objective
  return config


def fill_rows(config, arg, teachers, *, theirs=False):
  """Sets `config.rows`: those of the table, or one method's with several betas.

  Args:
    config: to change.
    arg: arguments of the config, those of `STUDY` among them.
    teachers: {row: its teacher's config}; others have none.
    theirs: whether the paper's numbers are comparable.
  """
  if bool(arg.sweep) != bool(arg.betas):
    raise ValueError('A sweep wants both: sweep=min_l2,betas=0.1+1+10.')
  if arg.sweep and not arg.validation:
    raise ValueError(
      'A sweep chooses by images held out of training, say validation=500: '
      'the test set is not for choices.'
    )
  rows = _swept(arg) if arg.sweep else _objectives(arg)
  made = {}
  for name, (row, label, objective) in rows.items():
    made[name] = {
      'label': label,
      'paper': ROWS[row][1] if theirs and not arg.sweep else 0.0,
      'objective': objective,
      'teacher.config': teachers.get(row, ''),
    }
  config.rows = common.dotted(common.select(made, arg.rows))
  config.baseline = 'alone' if 'alone' in config.rows else ''


def _objectives(arg):
  """{name: (row of `ROWS`, label, objective)}."""
  made = {
    'alone': methods.alone(),
    'min_l2': methods.min_l2(arg.min_l2),
    'grad_at': methods.grad_at(arg.grad_at),
    'kd': methods.kd(arg.alpha, arg.temperature),
    'symmetry': methods.symmetry(arg.symmetry, outputs=arg.outputs),
    'activation_at': methods.at(arg.activation_at, taps=CONVOLUTIONS),
  }
  return {row: (row, ROWS[row][0], made[row]) for row in made}


def _swept(arg):
  """The same for `arg.sweep`, a row with a beta, and each of `arg.betas`."""
  row = arg.sweep
  if row not in BETAS:
    raise ValueError(unknown('row to sweep', row, BETAS))
  rows = {}
  for text in filter(None, arg.betas.split('+')):
    try:
      beta = float(text)
      if not 0 <= beta < math.inf:
        raise ValueError
    except ValueError:
      raise ValueError(
        f'Config argument betas={arg.betas}: wanted numbers >= 0, like '
        '0.1+1+10.'
      ) from None
    one = copy.deepcopy(arg)
    one[row] = beta
    _, label, objective = _objectives(one)[row]
    name = f'{row}_{beta:g}'
    for sign, letter in (('.', '_'), ('-', 'm'), ('+', '')):
      name = name.replace(sign, letter)
    rows[name] = row, f'{label}, β = {beta:g}', objective
  return rows

"""`config.model` of each kind of network, small in the tiny form."""

from at_jax._arrays import unknown
from configs import common


def wrn(depth, width, *, tiny=False):
  """The tiny form has one block in each group."""
  return dict(name='wrn', depth=10 if tiny else depth, width=float(width))


def nin(width, *, tiny=False):
  """One width for all nine convolutions."""
  return dict(name='nin', widths=width // 12 if tiny else width)


def plain_nin(width, *, batch_norm=False, tiny=False):
  """As the paper's Table 3 has it: no ReLU before pooling, no batch norm."""
  own = dict(batch_norm=batch_norm, relu_before_pool=False)
  return nin(width, tiny=tiny) | own


def cifar_resnet(depth, *, tiny=False):
  return dict(name='cifar_resnet', depth=8 if tiny else depth)


def wrn_taps(arg, depth):
  """`arg.taps`: 'groups', or 'blocks' for every block of a WRN-`depth`.

  Block k of the student is paired with block k of the teacher, which is the
  same place only in networks of the same depth.
  """
  if arg.taps == 'groups':
    return common.same('group1', 'group2', 'group3')
  if arg.taps != 'blocks':
    raise ValueError(unknown('taps', arg.taps, ('groups', 'blocks')))
  if f'depth={arg.depth};' not in arg.teacher.partition(':')[2] + ';':
    raise ValueError(
      f'taps=blocks wants a teacher of the same depth, {arg.depth}, in '
      f'teacher={arg.teacher!r}. Use taps=groups, or set '
      'the taps of its term pair by pair in a config file.'
    )
  count = (depth - 4) // 6
  return common.same(
    *(f'group{g}/block{b}' for g in (1, 2, 3) for b in range(1, count + 1))
  )


def resnet(depth, *, tiny=False):
  """torchvision's; the tiny form is a WRN, which has groups 1 to 3."""
  if tiny:
    return wrn(10, 1, tiny=True)
  return dict(name=f'resnet{depth}')

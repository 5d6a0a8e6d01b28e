"""Which classes of an image are drawn."""

import re

import numpy as np

from at_jax._arrays import unknown

USUAL = 'top3,present'


def present_classes(label):
  """The numbers of the classes that a label says are there.

  >>> present_classes(2), present_classes([1, 0, 1]), present_classes(None)
  ([2], [0, 2], [])
  """
  if label is None:
    return []
  return np.flatnonzero(label).tolist() if np.ndim(label) else [int(label)]


def chosen_classes(how, chances, label, class_names):
  """The numbers of the classes that are drawn, the most probable first.

  Args:
    how: separated by commas, a class' name, its number, `top3` (the most
      probable ones), `present` (all that the label has).
    chances: probabilities `[classes]`.
    label: an int, multi-hot `[classes]`, or None.
    class_names: all of them. A name that is a number is a name.

  Raises:
    ValueError: there is no such class.

  >>> chosen_classes('top1,c', [0.1, 0.7, 0.2], None, 'abc')
  [1, 2]
  """
  names = [str(name) for name in class_names]
  order = np.argsort(-np.asarray(chances), kind='stable').tolist()
  chosen = set()
  for part in how.split(','):
    top = re.fullmatch('top([1-9][0-9]*)', part)
    if part in names:
      chosen.add(names.index(part))
    elif part == 'present':
      chosen.update(present_classes(label))
    elif top:
      chosen.update(order[: int(top[1])])
    elif part.isdecimal() and int(part) < len(names):
      chosen.add(int(part))
    else:
      others = ' Or by number, top3 (the most probable), present.'
      raise ValueError(unknown('class', part, names) + others)
  return [k for k in order if k in chosen]

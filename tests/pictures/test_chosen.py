"""Which classes are drawn: by name, number, probability and label."""

import numpy as np
import pytest

from at_jax.pictures.chosen import chosen_classes, present_classes


def test_chosen_classes():
  chances, label = [0.1, 0.4, 0.3, 0.2], np.array([1, 0, 0, 1])
  names = ('a', 'b', '0', 'd')

  def choose(how):
    return chosen_classes(how, chances, label, names)

  assert choose('top2') == [1, 2]
  assert choose('present') == [3, 0]
  assert choose('top1,present') == [1, 3, 0]
  assert choose('d,b') == [1, 3]
  assert choose('0') == [2]  # a name before a number
  assert choose('3,1,d,top99') == [1, 2, 3, 0]
  assert chosen_classes('present', chances, 2, names) == [2]
  assert chosen_classes('top1,present', chances, None, names) == [1]
  assert chosen_classes('top2', [0.5, 0.5, 0.5], None, 'abc') == [0, 1]
  for bad in ('4', 'top0', 'top', '', 'e'):
    with pytest.raises(ValueError, match='Unknown class .*: a, b, 0, d.*top3'):
      choose(bad)


def test_present_classes():
  assert present_classes(np.array([0, 1, 1])) == [1, 2]
  assert present_classes(np.int32(2)) == [2]
  assert present_classes(np.zeros(3)) == present_classes(None) == []

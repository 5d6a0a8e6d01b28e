"""Parameter paths and their patterns."""

import numpy as np
import pytest

from at_jax.objectives.paths import check_patterns, covered, covers

TREE = {
  'stem': {'conv0': {'kernel': np.zeros(1)}},
  'group1_block1': {'bn0': {'scale': np.zeros(1), 'bias': np.zeros(1)}},
  'group10_block1': {'bn0': {'scale': np.zeros(1)}},
  'head': {'kernel': np.zeros(1)},
}


@pytest.mark.parametrize(
  'pattern, path, wanted',
  [
    ('', (), True),
    ('', ('stem', 'conv0'), True),
    ('stem', ('stem', 'conv0', 'kernel'), True),
    ('stem', ('stem',), True),
    ('stem/conv0', ('stem',), False),  # the stem holds more than that
    ('stem', ('stems', 'conv0'), False),
    ('conv0', ('stem', 'conv0'), False),  # from the top
    ('group1_*', ('group1_block1', 'bn0'), True),
    ('group1_*', ('group10_block1', 'bn0'), False),
    ('group?_block1/bn0', ('group1_block1', 'bn0', 'scale'), True),
    ('*/bn0', ('group1_block1', 'bn0'), True),
    ('*', ('a/b', 'c'), True),
    ('Stem', ('stem',), False),
  ],
)
def test_covers(pattern, path, wanted):
  assert covers((pattern,), path) is wanted
  assert covers(('no', pattern), path) is wanted


def test_no_pattern_covers_nothing():
  assert not covers((), ('stem',))


def test_covered_has_the_shape_of_the_tree():
  got = covered(('group1_*', 'head/kernel'), TREE)
  assert got == {
    'stem': {'conv0': {'kernel': False}},
    'group1_block1': {'bn0': {'scale': True, 'bias': True}},
    'group10_block1': {'bn0': {'scale': False}},
    'head': {'kernel': True},
  }


def test_pattern_without_a_parameter():
  check_patterns('config.freeze', ('', 'stem', 'group1_*/bn0', 'head'), TREE)
  with pytest.raises(
    ValueError,
    match=r"config.freeze names 'group3_\*', .*: group10_block1, "
    r'group1_block1, head, stem; patterns',
  ):
    check_patterns('config.freeze', ('stem', 'group3_*'), TREE)


@pytest.mark.parametrize(
  ('pattern', 'path', 'covered'),
  [
    ('**/bn*', 'bn/scale', True),
    ('**/bn*', 'a/b/c/bn0/scale', True),
    ('**/bn*', 'a/conv0/kernel', False),
    ('a/**/kernel', 'a/kernel', True),
    ('a/**/kernel', 'a/b/c/kernel', True),
    ('a/**/kernel', 'b/kernel', False),
    ('a/**', 'a/b', True),
    ('**', 'a', True),
    ('*/bn*', 'a/b/bn0/scale', False),
  ],
)
def test_two_stars_stand_for_any_number_of_names(pattern, path, covered):
  assert covers([pattern], tuple(path.split('/'))) is covered

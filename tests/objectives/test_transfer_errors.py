"""What does not fit is said when the objective is built, before any step."""

import pytest
from small_networks import tiny_network
from transfer_runs import CE, GROUPS, Setting, at_term, build

from at_jax.objectives import make_objective
from configs import common


@pytest.fixture(scope='module')
def pair():
  return Setting()


def test_teacher_of_other_classes_is_fine_without_kd(pair):
  build(pair.student, tiny_network(num_classes=7), ce=CE, at=at_term())


ERRORS = {
  'term': (dict(att=CE), ["term 'att'", "mean 'at'", 'ce, kd, at']),
  'setting': (
    dict(at=at_term(form_='code')),
    ["'form_'", "mean 'form'", "term 'at'", 'weight', 'taps', 'resize'],
  ),
  'setting of kd': (
    dict(kd={'weight': common.constant(1.0), 'temprature': 4.0}),
    ["'temprature'", "mean 'temperature'"],
  ),
  'endpoint': (
    dict(at=at_term(taps=(('group3', 'group1'),))),
    ["student's", "'group3'", "mean 'group", 'group1/block1', 'group2'],
  ),
  "teacher's endpoint": (
    dict(at=at_term(taps=(('group1', 'grup1'),))),
    ["teacher's", "'grup1'", "mean 'group1'"],
  ),
  'kind': (
    dict(at=at_term(kind='sum_pwo')),
    ["'sum_pwo'", "mean 'sum_pow'", 'sum_abs', 'max_pow'],
  ),
  'form': (dict(at=at_term(form='cod')), ["'cod'", "mean 'code'", 'paper']),
  'resize': (dict(at=at_term(resize='linear')), ["'linear'", 'bilinear']),
  'power': (dict(at=at_term(p=0.5)), ['power p', '0.5']),
  'temperature': (
    dict(kd={'weight': common.constant(1.0), 'temperature': 0.0}),
    ['temperature', '0.0'],
  ),
  'no weight': (dict(at={'taps': GROUPS}), ["'at'", 'no weight', 'constant']),
  'weight': (
    dict(ce={'weight': common.constant(1.0) | {'schedule': 'x'}}),
    ['schedule', "'ce'", 'linear'],
  ),
  'no taps': (dict(at=at_term(taps=())), ['no taps', 'common.same']),
  'no terms': ({}, ['no terms', 'ce', 'kd', 'at']),
}


@pytest.mark.parametrize('case', ERRORS)
def test_errors_when_built(pair, case):
  terms, words = ERRORS[case]
  with pytest.raises(ValueError) as error:
    build(pair.student, pair.teacher, **terms)
  for word in words:
    assert word in str(error.value)


@pytest.mark.parametrize(
  'terms',
  [dict(at=at_term()), dict(ce=CE, kd={'weight': common.constant(1.0)})],
  ids=['at', 'kd'],
)
def test_no_teacher_where_a_term_needs_one(pair, terms):
  with pytest.raises(ValueError, match='needs a teacher.*config.teacher'):
    build(pair.student, None, **terms)


def test_maps_of_two_sizes_name_both_taps_and_shapes(pair):
  coarse = tiny_network(stride=2)
  taps = (('group1/block1', 'group1'),)
  with pytest.raises(ValueError) as error:
    build(pair.student, coarse, at=at_term(taps=taps))
  for word in ("'group1/block1'", "'group1'", '8x8', '4x4', 'bilinear'):
    assert word in str(error.value)


def test_kd_with_other_classes_names_both_numbers(pair):
  with pytest.raises(ValueError) as error:
    build(
      pair.student,
      tiny_network(num_classes=7),
      kd={'weight': common.constant(1.0)},
    )
  for word in ('kd', '10', '7', 'teacher'):
    assert word in str(error.value)


@pytest.mark.parametrize(
  ('settings', 'words'),
  [
    ({'name': 'transfre'}, ["'transfre'", "mean 'transfer'", 'supervised']),
    ({'name': 'transfer', 'term': {}}, ["'term'", "mean 'terms'"]),
    ({'name': 'supervised', 'terms': {}}, ["'terms'", "'supervised'"]),
  ],
)
def test_unknown_objective_or_argument(pair, settings, words):
  with pytest.raises(ValueError) as error:
    make_objective(
      settings, student=pair.student, teacher=None, steps_per_epoch=1, epochs=1
    )
  for word in words:
    assert word in str(error.value)

"""Tables 1 and 2 as studies: rows, the paper's numbers, networks, settings."""

import functools
import types

import pytest

from at_jax.objectives import make_objective
from at_jax.train import config as c
from at_jax.train import differences as d
from at_jax.train.bench import make_network
from at_jax.train.teacher import teacher_key

T1, T2 = 'configs/table1.py', 'configs/table2.py'
METHODS = ('at', 'activation', 'kd', 'at_kd')
# CIFAR-10 test errors in percent, medians of five: alone, then with the teacher
# as AT, F-ActT, KD and AT+KD; last the teacher's own.
TABLE1 = [
  ('nin_96', 9.38, 'nin_192', (8.93, 9.05, 8.55, 8.33), 7.28),
  ('wrn_16_1', 8.77, 'wrn_16_2', (7.93, 8.51, 7.41, 7.51), 6.31),
  ('wrn_16_1', 8.77, 'wrn_40_1', (8.25, 8.62, 8.39, 8.01), 6.58),
  ('wrn_16_2', 6.31, 'wrn_40_2', (5.85, 6.24, 6.08, 5.71), 5.23),
]
PAIRS = [(student, teacher) for student, _, teacher, _, _ in TABLE1]
MODELS = {
  'nin_96': dict(name='nin', widths=96),
  'nin_192': dict(name='nin', widths=192),
  'wrn_16_1': dict(name='wrn', depth=16, width=1.0),
  'wrn_16_2': dict(name='wrn', depth=16, width=2.0),
  'wrn_40_1': dict(name='wrn', depth=40, width=1.0),
  'wrn_40_2': dict(name='wrn', depth=40, width=2.0),
}
STUDENTS = ['nin_96', 'wrn_16_1', 'wrn_16_2']
# Table 2, and the ablation of groups in the text: what `wrn_at.py` is told.
TABLE2 = {
  'alone': (8.77, None),
  'sum_1': (7.99, 'kind=sum_abs,p=1'),
  'sum_2': (7.93, ''),
  'sum_4': (8.09, 'p=4'),
  'max_1': (8.08, 'kind=max_pow,p=1'),
  'group1': (8.11, ''),
  'group2': (7.96, ''),
  'group3': (7.97, ''),
}


@functools.cache
def table(spec=T1):
  return c.load_config(spec)


def row(name, spec=T1):
  return c.row_config(table(spec), name)


def taught(student, teacher):
  return [f'{student}_from_{teacher}_{method}' for method in METHODS]


def single(spec):
  return c.row_config(c.load_config(spec), 'main')


def check_same(one, other, *but):
  """Two configs give the same numbers, but for the fields named."""
  lines = d.differences(d.as_json(one), d.as_json(other))
  assert [line for line in lines if not line.startswith(but)] == []


def test_table1_has_19_rows_in_order():
  names = c.row_names(table())
  assert names == STUDENTS + sum((taught(*pair) for pair in PAIRS), [])
  assert len(names) == 19
  labels = [table().rows[name]['label'] for name in names]
  assert labels[1] == 'WRN-16-1' and len(set(labels)) == 19
  assert labels[7:11] == [
    f'WRN-16-1 ← WRN-16-2, {way}' for way in ('AT', 'F-ActT', 'KD', 'AT+KD')
  ]


@pytest.mark.parametrize(
  ('student', 'alone', 'teacher', 'with_it', 'own'), TABLE1
)
def test_table1_is_the_paper_s(student, alone, teacher, with_it, own):
  assert row(student).paper == alone
  names = taught(student, teacher)
  assert tuple(row(name).paper for name in names) == with_it
  for name in names:
    assert row(name).model.to_dict() == MODELS[student]
    assert c.teacher_config(row(name)).model.to_dict() == MODELS[teacher]
    assert c.teacher_config(row(name)).paper == own
    assert table().rows[name]['baseline'] == student
  assert row(student).model.to_dict() == MODELS[student]
  assert not row(student).teacher.config
  assert 'baseline' not in table().rows[student] and not table().baseline


@pytest.mark.parametrize('pair', PAIRS)
@pytest.mark.parametrize('method', METHODS)
def test_settings_of_a_method_are_those_of_its_own_config(pair, method):
  own = single(f'configs/wrn_{method}.py')
  found = row(f'{pair[0]}_from_{pair[1]}_{method}')
  assert found.objective.to_dict() == own.objective.to_dict()
  if pair == ('wrn_16_1', 'wrn_16_2'):
    check_same(found, own)
    assert found.paper == own.paper
  else:
    check_same(found, own, 'model.', 'teacher.config')


def test_nin_and_the_students_alone_are_those_of_their_own_configs():
  check_same(row('nin_96_from_nin_192_at'), single('configs/nin_at.py'))
  assert (
    row('nin_96_from_nin_192_at').paper == single('configs/nin_at.py').paper
  )
  for name, spec in (
    ('nin_96', 'configs/nin.py:width=96'),
    ('wrn_16_1', 'configs/wrn.py'),
    ('wrn_16_2', 'configs/wrn.py:width=2'),
  ):
    # The same loss: cross-entropy, as a term and as `supervised`.
    check_same(row(name), single(spec), 'objective.')
    terms = row(name).objective.terms.to_dict()
    assert list(terms) == ['ce']
    weight = terms['ce']['weight']
    assert (weight['value'], weight['schedule']) == (1.0, 'constant')
    assert row(name).paper == single(spec).paper


def test_table2_is_the_paper_s():
  assert c.row_names(table(T2)) == list(TABLE2)
  assert table(T2).baseline == 'alone'
  for name, (error, arguments) in TABLE2.items():
    found = row(name, T2)
    assert found.paper == error, name
    assert found.model.to_dict() == MODELS['wrn_16_1']
    teacher = c.teacher_config(found)
    assert teacher.model.to_dict() == MODELS['wrn_16_2']
    if arguments is None:
      check_same(found, row('wrn_16_1'), 'teacher.config')
      continue
    own = single(f'configs/wrn_at.py:{arguments}')
    if name.startswith('group'):
      at = found.objective.terms.at.to_dict()
      assert at.pop('taps') == ((name, name),)
      assert at == {
        k: v for k, v in own.objective.terms.at.to_dict().items() if k != 'taps'
      }
      check_same(found, own, 'objective.terms.at.taps')
    else:
      check_same(found, own)


def test_beta_of_table2_reaches_every_taught_row():
  beta = table(f'{T2}:beta=500')
  for name in list(TABLE2)[1:]:
    weight = c.row_config(beta, name).objective.terms.at.weight
    assert weight.value == 500.0
    assert c.row_config(beta, name).paper == 0


@functools.cache
def network(name, is_teacher):
  """Of a row of table 1 or its teacher, for CIFAR-10, as it is trained."""
  config = c.teacher_config(row(name)) if is_teacher else row(name)
  dataset = types.SimpleNamespace(
    image_shape=(32, 32, 3), class_names=tuple('0123456789')
  )
  return make_network(config, dataset)


@pytest.mark.parametrize('pair', PAIRS)
def test_every_row_fits_its_networks(pair):
  first = taught(*pair)[0]
  student, teacher = network(first, False), network(first, True)
  rows = [row(name) for name in taught(*pair)]
  if pair == ('wrn_16_1', 'wrn_16_2'):
    rows += [row(name, T2) for name in TABLE2]
  for config in rows:
    make_objective(
      config.objective.to_dict(),
      student=student,
      teacher=teacher,
      steps_per_epoch=390,
      epochs=config.epochs,
    )


def test_each_teacher_is_trained_once():
  keys = {
    pair: {teacher_key(row(name)) for name in taught(*pair)} for pair in PAIRS
  }
  assert all(len(found) == 1 for found in keys.values())
  assert len(set.union(*keys.values())) == 4
  same = [single(f'configs/wrn_{method}.py') for method in METHODS]
  same += [row(name, T2) for name in TABLE2]
  assert {teacher_key(config) for config in same} == keys[
    'wrn_16_1', 'wrn_16_2'
  ]
  nin = teacher_key(single('configs/nin_at.py'))
  assert {nin} == keys['nin_96', 'nin_192']
  # By another spelling it is still the same run.
  other = single('configs/wrn_at.py:teacher=configs/wrn.py:depth=40')
  assert teacher_key(other)[1:] == keys['wrn_16_1', 'wrn_40_1'].pop()[1:]

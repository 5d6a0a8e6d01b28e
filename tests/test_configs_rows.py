"""Which rows of a table run, and when its numbers are the paper's."""

import pytest

from at_jax.train import config as c
from at_jax.train import differences as d

T1, T2 = 'configs/table1.py', 'configs/table2.py'
METHODS = ('at', 'activation', 'kd', 'at_kd')
SMALL = [
  'wrn_16_1',
  *(f'wrn_16_1_from_wrn_16_2_{method}' for method in METHODS),
]
DEEP = [f'wrn_16_1_from_wrn_40_1_{method}' for method in METHODS]


def rows(spec):
  return c.row_names(c.load_config(spec))


def papers(spec):
  config = c.load_config(spec)
  return {c.row_config(config, name).paper for name in c.row_names(config)}


@pytest.mark.parametrize(
  ('asked', 'found'),
  [
    ('wrn_16_1_from_wrn_16_2', SMALL),
    ('wrn_16_1_from_wrn_16_2+wrn_16_1_from_wrn_40_1', SMALL + DEEP),
    ('wrn_16_1+wrn_16_1_from_wrn_16_2', SMALL),
    (f'{SMALL[2]}+wrn_16_1', [SMALL[2], 'wrn_16_1']),
    (f'{DEEP[0]}+wrn_16_1_from_wrn_16_2', [DEEP[0], *SMALL]),
    (
      'nin_96_from_nin_192',
      ['nin_96', *(f'nin_96_from_nin_192_{method}' for method in METHODS)],
    ),
    ('nin_96+nin_96_from_nin_192_at', ['nin_96', 'nin_96_from_nin_192_at']),
  ],
)
def test_rows_of_table1_by_name_and_by_pair(asked, found):
  assert rows(f'{T1}:rows={asked}') == found
  assert rows(f'{T1}:tiny,rows={asked}') == found


def test_asked_rows_are_as_in_the_whole_table():
  whole = c.load_config(T1)
  for spec in ('rows=wrn_16_2_from_wrn_40_2', 'seeds=5'):
    config = c.load_config(f'{T1}:{spec}')
    for name in c.row_names(config):
      one, other = (c.row_config(x, name) for x in (config, whole))
      assert d.differences(d.as_json(one), d.as_json(other)) == []
      assert (one.paper, one.label) == (other.paper, other.label)
      assert config.rows[name].get('baseline') == whole.rows[name].get(
        'baseline'
      )


def test_rows_without_their_baseline_can_run():
  config = c.load_config(f'{T1}:rows={SMALL[1]}')
  c.check_config(config)
  assert config.rows[SMALL[1]]['baseline'] == 'wrn_16_1'
  assert 'baseline' not in c.row_config(config, SMALL[1])


def test_rows_of_table2():
  assert rows(f'{T2}:rows=alone+sum_2+group3') == ['alone', 'sum_2', 'group3']
  assert c.load_config(f'{T2}:rows=alone+sum_2').baseline == 'alone'
  config = c.load_config(f'{T2}:rows=sum_2')
  assert rows(f'{T2}:rows=sum_2') == ['sum_2'] and config.baseline == ''
  c.check_config(config)


@pytest.mark.parametrize(
  ('spec', 'words'),
  [
    (f'{T1}:rows=wrn_16_1_from_wrn_16_2_ta',
     ["'wrn_16_1_from_wrn_16_2_ta'", "mean 'wrn_16_1_from_wrn_16_2_at'"]),
    (f'{T1}:rows=wrn_16_1+nin_69', ["'nin_69'", "mean 'nin_96'", *SMALL]),
    (f'{T1}:rows=wrn_16_1_from_wrn_40_2', ["'wrn_16_1_from_wrn_40_2'", *DEEP]),
    (f'{T2}:rows=alone+gruop3', ["'gruop3'", "mean 'group3'", 'sum_1']),
  ],
)  # fmt: skip
def test_unknown_row_names_the_nearest_and_all(spec, words):
  with pytest.raises(ValueError, match='Unknown row') as error:
    c.load_config(spec)
  for word in words:
    assert word in str(error.value)


@pytest.mark.parametrize(
  'arguments',
  ['epochs=10', 'epochs=201', 'dataset=cifar100', 'dataset=digits', 'tiny'],
)
@pytest.mark.parametrize('spec', [T1, T2])
def test_other_settings_are_not_the_paper_s(spec, arguments):
  assert papers(f'{spec}:{arguments}') == {0}


@pytest.mark.parametrize(
  'arguments', ['seeds=5', 'epochs=200', 'dataset=cifar10', 'tiny=false']
)
@pytest.mark.parametrize('spec', [T1, T2])
def test_seeds_and_spelt_out_defaults_are(spec, arguments):
  assert papers(f'{spec}:{arguments}') == papers(spec)
  assert 0 not in papers(spec)


@pytest.mark.parametrize(
  ('name', 'error', 'other'),
  [
    ('nin', 7.28, 'width=100'),
    ('nin:width=96', 9.38, 'epochs=10'),
    ('nin_at', 8.93, 'width=192'),
    ('nin_at', 8.93, 'teacher=configs/nin.py:width=384'),
    ('nin_at', 8.93, 'beta=500'),
    ('wrn', 8.77, 'depth=22'),
    ('wrn:width=2', 6.31, 'dataset=cifar100'),
    ('wrn:depth=40', 6.58, 'tiny'),
    ('wrn:depth=40,width=2', 5.23, 'epochs=100'),
    ('wrn_at', 7.93, 'form=paper'),
    ('wrn_activation', 8.51, 'decay=constant'),
    ('wrn_activation', 8.51, 'beta=1'),
    ('wrn_activation', 8.51, 'teacher=configs/wrn.py:depth=40'),
    ('wrn_kd', 7.41, 'alpha=0.5'),
    ('wrn_at_kd', 7.51, 'decay=constant'),
    ('cifar_resnet', 0, 'depth=56'),
    ('cifar_resnet_at', 0, 'beta=500'),
  ],
)
def test_single_configs_know_their_number(name, error, other):
  name, _, own = name.partition(':')
  assert papers(f'configs/{name}.py:{own}') == {error}
  assert papers(f'configs/{name}.py:{own},seeds=5') == {error}
  assert papers(f'configs/{name}.py:{own},{other}') == {0}


@pytest.mark.parametrize('spec', [T1, T2])
def test_tiny_rows_are_few_and_small(spec):
  config = c.load_config(f'{spec}:tiny')
  assert 2 <= len(config.rows) <= 3
  for own in c.all_configs(config):
    assert own.tiny and own.data.name == 'digits'
    model = own.model
    assert model.get('depth', 10) <= 10 and model.get('widths', 16) <= 16
  ways = {'ce'}
  for name in config.rows:
    ways |= set(c.row_config(config, name).objective.terms)
  assert 'ce' in ways and len(ways) > 1
  # Any row has a tiny form.
  names = '+'.join(c.row_names(c.load_config(spec)))
  assert rows(f'{spec}:tiny,rows={names}') == names.split('+')

"""Several workdirs in one report: joined, or refused."""

import json

import pytest
from report_workdir import cells, workdir

from at_jax import report

pytestmark = pytest.mark.usefixtures('no_pictures')


def test_joins_seeds_of_two_machines(tmp_path):
  half = {'alone': {0: 8.0, 1: 9.0}, 'at': {0: 7.0}}
  rest = {'alone': {1: 9.0, 2: 7.0}, 'at': {1: 9.5, 2: 6.0}}
  one = workdir(tmp_path / 'one', errors=half)
  two = workdir(tmp_path / 'two', errors=rest)
  whole = workdir(tmp_path / 'whole')
  joined = report.write_report([one, two], tmp_path / 'out')
  assert joined == report.write_report(whole)
  assert not (one / 'report.md').exists()
  result = json.loads((tmp_path / 'out/result.json').read_text())
  assert [w['commit'] for w in result['workdirs']] == ['abc1234'] * 2


def test_a_finished_run_wins_over_the_same_run_unfinished(tmp_path):
  one, two = workdir(tmp_path / 'one'), workdir(tmp_path / 'two')
  (one / 'at/seed1/result.json').unlink()
  assert report.write_report([one, two]) == report.write_report(two)
  assert report.write_report([two, one]) == report.write_report(two)


def test_joins_plain_configs_as_rows(tmp_path):
  wrn = dict(rows={}, name='wrn', errors={'main': {0: 8.0, 1: 9.0}}, seeds=2)
  one = workdir(tmp_path / 'wrn', teacher='', **wrn)
  two = workdir(
    tmp_path / 'wrn_at',
    **wrn | dict(name='wrn_at', errors={'main': {0: 7.0, 1: 7.5}}),
  )
  found = cells(report.write_report([one, two], baseline='wrn'))
  assert found['wrn'][:4] == ['8.50', '8.50 ± 0.71', '2', '–']
  assert found['wrn_at'][3] == '-1.25 ± 0.35, wins 2/2'
  with pytest.raises(ValueError, match=r"'wm'.*\['wrn', 'wrn_at'\]"):
    report.write_report([one, two], baseline='wm')


@pytest.mark.parametrize(
  'changed,words',
  [
    (dict(teacher='t2'), 'teachers differ .t1 and t2'),
    (dict(fingerprint='d2'), 'data differ .d1 and d2'),
    (
      dict(errors={'alone': {0: 8.0}, 'at': {0: 7.25}}),
      "'at' with seed 0.*7.0 % and 7.25 %",
    ),
    (dict(epochs=9), "'epochs' is 4 and 9"),
  ],
)
def test_refuses_to_join_what_does_not_belong_together(
  changed, words, tmp_path
):
  one = workdir(tmp_path / 'one')
  two = workdir(tmp_path / 'two', **changed)
  with pytest.raises(ValueError, match=words) as error:
    report.write_report([one, two])
  assert str(one) in str(error.value) and str(two) in str(error.value)
  assert not (one / 'report.md').exists()


def test_teachers_are_compared_by_results_where_teachers_json_is_missing(
  tmp_path,
):
  one = workdir(tmp_path / 'one')
  two = workdir(tmp_path / 'two', teacher='t2')
  (two / 'teachers.json').unlink()
  with pytest.raises(ValueError, match='teachers differ'):
    report.write_report([one, two])

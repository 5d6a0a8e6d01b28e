"""The report of synthetic workdirs, against numbers worked out by hand."""

import json

import numpy as np
import pytest
from report_workdir import ERRORS, cells, workdir

from at_jax import report


@pytest.fixture(scope='module')
def study(tmp_path_factory):
  folder = workdir(tmp_path_factory.mktemp('whole') / 'digits_at')
  return folder, report.write_report(folder)


def test_table_by_hand(study):
  found = cells(study[1])
  assert found['student alone'] == [
    '8.00',
    '8.00 ± 1.00',
    '3',
    '–',
    '–',
    '1.5 min',
  ]
  # 22.5 / 3; deviations -.5, 2, -1.5: sd = sqrt(6.5 / 2). Differences
  # -1, .5, -1: mean -.5, sd sqrt(1.5 / 2).
  assert found['student + AT'] == [
    '7.00',
    '7.50 ± 1.80',
    '3',
    '-0.50 ± 0.87, wins 2/3',
    '7.93',
    '1.5 min',
  ]
  assert found['*teacher WRN-16-2*, one run'][:3] == ['5.10', '–', '1']
  head = study[1].split('\n')[0]
  assert 'difference to student alone, paired by seed' in head
  assert '| paper' in head


def test_result_json_by_hand(study):
  result = json.loads((study[0] / 'result.json').read_text())
  at = result['rows']['at']
  assert at['errors'] == {'0': 7.0, '1': 9.5, '2': 6.0}
  assert (at['label'], at['n'], at['median']) == ('student + AT', 3, 7.0)
  assert at['mean'] == pytest.approx(7.5)
  assert at['sd'] == pytest.approx(np.std([7, 9.5, 6], ddof=1))
  difference = at['difference']
  assert (difference['n'], difference['wins']) == (3, 2)
  assert difference['mean'] == pytest.approx(-0.5)
  assert difference['sd'] == pytest.approx(0.75**0.5)
  assert result['rows']['alone']['difference'] is None
  assert [t['hash'] for t in result['teachers']] == ['t1']
  assert result['teachers'][0]['rows'] == ['at']
  assert result['command'] == 'python train.py --x=1'
  assert (result['commit'], result['data']) == (
    'abc1234',
    'scikit-learn digits',
  )
  assert result['versions'] == {'jax': '0.10.2'}


def test_page(study):
  folder, table = study
  page = (folder / 'report.md').read_text()
  assert table in page and page.startswith('# digits_at\n')
  for words in (
    'python train.py --x=1',
    'scikit-learn digits',
    'abc1234',
    '1 × cpu',
    'jax 0.10.2',
    'after the last epoch, on the full test set',
    'never the best epoch',
    'Bold: test error',
    '(curves.png)',
    '(attention.png)',
    'cosine',
    'continues an interrupted run',
    'The teacher WRN-16-2 is one run (n = 1), not a row; weights `t1`.',
    'Parameters: teacher 691,674',
  ):
    assert words in page, words
  assert str(folder.parent) not in page, "a machine's own paths"
  left = {path.name for path in folder.iterdir() if path.is_file()}
  made = {'report.md', 'report.html', 'result.json'}
  made |= {'curves.png', 'attention.png'}
  assert left == made | {'config.json', 'about.json', 'teachers.json'}


def test_validation_curves_say_so(tmp_path):
  folder = workdir(tmp_path / 'a', of='validation')
  report.write_report(folder)
  assert 'Bold: validation error' in (folder / 'report.md').read_text()


def test_validation_errors_have_a_column_of_their_own(tmp_path):
  folder = workdir(tmp_path / 'a')
  for path in folder.glob('*/seed*/result.json'):
    result = json.loads(path.read_text())
    result['validation_error'] = result['test_error'] / 2 + result['seed']
    path.write_text(json.dumps(result))
  found = cells(report.write_report(folder))
  assert found[''][:2] == ['validation error %, mean', 'test error %, median']
  alone = [e / 2 + seed for seed, e in ERRORS['alone'].items()]
  assert found['student alone'][0] == f'{np.mean(alone):.2f}'
  assert found['*teacher WRN-16-2*, one run'][:4] == ['–', '5.10', '–', '1']
  rows = json.loads((folder / 'result.json').read_text())['rows']
  assert rows['alone']['validation'] == pytest.approx(np.mean(alone))


def test_one_seed_has_no_sd(tmp_path):
  errors = {'alone': {0: 8.0}, 'at': {0: 7.0}}
  found = cells(report.write_report(workdir(tmp_path, errors=errors, seeds=1)))
  assert found['student + AT'][:4] == [
    '7.00',
    '7.00 ± –',
    '1',
    '-1.00 ± –, wins 1/1',
  ]


def test_pairs_only_seeds_that_both_rows_have(tmp_path):
  errors = {'alone': {1: 9.0, 2: 7.0}, 'at': {0: 1.0, 1: 8.5}}
  folder = workdir(tmp_path, errors=errors)
  report.write_report(folder)
  difference = json.loads((folder / 'result.json').read_text())['rows']['at'][
    'difference'
  ]
  assert (difference['n'], difference['mean'], difference['sd']) == (
    1,
    -0.5,
    None,
  )


def test_no_teacher_and_no_rows(tmp_path):
  folder = workdir(
    tmp_path,
    rows={},
    errors={'main': {0: 8.0, 1: 9.0}},
    teacher='',
    name='wrn',
    seeds=2,
    paper=8.77,
  )
  table = report.write_report(folder)
  assert 'teacher' not in table and 'difference' not in table
  assert cells(table)['wrn'] == ['8.50', '8.50 ± 0.71', '2', '8.77', '1.5 min']
  page = (folder / 'report.md').read_text()
  assert 'cosine' not in page and '(attention.png)' in page


def test_curves_get_taps_not_their_sum_and_fold_many(tmp_path, monkeypatch):
  from at_jax.pictures import curves

  drawn = []
  monkeypatch.setattr(
    curves, 'draw_curves', lambda path, rows, **_: drawn.append(rows)
  )
  folder = workdir(tmp_path)
  report.write_report(folder)
  alone, at = drawn.pop()
  assert list(alone['terms']) == ['ce']
  assert list(at['terms']) == ['ce', 'at/group1', 'at/group2']
  assert len(at['terms']['ce']) == len(at['evaluated']) == 3
  assert at['evaluated'][0] == ([1, 2, 3, 4], [30, 15, 10, 7.5])
  assert list(at['pace']) == ['lr', 'images_per_second']
  assert at['pace']['images_per_second'][2][1] == [900.0] * 8
  many = {f'at/group{i // 6}/block{i % 6}': float(i) for i in range(12)}
  line = json.dumps({'step': 9, 'epoch': 4.5, **many}) + '\n'
  (folder / 'at/seed0/metrics.jsonl').write_text(line)
  report.write_report(folder)
  terms = drawn.pop()[1]['terms']
  assert terms['at/group0'][0] == ([4.5], [2.5])
  assert terms['at/group1'][0] == ([4.5], [8.5])


def test_what_is_no_workdir(tmp_path):
  with pytest.raises(FileNotFoundError, match='no such folder.*train.py'):
    report.write_report(tmp_path / 'absent')
  with pytest.raises(FileNotFoundError, match='no config.json.*--workdir='):
    report.write_report(tmp_path)
  folder = workdir(tmp_path / 'a')
  with pytest.raises(FileNotFoundError, match='Did you mean') as error:
    report.write_report(folder / 'at/seed0')
  assert str(error.value).endswith(f'{folder}?')
  (folder / 'config.json').write_text('{')
  with pytest.raises(ValueError, match='config.json is damaged'):
    report.write_report(folder)

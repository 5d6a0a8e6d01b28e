"""Reports on many classes and on annotated boxes."""

import json

import pytest
from report_workdir import amend, cells, teacher_entry, workdir

from at_jax import report

pytestmark = pytest.mark.usefixtures('no_pictures')


def localised(energy, pointing):
  return dict(
    images=340,
    area=25.0,
    energy={'group3': energy, 'group4': energy + 10},
    pointing={'group3': pointing, 'group4': pointing + 10},
  )


@pytest.fixture
def folder(tmp_path):
  """Runs with looks and top-5 errors; the teacher has both, too."""
  entry = teacher_entry(
    't1', ['at'], localisation=localised(60.0, 80.0), test_top5_error=0.9
  )
  path = workdir(tmp_path / 'work', teachers=[entry])
  for row, base in (('alone', 30.0), ('at', 50.0)):
    for seed, plus in ((0, 0.0), (1, 1.0), (2, 5.0)):
      amend(
        path / row / f'seed{seed}/result.json',
        localisation=localised(base + plus, 40.0 + plus),
        test_top5_error=1.5 + plus,
      )
  return path


def page_of(folder):
  report.write_report(folder)
  return (folder / 'report.md').read_text()


def test_medians_over_seeds_beside_the_teacher(folder):
  page = page_of(folder)
  section = page[page.index('## In the box') : page.index('## Speed')]
  found = cells('\n'.join(x for x in section.split('\n') if x[:1] == '|'))
  head, rows = found[''], dict(list(found.items())[2:])
  assert head == [
    'images',
    'boxes cover %',
    'group3: attention in the box %',
    'group3: peak in the box %',
    'group4: attention in the box %',
    'group4: peak in the box %',
  ]
  assert rows == {
    '*teacher WRN-16-2*': ['340', '25.0', '60.0', '80.0', '70.0', '90.0'],
    'student alone': ['340', '25.0', '31.0', '41.0', '41.0', '51.0'],
    'student + AT': ['340', '25.0', '51.0', '41.0', '61.0', '51.0'],
  }
  assert '--unboxed' not in section
  result = json.loads((folder / 'result.json').read_text())
  assert result['rows']['at']['looks']['energy'] == {
    'group3': 51.0,
    'group4': 61.0,
  }


def test_top5_is_a_column(folder):
  found = cells(report.write_report(folder))
  place = found[''].index('top-5 error %, median')
  assert found['student alone'][place] == '2.50'
  assert found['*teacher WRN-16-2*, one run'][place] == '0.90'


def test_neither_is_there_without_boxes_or_many_classes(tmp_path):
  path = workdir(tmp_path / 'work')
  for result in path.glob('*/seed*/result.json'):
    amend(result, localisation={})
  assert 'In the box' not in page_of(path)
  assert 'top-5' not in report.write_report(path)


def test_damaged_entries_are_left_out(folder):
  for result in folder.glob('at/seed*/result.json'):
    amend(result, localisation=[1], test_top5_error='x')
  amend(folder / 'alone/seed1/result.json', localisation=dict(images=3))
  page = page_of(folder)
  section = page[page.index('## In the box') : page.index('## Speed')]
  assert 'student alone' in section and 'student + AT' not in section
  found = cells(report.write_report(folder))
  assert (
    found['student + AT'][found[''].index('top-5 error %, median')]
    == 'not yet measured'
  )

"""The report's section on masks: numbers, pictures, damage."""

import json

import numpy as np
import pytest
from report_workdir import amend, cells, workdir

from at_jax import report
from at_jax.pictures import masks, responses

pytestmark = pytest.mark.usefixtures('no_pictures')

PLACES = ('group1/module1', 'group2/module1')
PARTS = ('split', 'trunk', 'mask', 'product', 'fused', 'active')


def found(plus):
  numbers = dict(low=0.0, high=0.01, spatial=0.002, channels=0.003)
  return {place: dict(mean=0.5 + plus, **numbers) for place in PLACES}


def write_masks(path):
  rng = np.random.default_rng(0)
  arrays = dict(
    images=rng.integers(0, 256, (4, 8, 8, 1), np.uint8),
    labels=np.array([2, 0, 1, 3]),
    class_names=np.asarray(list('abcd')),
  )
  for place in PLACES:
    for view in ('mean', 'channel5'):
      for part in PARTS:
        arrays[f'{view}/{part}/{place}'] = rng.random((4, 4, 4), np.float32)
  np.savez(path, **arrays)
  return arrays


@pytest.fixture
def folder(tmp_path):
  """Row `at` has masks, `alone` responses only."""
  path = workdir(tmp_path / 'work', teacher='')
  for seed, plus in ((0, 0.0), (1, 0.1), (2, 0.3)):
    run = path / f'at/seed{seed}'
    amend(
      run / 'result.json',
      masks=found(plus),
      responses={'group1': 4.0 + plus, 'group2': 1.0},
    )
    write_masks(run / 'masks.npz')
    amend(
      path / f'alone/seed{seed}/result.json',
      responses={'group1': 2.0, 'group2': 1.0},
    )
  return path


@pytest.fixture
def drawn(monkeypatch):
  """What is handed to the two functions that draw."""
  calls = {}
  monkeypatch.setattr(
    masks, 'draw_masks', lambda path, *rest: calls.update({path.name: rest})
  )
  monkeypatch.setattr(
    responses, 'draw_responses', lambda path, rows: calls.update(rows=rows)
  )
  return calls


def section_of(folder):
  report.write_report(folder)
  page = (folder / 'report.md').read_text()
  start = page.find('## Masks')
  return page[start : page.index('## Speed')] if start >= 0 else ''


def test_medians_over_seeds(folder, drawn):
  section = section_of(folder)
  table = '\n'.join(x for x in section.split('\n') if x[:1] == '|')
  assert table.count('student + AT') == 2 and 'student alone' not in table
  row = cells(table)['student + AT']
  assert row == ['group2/module1', '0.600', '0.0', '1.0', '0.0020', '0.0030']
  assert 'no Grad-CAM' in section
  result = json.loads((folder / 'result.json').read_text())
  assert result['rows']['at']['masks'][PLACES[0]]['mean'] == pytest.approx(0.6)
  assert result['rows']['alone']['masks'] is None
  assert drawn['rows'] == {
    'student alone': {'group1': 2.0, 'group2': 1.0},
    'student + AT': {'group1': pytest.approx(4.1), 'group2': 1.0},
  }


def test_pictures_are_those_of_the_lowest_seed_that_has_them(folder, drawn):
  (folder / 'at/seed0/masks.npz').unlink()
  section = section_of(folder)
  assert '![Masks of student + AT, seed 1](masks_at.png)' in section
  assert '](responses.png)' in section and 'masks_alone.png' not in drawn
  images, names, bands = drawn['masks_at.png']
  assert len(images) == 2 and names == ['c', 'a']
  assert [band.title for band in bands] == [
    'group1/module1 · 4×4 · mean over channels',
    'group1/module1 · 4×4 · channel 5',
    'group2/module1 · 4×4 · mean over channels',
    'group2/module1 · 4×4 · channel 5',
  ]
  want = np.load(folder / 'at/seed1/masks.npz')['channel5/fused/group2/module1']
  np.testing.assert_array_equal(bands[3].maps['fused'], want[:2])


def test_of_many_modules_the_last_of_each_group_is_shown(folder, drawn):
  path = folder / 'at/seed0/masks.npz'
  arrays = dict(np.load(path))
  for name in [name for name in arrays if name.endswith('group2/module1')]:
    for module in (2, 3):
      arrays[name.replace('module1', f'module{module}')] = arrays[name]
  np.savez(path, **arrays)
  section_of(folder)
  _, _, bands = drawn['masks_at.png']
  assert [band.title.split(' ')[0] for band in bands[::2]] == [
    'group1/module1',
    'group2/module3',
  ]


def test_damage_is_said(folder, drawn):
  for seed in range(3):
    (folder / f'at/seed{seed}/masks.npz').write_bytes(b'PK no zip')
  amend(folder / 'at/seed1/result.json', masks=[1])
  amend(folder / 'at/seed2/result.json', masks={PLACES[0]: dict(mean='x')})
  section = section_of(folder)
  page = (folder / 'report.md').read_text()
  assert 'at/seed0/masks.npz is damaged and left out' in page
  assert 'masks_at.png' not in section
  assert 'below 0.05' in section and 'group2/module1' not in section


def test_nothing_without_masks(tmp_path, drawn):
  assert section_of(workdir(tmp_path / 'work')) == '' and drawn == {}

"""The report's section on maps of classes: its text, what is drawn, damage."""

import numpy as np
import pytest
from report_workdir import workdir

from at_jax import report
from at_jax.pictures import classes, gates

pytestmark = pytest.mark.usefixtures('no_pictures')


def write_classes(path, places=('group1',), labels=(2, 0, 1, 3), boxes=None):
  rng = np.random.default_rng(0)
  arrays = dict(
    images=rng.integers(0, 256, (4, 8, 8, 1), np.uint8),
    labels=np.array(labels),
    class_names=np.asarray(list('abcd')),
    probabilities=np.tile(np.array([0.3, 0.1, 0.05, 0.2]), (4, 1)),
  )
  for place in places:
    for part in ('attention', 'scores', 'weighted'):
      arrays[f'{part}/{place}'] = rng.random((4, 4, 6, 4), np.float32)
    arrays[f'score/{place}'] = rng.random((4, 4), np.float32)
  if boxes is not None:
    arrays['boxes'] = boxes
  np.savez(path, **arrays)
  return arrays


@pytest.fixture
def folder(tmp_path):
  """Row `at` has maps of classes, `alone` has none."""
  path = workdir(tmp_path / 'work', teacher='')
  for seed in range(3):
    write_classes(path / f'at/seed{seed}/classes.npz')
  return path


@pytest.fixture
def drawn(monkeypatch):
  """What is handed to the two functions that draw."""
  calls = {}

  def draw(path, *rest):
    calls[path.name] = rest
    return path

  monkeypatch.setattr(classes, 'draw_classes', draw)
  monkeypatch.setattr(gates, 'draw_gates', draw)
  return calls


def section_of(folder):
  report.write_report(folder)
  page = (folder / 'report.md').read_text()
  start = page.find('## Where each class is seen')
  return page[start : page.index('## Speed')] if start >= 0 else ''


def test_the_section(folder, drawn):
  lines = [line for line in section_of(folder).split('\n') if line]
  assert lines[1].startswith('For each class, the most probable ones and all')
  assert 'sums to 1 over the image even for a class that is absent' in lines[1]
  assert lines[4].startswith('Gates of channels, all images and channels')
  assert [*lines[:1], *lines[2:4], *lines[5:]] == [
    '## Where each class is seen',
    'Classes of student + AT, seed 0:',
    '![Classes of student + AT, seed 0](classes_at.png)',
    'Gates of student + AT, seed 0:',
    '![Gates of student + AT, seed 0](gates_at.png)',
  ]


def test_images_classes_and_maps(folder, drawn):
  """One place: four images. The most probable classes, and the present one."""
  section_of(folder)
  bands, names = drawn['classes_at.png']
  arrays = np.load(folder / 'at/seed0/classes.npz')
  assert names == list('abcd')
  assert [band.title for band in bands] == [
    f'label {name} · group1 · 4×6' for name in 'cabd'
  ]
  assert [band.chosen for band in bands] == [
    [0, 3, 1, 2],
    [0, 3, 1],
    [0, 3, 1],
    [0, 3, 1],
  ]
  for k, band in enumerate(bands):
    np.testing.assert_array_equal(band.image, arrays['images'][k])
    assert band.label == arrays['labels'][k] and band.boxes is None
    for part in ('attention', 'scores', 'weighted', 'score'):
      got, wanted = band.maps[part], arrays[f'{part}/group1'][k]
      np.testing.assert_array_equal(got, wanted)
  assert {*drawn['gates_at.png'][0]} == {
    f'{part}/group1' for part in ('attention', 'scores', 'weighted', 'score')
  }


@pytest.mark.parametrize(('count', 'images'), [(2, 2), (3, 1), (5, 1)])
def test_of_several_places_fewer_images(folder, drawn, count, images):
  places = [f'group{g}' for g in range(count)]
  labels = [[0, 1, 1, 0], [0] * 4, [1] * 4, [0, 0, 0, 1]]
  boxes = np.arange(4 * 2 * 5).reshape(4, 2, 5)
  write_classes(folder / 'at/seed0/classes.npz', places, labels, boxes)
  section_of(folder)
  bands, _ = drawn['classes_at.png']
  titles = ['label b, c', 'label none'][:images]
  assert [band.title for band in bands] == [
    f'{title} · {place} · 4×6' for title in titles for place in places
  ]
  np.testing.assert_array_equal(bands[-1].boxes, boxes[images - 1])
  assert bands[0].chosen == [0, 3, 1, 2]


def test_the_lowest_seed_that_has_them(folder, drawn):
  (folder / 'at/seed0/classes.npz').unlink()
  (folder / 'at/seed1/classes.npz').write_bytes(b'PK no zip')
  assert 'Classes of student + AT, seed 2' in section_of(folder)
  page = (folder / 'report.md').read_text()
  assert 'at/seed1/classes.npz is damaged and left out' in page
  assert 'at/seed0/classes.npz' not in page


def test_without_gates_they_are_not_spoken_of(folder, drawn, monkeypatch):
  monkeypatch.setattr(gates, 'draw_gates', lambda *_: None)
  section = section_of(folder)
  assert 'classes_at.png' in section and 'ates of' not in section


def test_nothing_without_maps_of_classes(tmp_path, drawn):
  assert section_of(workdir(tmp_path / 'work')) == '' and drawn == {}

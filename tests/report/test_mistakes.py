"""Reports on the most confident mistakes."""

import numpy as np
import pytest
from report_workdir import workdir, write_mistakes

from at_jax import report
from at_jax.pictures import mistakes as pictures

NAMES = ['cat', 'dog', '<b>&']
SECTION = """
Mistakes of student + AT, seed 1:

![Mistakes of student + AT, seed 1](mistakes_at.png)

"""


@pytest.fixture
def drawn(monkeypatch, no_pictures):
  """{name of a picture: what is in it}, in place of pictures."""
  calls = {}
  monkeypatch.setattr(
    pictures, 'draw_mistakes', lambda path, *x: calls.update({path.name: x})
  )
  return calls


def page_of(folder):
  report.write_report(folder)
  return (folder / 'report.md').read_text()


def test_those_of_the_lowest_seed_that_has_some(tmp_path, drawn):
  folder = workdir(tmp_path)
  for seed in (1, 2):
    images = np.full((2, 8, 8, 1), seed, np.uint8)
    write_mistakes(folder / f'at/seed{seed}', NAMES, images=images)
  page = page_of(folder)
  section = page[page.index('## Most confident') : page.index('## Speed')]
  assert section.endswith(SECTION) and 'student alone' not in section
  assert list(drawn) == ['mistakes_at.png']
  images, true, predicted, probabilities = drawn['mistakes_at.png']
  assert images.shape == (2, 8, 8, 1) and (images == 1).all()
  assert (list(true), list(predicted)) == (['dog', '<b>&'], ['cat', 'dog'])
  np.testing.assert_array_equal(probabilities, np.float32([0.9, 0.75]))


def test_none_no_section(tmp_path, drawn):
  assert '## Most confident' not in page_of(workdir(tmp_path))


@pytest.mark.parametrize(
  'changes',
  [
    dict(images=np.zeros((3, 8, 8, 3), np.uint8)),
    dict(images=np.zeros((2, 8, 8, 3))),
    dict(labels=np.array([1, 3])),
    dict(probabilities=np.ones(1)),
    dict(class_names=np.array([], str)),
  ],
)
def test_damage_is_said_and_left_out(tmp_path, drawn, changes):
  folder = workdir(tmp_path)
  write_mistakes(folder / 'at/seed0', NAMES, **changes)
  page = page_of(folder)
  assert 'at/seed0/mistakes.npz is damaged and left out.' in page
  assert '## Most confident' not in page and not drawn

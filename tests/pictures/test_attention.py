"""attention.png: cosines against NumPy, and a page one can read."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import PIL.Image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from at_jax import pictures
from at_jax.pictures import attention
from at_jax.pictures.attention import Column
from at_jax.pictures.similarity import cosine

TAPS = ('group1', 'group2', 'group3')


def _maps(seed, size=8, n=5):
  rng = np.random.default_rng(seed)
  return {
    tap: rng.random((n, size >> i, size >> i), np.float32)
    for i, tap in enumerate(TAPS)
  }


def _columns(teacher=True, rows=5):
  target = _maps(0) if teacher else None
  columns = [Column('teacher', target)] if teacher else []
  columns += [Column('untrained student', _maps(1), target)]
  return columns + [
    Column(f'student + AT + KD {i}', _maps(2 + i), target) for i in range(rows)
  ]


def _page(size=32, channels=3, teacher=True, rows=5, **kwargs):
  images = np.random.default_rng(9).integers(
    0, 256, (5, size, size, channels), np.uint8
  )
  return attention.attention_figure(
    images,
    ['a rather long class name', *'bcde'],
    TAPS,
    _columns(teacher, rows),
    **kwargs,
  )


def _texts(figure):
  return [text.get_text() for text in figure.axes[0].texts]


def test_page_states_cosines_and_their_means_over_all_images():
  texts = _texts(_page(rows=1))
  for tap in TAPS:
    for maps in (_maps(1)[tap], _maps(2)[tap]):
      cosines = cosine(maps, _maps(0)[tap])
      assert f'mean cos {cosines.mean():.2f}' in texts
      for value in cosines[:4]:
        assert f'cos {value:.2f}' in texts
  assert sum(text.startswith('cos ') for text in texts) == 3 * 2 * 4
  assert 'group2 · 4×4' in texts


def test_without_a_teacher_there_are_no_cosines():
  texts = _texts(_page(teacher=False, rows=1))
  assert not [text for text in texts if 'cos' in text or 'teacher' in text]
  assert {'untrained', 'student'} <= set(texts)


def test_gradients_are_shown_with_their_signs():
  rng = np.random.default_rng(0)
  gradients = [rng.normal(size=(5, 8, 8, 3)) for _ in range(3)]
  gradients[0][0] = 0
  taps = [
    {'group1': _maps(i)['group1'], 'g': g} for i, g in enumerate(gradients)
  ]
  columns = [Column('teacher', taps[0])]
  columns += [Column('student', tap, taps[0]) for tap in taps[1:]]
  figure = attention.attention_figure(
    np.zeros((5, 8, 8, 3), np.uint8), 'abcde', ('group1', 'g'), columns
  )
  signed = [x for x in figure.axes[0].images if x.cmap.name == 'RdBu_r']
  assert len(signed) == 4 * 3
  shown = [x.get_array() for x in signed]
  assert not shown[0].any()
  for image in signed[1:]:
    low, high = image.get_clim()
    assert high == -low == np.abs(image.get_array()).max() > 0
  want = gradients[1][1].sum(-1) / np.linalg.norm(gradients[1][1])
  np.testing.assert_allclose(shown[4], want)
  texts = _texts(figure)
  assert texts.count('all zero') == 2
  assert f'cos {cosine(gradients[2], gradients[0])[3]:.2f}' in texts
  assert 'g · 8×8' in texts


def test_a_column_may_lack_a_tap():
  maps = _maps(1)
  del maps['group2']
  images = np.zeros((5, 8, 8, 1), np.uint8)
  figure = attention.attention_figure(
    images, 'abcde', TAPS, [Column('before', maps, _maps(0))]
  )
  assert _texts(figure).count('no map') == 4


@pytest.mark.parametrize(
  'size,channels,teacher,rows',
  [(8, 1, False, 1), (16, 1, True, 1), (32, 3, True, 5), (224, 3, True, 2)],
)
@pytest.mark.filterwarnings('error')
def test_page_is_portrait_and_small(size, channels, teacher, rows, tmp_path):
  figure = _page(size, channels, teacher, rows)
  path = pictures.save_png(figure, tmp_path / 'attention.png')
  with PIL.Image.open(path) as picture:
    assert picture.size[0] < picture.size[1] <= 1600
  assert path.stat().st_size < 700_000
  assert [p.name for p in tmp_path.iterdir()] == ['attention.png']


@pytest.mark.parametrize('rows', [0, 1, 5])
def test_no_texts_overlap(rows):
  figure = _page(rows=rows)
  FigureCanvasAgg(figure).draw()
  boxes = [t.get_window_extent() for t in figure.axes[0].texts]
  for i, box in enumerate(boxes):
    assert 0 <= box.x0 and box.x1 <= figure.bbox.width
    assert not [b for b in boxes[i + 1 :] if box.shrunk(1, 0.9).overlaps(b)]


def test_too_large_a_picture_is_drawn_smaller(tmp_path):
  figure = _page()
  path = pictures.save_png(figure, tmp_path / 'small.png', largest=400_000)
  assert path.stat().st_size <= 400_000


def test_pixels_are_let_go_at_once(tmp_path):
  figure = _page()
  panels = [weakref.ref(image) for image in figure.axes[0].images]
  gc.disable()  # which would find them in the end
  try:
    pictures.save_png(figure, tmp_path / 'a.png')
    canvas = weakref.ref(figure.canvas)
    assert panels and not any(panel() for panel in panels)
    assert not hasattr(canvas(), 'renderer')
  finally:
    gc.enable()


def test_unknown_letters_and_dollars_are_drawn_without_a_warning(tmp_path):
  images = np.zeros((1, 8, 8, 1), np.uint8)
  code_free = [Column('$x_ 飛行機', {'group1': np.ones((1, 2, 2))})]
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('PYTHONWARNINGS', 'error')
    path = attention.draw_attention(
      tmp_path / 'a.png', images, ['飛$'], ['group1'], code_free
    )
  assert path.is_file()


def test_pictures_need_no_pyplot_and_load_matplotlib_late():
  code = (
    'import sys, numpy as np, at_jax.pictures.curves as c\n'
    'assert "matplotlib" not in sys.modules\n'
    'c.curves_figure([])\n'
    'assert "matplotlib.pyplot" not in sys.modules\n'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


def test_columns_are_compared_with_their_own_target_alone():
  targets = _maps(0), _maps(9)
  columns = [Column('alone', _maps(1))]
  columns += [Column(f'{i}', _maps(2 + i), targets[i]) for i in (0, 1)]
  images = np.zeros((5, 8, 8, 1), np.uint8)
  texts = _texts(attention.attention_figure(images, 'abcde', TAPS, columns))
  means = [
    cosine(_maps(2 + i)[tap], targets[i][tap]).mean()
    for tap in TAPS
    for i in (0, 1)
  ]
  found = [text for text in texts if text.startswith('mean')]
  assert found == [f'mean cos {mean:.2f}' for mean in means]


def _crowd():
  """The paper's Table 1: sixteen rows, four teachers."""
  columns = []
  for k in range(4):
    target = _maps(k)
    label = f'WRN-40-{k} F-ActT'
    columns += [Column(label, _maps(20 + k), apart=k > 0)]
    columns += [Column(f'teacher WRN-40-{k}', target, apart=True)]
    columns += [Column('untrained student', _maps(9), target)]
    columns += [Column(f'{label} {i}', _maps(i), target) for i in range(3)]
  return columns


@pytest.mark.filterwarnings('error')
def test_a_crowded_page_is_readable_and_small(tmp_path):
  images = np.zeros((4, 32, 32, 3), np.uint8)
  figure = attention.attention_figure(
    images, ['aeroplane', *'bcd'], TAPS, _crowd(), shown=3
  )
  FigureCanvasAgg(figure).draw()
  texts = figure.axes[0].texts
  boxes = [t.get_window_extent() for t in texts]
  for i, box in enumerate(boxes):
    assert 0 <= box.x0 and box.x1 <= figure.bbox.width, texts[i].get_text()
    assert not [b for b in boxes[i + 1 :] if box.shrunk(1, 0.9).overlaps(b)]
  words = {text.get_text() for text in texts}
  assert {'teacher', 'WRN-40-1', 'untrained', 'student'} <= words
  assert min(text.get_fontsize() for text in texts) >= 5.5
  path = pictures.save_png(figure, tmp_path / 'attention.png')
  with PIL.Image.open(path) as picture:
    assert max(picture.size) <= 1600
  assert path.stat().st_size < 700_000


def test_groups_of_columns_stand_apart():
  images = np.zeros((1, 8, 8, 1), np.uint8)
  columns = [Column(f'{i}', _maps(i), apart=i == 2) for i in range(4)]
  figure = attention.attention_figure(images, 'a', TAPS, columns)
  titles = [t for t in figure.axes[0].texts if t.get_text() in '0123']
  gaps = np.diff([title.get_position()[0] for title in titles])
  np.testing.assert_allclose(gaps[0], gaps[2])
  np.testing.assert_allclose(gaps[1] - gaps[0], attention.APART)


def test_neighbouring_titles_and_captions_stand_in_one_line():
  figure = _page(rows=1)
  last = [
    text.get_position()[1]
    for text in figure.axes[0].texts
    if text.get_text() in ('image', 'teacher', 'student', '+ KD 0')
  ]
  assert len(last) == 4 and len(set(last)) == 1
  assert {text.get_va() for text in figure.axes[0].texts} == {'baseline'}

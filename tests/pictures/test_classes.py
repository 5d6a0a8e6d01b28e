"""Pages of classes: which array is drawn where, boxes, words."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from at_jax.pictures.classes import (
  bands_of,
  classes_figure,
  draw_classes,
  places_of,
)
from at_jax.pictures.numbers import span

NAMES = ('cat', 'dog', 'owl', 'eel', 'ant', 'bee')
HEIGHT, WIDTH = 24, 36
BOXES = np.array(
  [[6, 9, 18, 27, 1], [0, 0, 12, 6, 3], [4, 4, 90, 90, 2], [0, 0, 9, 9, -1]],
  np.float32,
)


def views(places=('group1',), size=(4, 6), shift=0.0):
  """Arrays of one image as `class_views` has them, in `space`."""
  rng, found = np.random.default_rng(0), {}
  for place in places:
    z = np.exp(rng.normal(0, 2, (*size, len(NAMES))))
    attention = z / z.sum((0, 1))
    scores = rng.normal(shift, 1, attention.shape)
    found |= {
      f'attention/{place}': attention,
      f'scores/{place}': scores,
      f'weighted/{place}': attention * scores,
      f'score/{place}': (attention * scores).sum((0, 1)),
    }
  return found


def bands(found=None, **changes):
  found = views() if found is None else found
  rng = np.random.default_rng(1)
  about = dict(
    image=rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
    chances=np.array([0.1, 0.625, 0.25, 0.03, 0.0, 0.9]),
    chosen=[1, 3],
    label=np.array([0, 1, 0, 0, 1, 0]),
    boxes=BOXES,
  )
  return bands_of('x.png', found, places_of(found), **about | changes)


def drawn(figure):
  FigureCanvasAgg(figure).draw()
  return figure.axes[0].images


def texts(figure):
  return [text.get_text() for text in figure.axes[0].texts]


def near(image, map_):
  """Whether a panel shows a map: it goes through the map's own values."""
  array = np.asarray(image.get_array())
  rows, columns = (
    np.int64((np.arange(n) + 0.5) * m / n)
    for n, m in zip(map_.shape, array.shape, strict=True)
  )
  got = array[np.ix_(rows, columns)]
  return np.corrcoef(got.ravel(), map_.ravel())[0, 1] > 0.95


def test_panels_draw_what_they_say():
  found = views()
  (band,) = bands(found)
  images = drawn(classes_figure([band], NAMES))
  # The image; for each class grey and A, grey and A sigmoid(S), S, M.
  assert len(images) == 1 + 2 * 6
  np.testing.assert_array_equal(images[0].get_array(), band.image)
  for i, k in enumerate(band.chosen):
    grey, a, again, seen, s, m = images[1 + 6 * i : 7 + 6 * i]
    attention, scores, weighted = (
      found[f'{part}/group1'][..., k]
      for part in ('attention', 'scores', 'weighted')
    )
    wanted = attention / (1 + np.exp(-scores))
    panels = zip(
      (a, seen, s, m), (attention, wanted, scores, weighted), strict=True
    )
    assert all(near(panel, map_) for panel, map_ in panels)
    for under in (grey, again):
      np.testing.assert_allclose(
        under.get_array(), np.rint(band.image.mean(-1)), atol=1
      )
    # Both are as bright as A would be: what S denies is dark.
    assert a.get_clim() == seen.get_clim() == (0, attention.max())
    for panel, map_ in ((s, scores), (m, weighted)):
      end = np.abs(map_).max()
      assert panel.get_clim() == pytest.approx((-end, end))
      assert panel.get_cmap().name == 'RdBu_r'


def test_numbers_and_titles():
  found = views()
  said = texts(classes_figure(bands(found), NAMES))
  assert said.count('x.png · group1 · 4×6') == 1
  # Half a per cent more than 0.62 is rounded to even.
  for text in (
    'probability 0.62 · present',
    'probability 0.03 · absent',
    'A over image',
    'A · sigmoid(S)',
    'S',
  ):
    assert text in said
  for k, name in ((1, 'dog'), (3, 'eel')):
    assert said.count(name) == 2  # over its panels, and at its box
    score = f'{found["score/group1"][k]:.2f}'.replace('-', '−')
    assert f'M, score {score}' in said
    map_ = found['attention/group1'][..., k]
    assert span(map_.min(), map_.max()) in said
    map_ = found['scores/group1'][..., k]
    assert span(map_.min(), map_.max()) in said


def test_labels_of_one_class_and_none():
  said = texts(classes_figure(bands(label=3), NAMES))
  assert 'probability 0.03 · present' in said
  assert 'probability 0.62 · absent' in said
  said = texts(classes_figure(bands(label=None, boxes=None), NAMES))
  assert 'probability 0.62' in said and 'probability 0.03' in said


def test_an_absent_class_has_a_spot_in_a_alone():
  """Whatever A shows, A sigmoid(S) is dark where S is far below 0."""
  found = views(shift=-9.0)
  _, _, a, _, seen, *_ = drawn(classes_figure(bands(found), NAMES))
  high = found['attention/group1'][..., 1].max()
  assert a.get_array().max() == pytest.approx(high, rel=0.02)
  assert seen.get_array().max() < 0.05 * high
  assert seen.get_clim()[1] == high


def test_scores_of_one_sign_keep_their_colours():
  images = drawn(classes_figure(bands(views(shift=9.0)), NAMES))
  assert images[5].get_array().min() > 0
  assert images[5].get_cmap().name == 'RdBu_r'


def test_boxes_stand_where_they_are():
  figure = classes_figure(bands(chosen=[2, 1]), NAMES)
  images = drawn(figure)
  # On the image one of each class, then that of a class on its four panels.
  patches = figure.axes[0].patches
  assert len(patches) == 10
  clipped = (4, 4, HEIGHT, WIDTH)
  owl = [(i, clipped, patches[i]) for i in (0, 1, 2, 3, 4)]
  dog = [(i, (6, 9, 18, 27), patches[i]) for i in (5, 6, 7, 8, 9)]
  panels = [images[k] for k in (0, 2, 4, 5, 6, 0, 8, 10, 11, 12)]
  for i, (y0, x0, y1, x1), patch in owl + dog:
    left, right, bottom, top = panels[i].get_extent()
    wide, tall = (right - left) / WIDTH, (bottom - top) / HEIGHT
    got = patch.get_x(), patch.get_y(), patch.get_width(), patch.get_height()
    want = left + x0 * wide, top + y0 * tall, (x1 - x0) * wide, (y1 - y0) * tall
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
  colours = [patch.get_edgecolor() for patch in patches]
  assert len({*colours[:5]}) == len({*colours[5:]}) == 1
  assert colours[0] != colours[5]


def test_panels_keep_the_proportions_of_the_image():
  for shape in ((24, 36, 1), (36, 24, 3)):
    image = np.zeros(shape, np.uint8)
    for panel in drawn(classes_figure(bands(image=image), NAMES)):
      left, right, bottom, top = panel.get_extent()
      ratio = (bottom - top) / (right - left)
      assert ratio == pytest.approx(shape[0] / shape[1])


def test_places_are_bands_and_many_classes_several_lines():
  found = views(('group1', 'group2'))
  made = bands(found, chosen=list(range(6)), boxes=None)
  figure = classes_figure(made, NAMES)
  images = drawn(figure)
  assert len(images) == 2 * (1 + 6 * 6)
  said = texts(figure)
  assert 'x.png · group1 · 4×6' in said and 'x.png · group2 · 4×6' in said
  assert near(images[37 + 2], found['attention/group2'][..., 0])
  # Four to a line, none over another, all on the page.
  corners = {tuple(np.round(i.get_extent()[::3], 4)) for i in images}
  assert len(corners) == 2 * (1 + 6 * 4)
  assert len({left for left, _ in corners}) == 1 + 2 * 4
  width, height = figure.get_size_inches()
  for image in images:
    left, right, bottom, top = image.get_extent()
    assert 0 <= left < right <= width and 0 <= top < bottom <= height


def test_without_element_attention_there_are_scores_alone():
  found = {
    name: map_ for name, map_ in views().items() if 'attention' not in name
  }
  figure = classes_figure(bands(found), NAMES)
  assert len(drawn(figure)) == 1 + 2 * 2
  assert 'A over image' not in texts(figure)


def test_nothing_to_see(tmp_path):
  """Even maps, dead scores, no class, one pixel; nothing is written twice."""
  even = {
    'attention/g': np.full((4, 4, 6), 1 / 16),
    'scores/g': np.zeros((4, 4, 6)),
    'weighted/g': np.zeros((4, 4, 6)),
  }
  figure = classes_figure(bands(even), NAMES)
  a = drawn(figure)[2]
  assert a.get_clim() == (0, 1 / 16)
  # Even is bright everywhere, at A's only value.
  np.testing.assert_allclose(a.get_array(), 1 / 16, rtol=1e-6)
  assert 'constant 0.0625' in texts(figure)
  assert 'constant 0' in texts(figure)
  dot = np.zeros((1, 1, 1), np.uint8)
  for name, changes in {
    'none': dict(chosen=[]),
    'dot': dict(image=dot),
  }.items():
    path = draw_classes(tmp_path / f'{name}.png', bands(even, **changes), NAMES)
    with Image.open(path) as picture:
      assert picture.size[0] > 400

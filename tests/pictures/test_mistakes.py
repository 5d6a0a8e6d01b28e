"""Pictures of mistakes: which image is where, and what stands below it."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from at_jax.pictures import mistakes
from at_jax.pictures.mistakes import mistakes_figure


def drawn(count, shape=(8, 8, 3), **changes):
  """The axes of a page of `count` images, image k being all 10 k."""
  images = np.stack([np.full(shape, 10 * k, np.uint8) for k in range(count)])
  found = dict(
    true=[f'true {k}' for k in range(count)],
    predicted=[f'taken {k}' for k in range(count)],
    probabilities=0.999 - np.arange(count) / 100,
  )
  figure = mistakes_figure(images, **(found | changes))
  FigureCanvasAgg(figure).draw()
  return figure.axes[0]


def middle(image):
  left, right, bottom, top = image.get_extent()
  return (left + right) / 2, (top + bottom) / 2


def test_a_name_stands_below_its_image():
  axes = drawn(7)
  said = {t.get_text(): t.get_position() for t in axes.texts}
  assert [int(np.max(i.get_array())) for i in axes.images] == [
    10 * k for k in range(7)
  ]
  for k, image in enumerate(axes.images):
    x, y = middle(image)
    for text in (f'true {k}', f'→ taken {k}, {99.9 - k:.1f} %'):
      at = said.pop(text)
      assert at[0] == pytest.approx(x) and 0 < at[1] - y < 1.4
  assert not said


def test_six_stand_in_a_line():
  places = [middle(image) for image in drawn(7).images]
  assert len({round(y, 3) for _, y in places[:6]}) == 1
  assert [x for x, _ in places[:6]] == sorted({x for x, _ in places[:6]})
  assert places[6][0] == places[0][0] and places[6][1] > places[0][1]


@pytest.mark.parametrize('shape', [(8, 8, 1), (16, 8, 3), (8, 16, 3)])
def test_proportions_are_kept(shape):
  (image,) = drawn(1, shape).images
  left, right, bottom, top = image.get_extent()
  assert (right - left) / (bottom - top) == pytest.approx(shape[1] / shape[0])


def test_long_names_keep_their_probability():
  name = 'a_name_that_is_much_longer_than_its_image'
  first, second = drawn(1, true=[name], predicted=[name]).texts
  assert first.get_text() == 'a_name_that_is_much_long…'
  assert second.get_text() == '→ a_name_that_is…, 99.9 %'


@pytest.mark.filterwarnings('error')
def test_a_picture_is_written(tmp_path):
  images = np.zeros((12, 32, 32, 3), np.uint8)
  path = mistakes.draw_mistakes(
    tmp_path / 'mistakes_at.png', images, ['$ a'] * 12, ['_b'] * 12, [1.0] * 12
  )
  with Image.open(path) as picture:
    assert max(picture.size) <= 1600
  assert [p.name for p in tmp_path.iterdir()] == ['mistakes_at.png']

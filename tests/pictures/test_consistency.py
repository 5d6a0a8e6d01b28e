"""Features beside maps: rows are images, columns pairs."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from at_jax.pictures.consistency import consistency_figure, draw_consistency


def case():
  rng = np.random.default_rng(0)
  images = [
    rng.integers(0, 256, shape, dtype=np.uint8)
    for shape in ((8, 12, 3), (9, 6, 3))
  ]
  pairs = {
    k: tuple(rng.uniform(low, low + 1, (2, 4, 4)) for low in (k, -k))
    for k in (3, 11)
  }
  return images, pairs


def test_every_array_in_its_row_and_column():
  images, pairs = case()
  figure = consistency_figure(images, ['one', 'two'], pairs)
  FigureCanvasAgg(figure).draw()
  drawn = figure.axes[0].images
  assert len(drawn) == 2 * (1 + 4)
  for k in range(2):
    own = drawn[5 * k : 5 * k + 5]
    np.testing.assert_array_equal(own[0].get_array(), images[k])
    lefts = [one.get_extent()[0] for one in own]
    assert lefts == sorted(lefts)
    maps = [array[k] for pair in pairs.values() for array in pair]
    for one, map_ in zip(own[1:], maps, strict=True):
      assert one.get_clim() == (map_.min(), map_.max())
  assert drawn[5].get_extent()[3] > drawn[4].get_extent()[2]
  said = [text.get_text() for text in figure.axes[0].texts]
  assert said[:5] == [
    'image',
    'X, channel 3',
    'M, channel 3',
    'X, channel 11',
    'M, channel 11',
  ]
  assert 'one' in said and 'two' in said


def test_one_pixel_and_a_long_name(tmp_path):
  path = draw_consistency(
    tmp_path / 'x.png',
    [np.zeros((1, 1, 1), np.uint8)],
    ['a_very_long_name_of_a_photo_that_does_not_fit_at_all.jpg'],
    {0: (np.zeros((1, 1, 1)),) * 2},
  )
  with Image.open(path) as picture:
    assert picture.size[0] > 300

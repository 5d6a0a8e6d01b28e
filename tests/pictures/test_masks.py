"""Mask pictures: which array is drawn where, on which scale."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from at_jax.pictures import masks
from at_jax.pictures.masks import Band, darkened, limits, masks_figure
from at_jax.pictures.numbers import span
from at_jax.pictures.responses import relative, responses_figure

PARTS = ('trunk', 'mask', 'product', 'fused', 'active')


def band(seed=0, n=2, size=(4, 6), low=0.0):
  rng = np.random.default_rng(seed)
  maps = {part: rng.uniform(low, 1, (n, *size)) for part in PARTS}
  return Band(f'group{seed}/module1', maps)


def images(n=2, shape=(8, 12, 3)):
  rng = np.random.default_rng(5)
  return rng.integers(0, 256, (n, *shape), dtype=np.uint8)


def texts(figure):
  return [text.get_text() for text in figure.axes[0].texts]


def test_titles_and_numbers_under_every_panel():
  bands = [band(1), band(2)]
  said = texts(masks_figure(images(), ['cat', 'dog'], bands))
  for title in ('image', 'T, before', 'mask M', 'image × M', 'M over image'):
    assert title in said
  assert 'group1/module1' in said and said.count('cat') == 2
  for one in bands:
    for part, times in (('trunk', 1), ('mask', 3), ('fused', 1)):
      for k in range(2):
        low, high = one.maps[part][k].min(), one.maps[part][k].max()
        assert said.count(f'{low:.2g} … {high:.2g}') >= times


def test_panels_draw_what_they_say():
  one = band(0, n=1)
  one.maps['trunk'][:] -= 5
  figure = masks_figure(images(1), ['x'], [one])
  FigureCanvasAgg(figure).draw()
  drawn = [image.get_array() for image in figure.axes[0].images]
  # Image, T, M, image x M, grey image and M over it, M T, H, active.
  assert len(drawn) == 9
  trunk, mask, dark, grey, over = drawn[1:6]
  assert trunk.max() <= -4 and trunk.min() >= -5
  np.testing.assert_array_equal(mask, over)
  assert dark.shape[:2] == (256, 384) and grey.ndim == 2
  assert figure.axes[0].images[5].get_alpha() == pytest.approx(0.55)


def test_own_scales_and_one_for_all_bands():
  maps = np.array([[[0.0, 1.0]], [[4.0, 6.0]]])
  bands = [Band('a', {'mask': maps}), Band('b', {'mask': maps - 3})]
  assert limits(bands, 'mask', maps[1], 'own') == (4, 6)
  assert limits(bands, 'mask', maps[1], 'shared') == (-3, 6)
  # Other parts, and bands without this one, have no say.
  bands[0].maps['trunk'] = maps * 100
  bands.append(Band('c', {'trunk': maps}))
  assert limits(bands, 'mask', maps[0], 'shared') == (-3, 6)
  with pytest.raises(ValueError, match="Unknown scale 'mine'.*own, shared"):
    masks_figure(images(1), ['x'], [band(n=1)], scale='mine')


def test_shared_scales_stand_over_columns_and_own_values_below():
  bands = [band(0), band(1, low=-0.5)]
  figure = masks_figure(images(), 'ab', bands, scale='shared')
  said = texts(figure)
  assert said.count('one scale:') == 7
  both = np.stack([one.maps['mask'] for one in bands])
  first = min(text.get_position()[1] for text in figure.axes[0].texts[-5:])
  heads = [
    text.get_text()
    for text in figure.axes[0].texts
    if text.get_text() == span(both.min(), both.max())
    and text.get_position()[1] < first
  ]
  assert len(heads) >= 3
  for one in bands:
    for map_ in one.maps['mask']:
      assert said.count(span(map_.min(), map_.max())) >= 3
  said = texts(masks_figure(images(), 'ab', bands))
  assert 'one scale:' not in said


def test_a_constant_mask_is_neither_open_nor_closed():
  step = np.nextafter(np.float32(1), np.float32(0))
  for low, high in ((step, 1.0), (0.37, 0.37)):
    mask = np.full((1, 4, 6), high, np.float32)
    mask[0, 0, 0] = low
    image = images(1)
    figure = masks_figure(image, ['x'], [Band('a', {'mask': mask})])
    FigureCanvasAgg(figure).draw()
    # The image, M, image x M, grey and M over it.
    _, alone, dark, _, over = figure.axes[0].images
    for shown in (alone, over):
      colours = shown.cmap(shown.norm(shown.get_array()))[..., :3]
      np.testing.assert_allclose(colours, 0.5, atol=0.01)
    np.testing.assert_array_equal(dark.get_array()[::32, ::32], image[0])
    assert texts(figure).count(f'constant {high:g}') == 3


@pytest.mark.parametrize('scale', ['own', 'shared'])
def test_no_texts_overlap(scale):
  bands = [band(k, n=3) for k in range(6)]
  for k, one in enumerate(bands):
    for map_ in one.maps.values():
      map_ *= -8.7e-5
      map_ -= (k + 1) * 1.7e-5
  names = ['IMG_20240101_123456_a_long_name.jpg', *'bc']
  figure = masks_figure(images(3), names, bands, scale=scale)
  FigureCanvasAgg(figure).draw()
  assert min(text.get_fontsize() for text in figure.axes[0].texts) > 5
  boxes = [t.get_window_extent() for t in figure.axes[0].texts]
  for i, box in enumerate(boxes):
    assert 0 <= box.x0 and box.x1 <= figure.bbox.width
    assert not [b for b in boxes[i + 1 :] if box.shrunk(1, 0.9).overlaps(b)]


def test_darkened_is_the_image_times_the_mask():
  image = np.full((2, 4, 3), 200, np.uint8)
  mask = np.array([[0.2, 0.2], [0.6, 0.6]])
  dark = darkened(image, mask, 0.2, 0.6)
  assert dark.shape == (256, 512, 3) and dark.dtype == np.uint8
  assert np.all(dark[0] == 0) and np.all(dark[-1] == 200)
  assert np.all(np.diff(dark[:, 0, 0].astype(int)) >= 0)
  np.testing.assert_array_equal(darkened(image, mask, 0.5, 0.5), 200)
  np.testing.assert_array_equal(darkened(image, mask, 0.0, 0.1), 200)
  grey = darkened(image[..., :1], mask, 0.2, 0.6)
  np.testing.assert_array_equal(grey, dark)


def test_small_images_keep_their_pixels():
  image = np.zeros((2, 2, 3), np.uint8)
  image[0, 0] = 255
  dark = darkened(image, np.ones((2, 2)), 0.0, 1.0)
  assert np.all(dark[:128, :128] == 255) and np.all(dark[128:] == 0)


def test_a_mask_with_signs_has_a_scale_with_signs():
  signed = band(0, n=1, low=-1.0)
  figure = masks_figure(images(1), ['x'], [signed])
  shown = figure.axes[0].images[2]
  end = np.abs(signed.maps['mask']).max()
  assert shown.get_cmap().name == 'RdBu_r'
  assert shown.get_clim() == pytest.approx((-end, end))
  # Features may be signed, too, and keep their colours.
  assert figure.axes[0].images[1].get_cmap().name == 'viridis'
  assert any('−' in text for text in texts(figure))


def test_constant_and_single_pixel_maps(tmp_path):
  flat = Band('x', {part: np.zeros((1, 1, 1)) for part in PARTS})
  path = masks.draw_masks(tmp_path / 'm.png', images(1), ['x'], [flat])
  with Image.open(path) as picture:
    assert picture.size[0] > 500


def test_missing_parts_have_no_column():
  few = Band('x', {'mask': np.ones((1, 2, 2))})
  said = texts(masks_figure(images(1), ['x'], [few]))
  assert 'mask M' in said and 'T, before' not in said


def test_a_stage_above_the_first_has_room_for_its_marker():
  for second in (4.0, 4.04, 40.0):
    found = {'at': {'group1': 4.0, 'group2': second}}
    low, high = responses_figure(found).axes[0].get_ylim()
    assert low == 0 and high == pytest.approx(1.05 * second / 4.0)
  nothing = {'at': {'group1': 0.0, 'group2': 0.0}}
  assert responses_figure(nothing).axes[0].get_ylim()[1] > 0


def test_responses():
  found = {'a': {'group1': 4.0, 'group2': 1.0}, 'b': {'group1': 0.0}}
  assert relative(found['a']) == {'group1': 1.0, 'group2': 0.25}
  assert relative(found['b']) == {'group1': 0.0} and relative({}) == {}
  axes = responses_figure(found).axes[0]
  first = axes.lines[0]
  assert list(first.get_xdata()) == [0, 1]
  assert list(first.get_ydata()) == [1.0, 0.25]
  labels = [tick.get_text() for tick in axes.get_xticklabels()]
  assert labels == ['group1', 'group2']

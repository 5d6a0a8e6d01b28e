"""Maps side by side: which array is drawn where, on which scale."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from at_jax.pictures.cells import COLOUR_MAP, SIGNED
from at_jax.pictures.maps import Band, Column, draw_maps, limits, maps_figure

IMAGE = np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3)


def column(title='student', seed=0, image=IMAGE, names=('group1',), **kwargs):
  rng = np.random.default_rng(seed)
  maps = {name: rng.uniform(0.25, 4, (128, 192)) for name in names}
  return Column(title, f'cat (0.{seed}5)', image, maps, **kwargs)


def drawn(figure):
  FigureCanvasAgg(figure).draw()
  return figure.axes[0].images


def texts(figure):
  return [text.get_text() for text in figure.axes[0].texts]


def test_arrays_stand_where_they_should():
  columns = [column(seed=1), column('teacher', 2)]
  figure = maps_figure('x.jpg', [Band('group1')], columns)
  image, grey, left, other_grey, right = drawn(figure)
  np.testing.assert_array_equal(image.get_array(), IMAGE)
  want = np.rint(IMAGE.mean(axis=-1))
  for under in (grey, other_grey):
    np.testing.assert_array_equal(under.get_array(), want)
  for heat, one in ((left, columns[0]), (right, columns[1])):
    # As large as it is drawn, so that nothing is interpolated.
    np.testing.assert_allclose(heat.get_array(), one.maps['group1'], atol=1e-5)
    assert heat.cmap.name == COLOUR_MAP and heat.get_alpha() == 0.55
  boxes = [np.array(x.get_extent()) for x in (image, left, right)]
  assert boxes[0][1] < boxes[1][0] and boxes[1][1] < boxes[2][0]
  for box in boxes:
    wide, tall = box[1] - box[0], box[2] - box[3]
    assert wide / tall == pytest.approx(12 / 8)
    assert (box[2:] == boxes[0][2:]).all()


def test_every_style_of_every_band():
  bands = [Band('group1', ('overlay', 'heat', 'dark')), Band('group2')]
  one = column(names=('group1', 'group2'), seed=3)
  one.maps['group1'] = np.repeat([[-1.0], [3.0]], 64, axis=0)
  figure = maps_figure('x', bands, [one])
  images = drawn(figure)
  # The image; grey, heat; heat; dark; of the second band grey, heat.
  assert len(images) == 7
  np.testing.assert_array_equal(images[2].get_array(), images[3].get_array())
  assert images[3].get_alpha() is None
  dark = images[4].get_array()
  assert not dark[: len(dark) // 3].any()
  np.testing.assert_array_equal(dark[-1, -1], IMAGE[-1, -1])
  tops = [image.get_extent()[3] for image in images]
  assert tops[5] == tops[6] > tops[1] == tops[4]


def test_signed_is_symmetric_and_white_at_zero():
  one = column()
  one.maps['group1'][:] = 0.5
  one.maps['group1'][:9] = -2
  both = Band('group1', ('signed',)), Band('zero', ('signed',))
  one.maps['zero'] = np.zeros((4, 4))
  figure = maps_figure('x', both, [one])
  _, heat, zero = drawn(figure)
  assert heat.cmap.name == SIGNED and heat.get_clim() == (-2, 2)
  np.testing.assert_allclose(zero.cmap(zero.norm(0.0))[:3], 0.965, atol=0.01)
  assert {'−2 … 2', 'constant 0'} <= {*texts(figure)}
  one.maps['zero'][:] = -2
  assert 'constant −2' in texts(maps_figure('x', both, [one]))


def test_scales_own_shared_and_cut():
  one, two = column(), column()
  one.maps['group1'] = np.array([[1.0, 2.0]])
  two.maps['group1'] = np.array([[-5.0, 100.0]])
  band = Band('group1')
  assert limits([one, two], band, one, 'own') == (1, 2)
  assert limits([one, two], band, one, 'shared') == (-5, 100)
  cut = Band('group1', ('signed',), shown=50)
  assert limits([one, two], cut, two, 'own') == (-5, 52.5)
  assert limits([one, two], cut, one, 'own') == (1, 1.5)
  assert limits([one], Band('none'), one, 'own') == (0, 0)


def test_a_shared_scale_stands_over_the_band_and_own_values_below():
  one, two = column(), column()
  one.maps['group1'] = np.array([[1.0, 2.0]])
  two.maps['group1'] = np.array([[-5.0, 100.0]])
  styles = ('overlay', 'heat', 'dark')
  figure = maps_figure(
    'x', [Band('group1', styles)], [one, two], scale='shared'
  )
  said = texts(figure)
  assert said.count('group1 · 1×2 · one scale, −5 … 100') == 1
  assert said.count('1 … 2') == said.count('−5 … 100') == 3
  # The image, then for each network grey and its overlay, heat, dark.
  images = drawn(figure)
  heats = [images[i] for i in (2, 3, 6, 7)]
  assert {heat.get_clim() for heat in heats} == {(-5, 100)}
  signed = Band('group1', ('signed',), shown=50), Band('none')
  said = texts(maps_figure('x', signed, [one, two], scale='shared'))
  # Beyond the half of all values that are within the scale.
  assert 'group1 · 1×2 · one scale, −52 … 52' in said
  assert '−5 … 100' in said and '1 … 2' in said
  own = texts(maps_figure('x', signed, [one, two]))
  assert not [text for text in own if 'scale' in text]
  assert '−52 … 52' in own and '−1.5 … 1.5' in own


def test_a_constant_map_is_grey_and_leaves_the_image():
  one, two = column(), column()
  one.maps['group1'] = np.nextafter([[1, 2]], 0, dtype=np.float32) * [[1, 0.5]]
  one.maps['group1'][0, 0] = 1
  two.maps['group1'] = np.array([[0.0, 2.0]])
  bands = [Band('group1', ('overlay', 'heat', 'dark'))]
  figure = maps_figure('x', bands, [one])
  _, _, overlay, heat, dark = drawn(figure)
  for image in (overlay, heat):
    colours = image.cmap(image.norm(image.get_array()))[..., :3]
    np.testing.assert_allclose(colours, 0.5, atol=0.01)
  np.testing.assert_array_equal(dark.get_array()[::32, ::32], IMAGE)
  assert texts(figure).count('constant 1') == 3
  # On a scale with others its value has a colour.
  figure = maps_figure('x', bands, [one, two], scale='shared')
  heat, dark = drawn(figure)[3:5]
  assert heat.cmap.name == COLOUR_MAP and heat.get_clim() == (0, 2)
  half = np.rint(IMAGE / 2)
  np.testing.assert_allclose(dark.get_array()[::32, ::32], half, atol=1)
  assert texts(figure).count('constant 1') == 3


@pytest.mark.parametrize('scale', ['own', 'shared'])
@pytest.mark.parametrize('shape', [(8, 8, 1), (24, 8, 3)])
def test_neighbouring_numbers_do_not_overlap(scale, shape):
  image = np.zeros(shape, np.uint8)
  columns = [column(f'{i}', i, image) for i in range(5)]
  for i, one in enumerate(columns):
    one.maps['group1'] = np.array([[-4.7e-6, -1.7e-5 - i * 1e-7], [-9e-5, 0]])
    one.maps['group1'][1, 1] = -8.68e-7
  bands = [Band('group1', ('overlay', 'heat', 'dark'))]
  figure = maps_figure('x', bands, columns, scale=scale)
  drawn(figure)
  shown = [t for t in figure.axes[0].texts if '…' in t.get_text()]
  boxes = [text.get_window_extent() for text in shown]
  assert len(shown) == 15 + (scale == 'shared')
  for i, box in enumerate(boxes):
    assert not [b for b in boxes[i + 1 :] if box.overlaps(b)]
    assert 0 < box.x0 and box.x1 < figure.bbox.width
  # Narrow as the images may be, the numbers can be read.
  assert min(text.get_fontsize() for text in shown) > 5


def test_the_head_of_a_band_fits_a_narrow_page():
  one = column(names=('group3/block1/active/sum_pow4 of all places',))
  bands = [Band(*one.maps)]
  figure = maps_figure('x', bands, [one], scale='shared', most=0.85)
  drawn(figure)
  (head,) = [t for t in figure.axes[0].texts if 'one scale' in t.get_text()]
  assert head.get_window_extent().x1 < figure.bbox.width


def test_words():
  small = np.zeros((4, 4, 1), np.uint8)
  columns = [
    column(names=('group1', 'b'), notes={'group1': 'cos 0.25'}),
    column('the teacher', 1, small, ('b',)),
  ]
  columns[1].maps['b'] = np.zeros((2, 3))
  figure = maps_figure('a $ photo', [Band('group1'), Band('b')], columns)
  said = texts(figure)
  drawn(figure)
  for text in (
    'a \\$ photo',
    'student',
    'the teacher',
    'cat (0.05)',
    'cat (0.15)',
    'sees 8×12 pixels',
    'sees 4×4 pixels',
    '8×12 pixels',
    'group1 · 128×192',
    'b · 128×192, 2×3',
    'cos 0.25',
    'no map',
  ):
    assert said.count(text) == 1, (text, said)
  said = texts(maps_figure('x', [Band('b')], columns[1:]))
  assert not [text for text in said if text.startswith('sees')]


def test_many_networks_and_one_pixel(tmp_path):
  dot = np.zeros((1, 1, 3), np.uint8)
  columns = [column(f'{i}' * 90, i, dot, ('a',)) for i in range(9)]
  for one in columns:
    one.maps['a'] = np.ones((1, 1))
  bands = [Band('a', ('overlay', 'heat', 'dark', 'signed'))]
  path = draw_maps(tmp_path / 'x.png', 'x', bands, columns)
  assert path.read_bytes().startswith(b'\x89PNG')


def test_unknown_words():
  with pytest.raises(ValueError, match="Unknown scale 'shard'.*'shared'"):
    maps_figure('x', [Band('group1')], [column()], scale='shard')
  with pytest.raises(ValueError, match="Unknown style 'hat'.*'heat'"):
    maps_figure('x', [Band('group1', ('hat',))], [column()])

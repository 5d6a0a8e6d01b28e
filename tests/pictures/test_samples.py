"""Pictures of sampling: which array is drawn where, arrows, lattices."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from at_jax import _densities
from at_jax.pictures import samples
from at_jax.pictures.samples import Axis, Samples, every, samples_figure
from at_jax.sampler import sample_positions

HEIGHT, WIDTH, OUT = 48, 72, 32


def axes_of(map_, rule='centre', size=(HEIGHT, WIDTH), out=OUT):
  """An `Axis` of rows and one of columns, of a map `[h, w]`."""
  maps = np.asarray(map_, np.float32)[None]
  positions = sample_positions(maps, size, (out, out), rule=rule)
  settings = dict(image_size=size, joint=True, marginal='max')
  read = _densities.densities
  marginals = read(maps, 4.0, 1e-6, iters=0, **settings)
  densities = read(maps, 4.0, 1e-6, iters=5, **settings)
  made = []
  for marginal, density, at in zip(
    marginals, densities, positions, strict=True
  ):
    weights, half = _densities.cumulated(density, rule)
    edges = np.arange(weights.shape[1]) - half
    total = max(float(weights[0, -1]), 1e-30)
    found = (marginal[0], density[0], edges, weights[0] / total, at[0])
    made.append(Axis(*map(np.asarray, found)))
  return made


def spot(h=6, w=9):
  map_ = np.full((h, w), 0.05)
  map_[2, 5] = 1.0
  return map_


def page(map_=None, channels=(7, 2), shape=(HEIGHT, WIDTH, 3), **kwargs):
  rng = np.random.default_rng(0)

  def picture(*shape):
    return rng.integers(0, 256, shape, dtype=np.uint8)

  map_ = spot() if map_ is None else map_
  rows, columns = axes_of(map_, size=shape[:2], **kwargs)
  return Samples(
    image=picture(*shape),
    title='x.jpg',
    structure_map=map_,
    structure=picture(OUT, OUT, shape[2]),
    channel_maps={k: rng.uniform(k, k + 0.5, (6, 9)) for k in channels},
    details={k: picture(OUT, OUT, shape[2]) for k in channels},
    rows=rows,
    columns=columns,
  )


def drawn(figure):
  FigureCanvasAgg(figure).draw()
  return figure.axes[0].images


def lattice(figure):
  """Where the lattice's lines are, of rows and of columns."""
  lines = figure.axes[1].collections
  rows, columns = (np.stack(one.get_segments()) for one in lines)
  assert np.ptp(rows[..., 1], axis=1).max() == 0
  assert np.ptp(columns[..., 0], axis=1).max() == 0
  return rows[:, 0, 1], columns[:, 0, 0]


def test_panels_draw_what_they_say():
  shown = page()
  figure = samples_figure(shown)
  images = [one.get_array() for one in drawn(figure)]
  # Image, grey for the lattice, grey and map, structure; grey, map, detail of
  # each channel.
  assert len(images) == 5 + 2 * 3
  np.testing.assert_array_equal(images[0], shown.image)
  np.testing.assert_array_equal(images[4], shown.structure)
  for i, channel in enumerate((7, 2)):
    under, map_, detail = images[5 + 3 * i : 8 + 3 * i]
    np.testing.assert_array_equal(detail, shown.details[channel])
    np.testing.assert_array_equal(under, images[1])
    ends = shown.channel_maps[channel].min(), shown.channel_maps[channel].max()
    assert map_.min() >= ends[0] and map_.max() <= ends[1]
  said = [text.get_text() for text in figure.axes[0].texts]
  for text in ('x.jpg', 'image', 'structure image', 'channel 2: detail image'):
    assert said.count(text) == 1
  assert said.count('48×72 pixels') == 2 and said.count('32×32 pixels') == 3
  map_ = shown.channel_maps[7]
  assert f'{map_.min():.2g} … {map_.max():.2g}' in said


def test_cells_keep_the_proportions_of_what_they_show():
  for shape in ((24, 36, 3), (36, 24, 1)):
    images = drawn(samples_figure(page(shape=shape)))
    for image, (height, width) in ((images[0], shape[:2]), (images[4], (1, 1))):
      left, right, bottom, top = image.get_extent()
      ratio = (bottom - top) / (right - left)
      assert ratio == pytest.approx(height / width)


def test_lattice_lines_are_at_the_positions():
  shown = page()
  rows, columns = sample_positions(
    spot()[None].astype(np.float32), (HEIGHT, WIDTH), (OUT, OUT)
  )
  figure = samples_figure(shown)
  got = lattice(figure)
  np.testing.assert_allclose(got[0], rows[0][1::2], rtol=1e-6)
  np.testing.assert_allclose(got[1], columns[0][1::2], rtol=1e-6)
  # In pixels, and over the image that stands below it.
  axes, page_ = figure.axes[1], figure.axes[0]
  assert axes.get_xlim() == (-0.5, WIDTH - 0.5)
  assert axes.get_ylim() == (HEIGHT - 0.5, -0.5)
  left, right, bottom, top = drawn(figure)[1].get_extent()
  corners = page_.transData.transform([(left, bottom), (right, top)])
  box = axes.get_window_extent()
  np.testing.assert_allclose(corners, box.get_points(), rtol=1e-4)


def test_an_even_map_has_a_regular_lattice():
  rows, columns = lattice(samples_figure(page(np.ones((6, 9)))))
  np.testing.assert_allclose(np.diff(rows), 2 * HEIGHT / OUT, rtol=1e-4)
  np.testing.assert_allclose(np.diff(columns), 2 * WIDTH / OUT, rtol=1e-4)
  assert rows[0] == pytest.approx(1.5 * HEIGHT / OUT - 0.5)


@pytest.mark.parametrize('count', [1, 2, 8, 16, 31, 224, 336])
def test_about_sixteen_lines(count):
  chosen = every(count)
  assert min(count, 16) * 0.6 <= len(chosen) <= 23
  assert len(set(np.diff(chosen))) <= 1 and chosen[-1] < count
  # As far from one end as from the other, but for one.
  assert abs(chosen[0] - (count - 1 - chosen[-1])) <= max(1, count // 16)


@pytest.mark.parametrize('rule', ['centre', 'pt'])
def test_arrows_lead_from_equal_shares_to_the_positions(rule):
  shown = page(rule=rule)
  figure = samples_figure(shown)
  for axes, axis in (
    (figure.axes[3], shown.rows),
    (figure.axes[5], shown.columns),
  ):
    *arrows, heads, curve = axes.lines
    np.testing.assert_array_equal(curve.get_xdata(), axis.edges)
    np.testing.assert_array_equal(curve.get_ydata(), axis.cumulated)
    assert len(arrows) == 16
    np.testing.assert_array_equal(heads.get_xdata(), axis.positions[1::2])
    xs = np.stack([arrow.get_xdata() for arrow in arrows])
    ys = np.stack([arrow.get_ydata() for arrow in arrows])
    np.testing.assert_array_equal(xs[:, 0], -0.5)
    np.testing.assert_array_equal(
      xs[:, 1:], axis.positions[1::2, None] + [0, 0]
    )
    np.testing.assert_array_equal(ys[:, 0], ys[:, 1])
    np.testing.assert_array_equal(ys[:, 2], 0)
    half = 0.5 if rule == 'centre' else 0.0
    shares = (np.arange(1, OUT, 2) + half) / OUT
    np.testing.assert_allclose(ys[:, 0], shares, atol=1e-4)


def test_densities_before_and_after_the_cap():
  shown = page()
  figure = samples_figure(shown)
  for axes, axis in (
    (figure.axes[2], shown.rows),
    (figure.axes[4], shown.columns),
  ):
    capped, marginal = axes.patches
    np.testing.assert_array_equal(capped.get_data().values, axis.density)
    np.testing.assert_array_equal(marginal.get_data().values, axis.marginal)
    high = axis.marginal.max()
    assert f'… {high:.2g}, capped' in axes.get_title('left')
  assert figure.axes[2].get_title('left').startswith('rows: marginal')
  assert figure.axes[5].get_xlabel().startswith('column of the image')
  # One capped at the other: the cap can be seen.
  assert shown.columns.marginal.max() > 1.2 * shown.columns.density.max()


def test_no_channels_one_pixel_and_many_channels(tmp_path):
  for name, shown in {
    'none': page(channels=()),
    'dot': page(np.zeros((1, 1)), shape=(1, 1, 1), out=1),
    'pt': page(np.ones((1, 1)), shape=(1, 1, 3), rule='pt'),
    'many': page(channels=range(9)),
  }.items():
    path = samples.draw_samples(tmp_path / f'{name}.png', shown)
    with Image.open(path) as picture:
      assert 900 < picture.size[0] < 1650

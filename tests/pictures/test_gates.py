"""Pictures of gates: what is counted, what is a mean over images."""

import numpy as np

from at_jax.pictures import gates
from at_jax.pictures.gates import draw_gates, gates_figure, spread


def gate_views(classes=3, count=4):
  rng = np.random.default_rng(0)
  return {
    'gate/g1': rng.uniform(0, 1, (count, 8)),
    'gate/g2': np.full((count, 5), 0.5),
    'scale': rng.uniform(0, 1, (count, 2, classes)),
  }


def test_gates_of_channels_are_counted():
  found = gate_views()
  channels = {'g1': found['gate/g1'], 'g2': found['gate/g2']}
  figure = gates_figure(channels, None, (), 'abc')
  for axes, gates_ in zip(figure.axes, channels.values(), strict=True):
    heights = [bar.get_height() for bar in axes.patches]
    wanted, _ = np.histogram(gates_, np.linspace(0, 1, gates.BINS + 1))
    np.testing.assert_allclose(heights, 100 * wanted / gates_.size)
  title = figure.axes[1].get_title()
  assert title.startswith('g2: 5 channels, 4 images\nmean 0.50, sd over')
  assert title.endswith('channels 0, over images 0')
  # Channels that differ, images that do not; and the other way round.
  apart = np.array([[0.0, 1.0], [0.0, 1.0]])
  assert spread(apart) == (0.5, 0.0) and spread(apart.T) == (0.0, 0.5)


def test_gates_of_scales_are_means_over_images():
  scale = gate_views()['scale']
  figure = gates_figure({}, scale, ('g1', 'g2'), ('cat', 'dog', 'owl'))
  heat = figure.axes[0]
  np.testing.assert_allclose(heat.images[0].get_array(), scale.mean(0))
  assert heat.images[0].get_clim() == (0, 1)
  assert [t.get_text() for t in heat.get_xticklabels()] == ['cat', 'dog', 'owl']
  assert [t.get_text() for t in heat.get_yticklabels()] == ['g1', 'g2']
  said = {t.get_position(): t.get_text() for t in heat.texts}
  of = scale[:, 1, 2]
  assert said[2, 1] == f'{of.mean():.2f}\n± {of.std():.2f}'
  # Many columns: the deviations have a heat map of their own.
  scale = gate_views(classes=30)['scale']
  figure = gates_figure({}, scale, ('g1', 'g2'), ('cat', 'dog', 'owl'))
  heats = [axes for axes in figure.axes if axes.get_title()]
  for axes, values in zip(heats, (scale.mean(0), scale.std(0)), strict=True):
    np.testing.assert_allclose(axes.images[0].get_array(), values)
    assert axes.get_xlabel() == 'channel' and not axes.texts


def test_scales_are_called_as_their_places(tmp_path, monkeypatch):
  seen = {}

  def figure(channels, scale, scales, names):
    seen.update(channels=[*channels], scales=scales)
    return gates_figure(channels, scale, scales, names)

  monkeypatch.setattr(gates, 'gates_figure', figure)
  found, path = gate_views(), tmp_path / 'gates.png'
  assert draw_gates(path, found, 'abc') == path and path.exists()
  assert seen == dict(channels=['g1', 'g2'], scales=['g1', 'g2'])
  scale = found['scale']
  draw_gates(path, {'scale': scale, 'scores/a': 0, 'scores/b': 0}, 'abc')
  assert seen == dict(channels=[], scales=['a', 'b'])
  draw_gates(path, {'scale': scale, 'scores/fused': 0}, 'abc')
  assert seen['scales'] == ['scale 1', 'scale 2']
  assert draw_gates(path, {'scores/a': 0}, 'abc') is None

"""What pictures of sampling are made of: the network's own arrays."""

import jax
import numpy as np
import pytest
from small_networks import (
  random_split,
  tasn_network,
  tiny_network,
  variables_of,
)

from at_jax.data.augment import normalise
from at_jax.sampler import sample_positions
from at_jax.train.samples import (
  check_samples,
  detail_views,
  structure_views,
)

IMAGES = random_split(2, (24, 20, 3))['image']
SETTINGS = (
  {},
  dict(sampler='uniform', rule='pt'),
  dict(rule='pt', align_corners=True, detail_floor=0.5, joint=False, power=2.0),
)


@pytest.mark.parametrize('settings', SETTINGS, ids=['cdf', 'uniform', 'pt'])
def test_views_are_those_of_the_network(settings):
  network = tasn_network(**settings)
  variables = variables_of(network, 0)
  chances, views = structure_views(network)(variables, IMAGES)
  seen = normalise(IMAGES, network.mean, network.std)

  @jax.jit
  def train(variables, key):
    return network.model.apply(
      variables, seen, train=True, mutable=['batch_stats'], rngs={'draw': key}
    )[0][1]

  logits, ends = jax.jit(network.apply)(variables, seen)
  close = dict(rtol=1e-3, atol=1e-3)
  wanted = np.exp(logits - jax.nn.logsumexp(logits, -1, keepdims=True))
  np.testing.assert_allclose(chances, wanted, **close)
  for name in ('features', 'attention', 'map/structure'):
    np.testing.assert_allclose(views[name], ends[name], **close)
  # Pixels are the images' own: normalised, they are what the network saw.
  pixels = normalise(views['sampled/structure'], network.mean, network.std)
  np.testing.assert_allclose(pixels, ends['sampled/structure'], **close)

  # Training draws a channel; those images are the detail images of that one.
  drawn = train(variables, jax.random.key(3))
  index = np.asarray(drawn['detail_index'])
  details = detail_views(network)(IMAGES, drawn['attention'], index)
  for k in range(2):
    maps = details['map/detail'][k, k]
    np.testing.assert_allclose(maps, drawn['map/detail'][k], **close)
    pixels = details['sampled/detail'][k : k + 1, k]
    pixels = normalise(pixels, network.mean, network.std)[0]
    np.testing.assert_allclose(pixels, drawn['sampled/detail'][k], **close)


@pytest.mark.parametrize('settings', SETTINGS[:2], ids=['cdf', 'uniform'])
def test_axes(settings):
  network = tasn_network(**settings)
  _, views = structure_views(network)(variables_of(network, 0), IMAGES)
  maps = views['map/structure']
  if settings:
    maps = np.ones_like(maps)
  positions = sample_positions(maps, (24, 20), (8, 8))
  for axis, side, at in zip(
    ('rows', 'columns'), (24, 20), positions, strict=True
  ):
    found = {
      name.partition('/')[2]: np.asarray(array)
      for name, array in views.items()
      if name.startswith(axis)
    }
    np.testing.assert_allclose(found['positions'], at, rtol=1e-5, atol=1e-4)
    assert found['density'].shape == found['marginal'].shape == (2, side)
    np.testing.assert_allclose(found['density'].mean(1), 1, rtol=1e-5)
    np.testing.assert_allclose(found['marginal'].mean(1), 1, rtol=1e-5)
    assert found['density'].max() <= found['marginal'].max() * 1.0001
    np.testing.assert_array_equal(found['edges'][0], np.arange(side + 1) - 0.5)
    steps = np.diff(found['cumulated'], axis=1) * side
    np.testing.assert_allclose(steps, found['density'], rtol=1e-3, atol=1e-5)
    # Equal shares of the mass lie before the positions.
    for k in range(2):
      shares = np.interp(at[k], found['edges'][k], found['cumulated'][k])
      np.testing.assert_allclose(shares, (np.arange(8) + 0.5) / 8, atol=1e-4)


def test_another_network_is_told():
  with pytest.raises(ValueError, match='TinyNet does not sample by attention'):
    check_samples(tiny_network())

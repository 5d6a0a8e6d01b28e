"""Where TASN samples images: compiled functions of its variables and images."""

import functools

import jax
import jax.numpy as jnp

from at_jax import _densities
from at_jax.data.augment import normalise
from at_jax.models.tasn import TASN
from at_jax.sampler import FLOOR, sample_positions
from at_jax.train.scores import probabilities


def check_samples(network):
  """Raises ValueError unless it is a network that samples by attention."""
  if not isinstance(network.model, TASN):
    raise ValueError(
      f'{network.label} does not sample by attention: pictures of samples are '
      'for the model tasn, docs/tasn.md.'
    )


@functools.cache
def structure_views(network):
  """(variables, images) -> (probabilities, arrays of the structure image).

  Args:
    network: a `Network` of TASN.

  Images are `[B, H, W, C]`, not yet normalised. Arrays: `features` and
  `attention` `[B, h, w, channels]`, `map/structure` `[B, h, w]`,
  `sampled/structure` `[B, O, O, C]` in the images' own units; and of both axes,
  `rows` and `columns`, what `_axis` says, `[B, ...]`.
  """

  @jax.jit
  def views(variables, images):
    images = images.astype(jnp.float32)
    seen = normalise(images, network.mean, network.std)
    logits, ends = network.apply(variables, seen)
    names = ('features', 'attention', 'map/structure')
    found = {name: ends[name].astype(jnp.float32) for name in names}
    structure, model = found['map/structure'], network.model
    found['sampled/structure'] = model.sampled(images, structure)
    found |= _axes(model, structure, images.shape[1:3])
    return probabilities(logits), found

  return views


@functools.cache
def detail_views(network):
  """(images, attention, channels) -> arrays of the detail images.

  Args:
    network: a `Network` of TASN.

  Images `[B, H, W, C]` are not normalised, `attention` is that of
  `structure_views`, channels are integers `[n]`. Arrays: `map/detail`
  `[B, n, h, w]` and `sampled/detail` `[B, n, O, O, C]`, in the images' units.
  """
  model = network.model

  @jax.jit
  def views(images, attention, channels):
    images = images.astype(jnp.float32)

    def view(channel):
      index = jnp.full(len(images), channel)
      map_ = model.detail_map(attention, index)
      return {
        'map/detail': map_,
        'sampled/detail': model.sampled(images, map_),
      }

    return jax.vmap(view, out_axes=1)(channels)

  return views


def _axes(model, maps, image_size):
  """{'rows/...': , 'columns/...': } of how maps sample images of this size.

  `marginal` `[B, N]`, `density` `[B, N]` (that after the cap), `edges` and
  `cumulated` (what it weighs up to each edge, as a part of all), `positions`.
  """
  maps, settings = model.sampling(maps, image_size)
  size = (model.sampled_size,) * 2
  positions = sample_positions(maps, image_size, size, **settings)
  rule = settings.pop('rule')
  read = functools.partial(
    _densities.densities, maps, floor=FLOOR, image_size=image_size
  )
  marginals, densities = read(**settings | {'iters': 0}), read(**settings)
  found = {}
  for i, axis in enumerate(('rows', 'columns')):
    weights, half = _densities.cumulated(densities[i], rule)
    total = weights[:, -1:]
    # A single pixel has, with `pt`, no weight at all.
    cumulated = weights / jnp.where(total > 0, total, 1.0)
    edges = jnp.arange(weights.shape[1], dtype=weights.dtype) - half
    found |= {
      f'{axis}/marginal': marginals[i],
      f'{axis}/density': densities[i],
      f'{axis}/edges': jnp.broadcast_to(edges[None], weights.shape),
      f'{axis}/cumulated': cumulated,
      f'{axis}/positions': positions[i],
    }
  return found

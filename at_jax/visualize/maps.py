"""Attention maps of several networks, image by image."""

import pathlib

import jax
import numpy as np

from at_jax._arrays import unknown
from at_jax.pictures import maps as pictures
from at_jax.train.looks import endpoint_shapes, tap_maps
from at_jax.train.scores import best_classes
from at_jax.visualize.places import matching
from at_jax.visualize.similar import Similarity, note

STYLES = ('overlay', 'heat', 'dark')
SUM_ABS = 'sum_abs'  # the kind of map that has no power


def show_maps(
  columns,
  images,
  out,
  *,
  taps='',
  kind='sum_pow',
  p=None,
  style='overlay',
  scale='own',
  against='',
  say=print,
):
  """Draws and saves the attention maps of every image, one after the other.

  Args:
    columns: a list of `Column`, side by side.
    images: `Images`.
    out: a folder.
    taps: patterns of endpoints, `group2,group3/block1`; '' is every group.
    kind: see `attention_map`.
    p: see `attention_map`; 2 where it is not given.
    style: `overlay`, `heat`, `dark`, or `all` three.
    scale: see `pictures.maps.draw_maps`.
    against: the column that the others are compared with, by name; '' is the
      last.
    say: called with a line on each image.

  Returns:
    Lines of cells: mean cosines of every tap; none of one network alone.

  Raises:
    ValueError: no such tap, kind, style or column, no image, or a network that
      gives NaN.
  """
  if p is not None and kind == SUM_ABS:
    raise ValueError(f'--p={p:g} is a power, and kind={SUM_ABS} has none.')
  p = 2.0 if p is None else p
  if style not in (*STYLES, 'all'):
    raise ValueError(unknown('style', style, [*STYLES, 'all']))
  bands = _taps(columns, taps)
  every = list(dict.fromkeys(tap for own in bands.values() for tap in own))
  shown_as = STYLES if style == 'all' else (style,)
  similarity = Similarity(columns, against)
  out, count = pathlib.Path(out), 0
  for each in images.together([column.network for column in columns]):
    chances, maps = {}, {}
    for column, shown in zip(columns, each, strict=True):
      weights, own = column.weights, bands[column.name]
      about = dict(kind=kind, p=p, multi_label=weights.multi_label)
      found = tap_maps(column.network, own, **about)
      found = jax.device_get(found(weights.variables, shown.image[None]))
      chances[column.name], maps[column.name] = jax.tree.map(
        lambda x: x[0], found
      )
    check_finite(columns, chances, each[0].title)
    cosines = similarity.add(maps)
    drawn = [
      pictures.Column(
        column.title,
        said_of(chances[column.name], column.weights),
        shown.image,
        maps[column.name],
        {tap: note(cosines.get(column.name, {}), tap) for tap in every}
        if similarity
        else {},
      )
      for column, shown in zip(columns, each, strict=True)
    ]
    out.mkdir(parents=True, exist_ok=True)
    picture = out / f'{each[0].name}_maps.png'
    drawn_bands = [pictures.Band(tap, shown_as) for tap in every]
    title = title_of(each[0], similarity)
    pictures.draw_maps(picture, title, drawn_bands, drawn, scale=scale)
    arrays = {
      f'{name}/{tap}': x for name, own in maps.items() for tap, x in own.items()
    }
    save_arrays(picture, columns, each, chances, cosines, arrays)
    say(f'{picture}: {in_short(drawn)}')
    count += 1
  if not similarity:
    return []
  about = dict(images=count, kind=kind)
  about |= {} if kind == SUM_ABS else {'p': p}
  similarity.save(out / 'similarity.json', **about)
  return similarity.lines(every)


def check_maps(network):
  """Raises ValueError unless it has endpoints to make attention maps of."""
  if not _features(network):
    raise ValueError(
      f'{network.label} has no endpoint [B, H, W, C]: there is nothing to make '
      'attention maps of.'
    )


def _features(network):
  """The endpoints that attention maps are made of."""
  return [n for n, shape in endpoint_shapes(network).items() if len(shape) == 4]


def _taps(columns, patterns):
  """{name of a column: a tuple of those of its endpoints that are wanted}."""
  features = {column.name: _features(column.network) for column in columns}
  if patterns:
    every = list(dict.fromkeys(tap for own in features.values() for tap in own))
    wanted = set(matching('tap', patterns, every))
    return {
      name: tuple(tap for tap in own if tap in wanted)
      for name, own in features.items()
    }
  return {name: _usual(own) for name, own in features.items()}


def _usual(taps):
  """The endpoints of groups; where there are none, all that stand alone."""
  alone = [tap for tap in taps if '/' not in tap]
  groups = [tap for tap in alone if tap.startswith('group')]
  return tuple(groups or alone or taps)


def check_finite(columns, chances, title):
  for column in columns:
    if not np.isfinite(chances[column.name]).all():
      raise ValueError(
        f'{column.title} gives probabilities that are NaN for {title}: it '
        'diverged in training. Show the others without it.'
      )


def title_of(shown, similarity):
  """What stands over a page: the photo, or a test image and its label."""
  known = shown.label is not None
  title = f'{shown.name}, label: {shown.title}' if known else shown.title
  with_ = f' · cos: with {similarity.title}' if similarity else ''
  return title + with_


def said_of(chances, weights):
  """'tulip (0.93)'."""
  ((name, chance),) = best_classes(chances, weights.class_names, 1)
  return f'{name} ({chance:.2f})'


def in_short(drawn):
  """What every column takes the image for."""
  return '; '.join(f'{column.title}: {column.said}' for column in drawn)


def save_arrays(picture, columns, each, chances, cosines, arrays):
  """Writes what a picture shows beside it, as `.npz`."""
  first = each[0].image
  images = {'image': first}
  for column, shown in zip(columns, each, strict=True):
    if shown.image.shape != first.shape:
      images[f'image/{column.name}'] = shown.image
  np.savez_compressed(
    picture.with_suffix('.npz'),
    **images,
    **{f'probabilities/{name}': x for name, x in chances.items()},
    **{
      f'cosine/{name}/{tap}': value
      for name, own in cosines.items()
      for tap, value in own.items()
    },
    **arrays,
  )

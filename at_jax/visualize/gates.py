"""Where triple attention sees each class, and how open its gates are."""

import pathlib

import jax
import numpy as np

from at_jax.pictures.chosen import USUAL, chosen_classes, present_classes
from at_jax.pictures.classes import bands_of, draw_classes, places_of
from at_jax.pictures.gates import draw_gates
from at_jax.train.class_views import check_class_maps, class_views
from at_jax.train.scores import in_words
from at_jax.visualize.places import matching


def show_gates(weights, images, out, *, classes=USUAL, places='', say=print):
  """Draws and saves where classes are seen in every image; then all gates.

  Args:
    weights: `Weights` of a network with maps of classes.
    images: an iterable of `Shown`.
    out: a folder.
    classes: which ones, see `chosen_classes`.
    places: patterns of places whose maps are drawn, `group2,group4`; '' is all.
    say: called with a line on each picture.

  Returns:
    Lines of cells: the classes drawn, their probabilities, and the labels.

  Raises:
    ValueError: another network, no such class or place, or no image.
  """
  network, names = weights.network, weights.class_names
  check_class_maps(network)
  views = class_views(network, weights.multi_label)
  out, lines, gates = pathlib.Path(out), [], []
  for shown in (one.among(names) for one in images):
    found = views(weights.variables, shown.image[None])
    chances, found = jax.tree.map(lambda x: x[0], jax.device_get(found))
    about = dict(
      image=shown.image,
      chances=chances,
      chosen=chosen_classes(classes, chances, shown.label, names),
      label=shown.label,
      boxes=shown.boxes,
    )
    wanted = matching('place', places, places_of(found))
    bands = bands_of(shown.title, found, wanted, **about)
    out.mkdir(parents=True, exist_ok=True)
    picture = out / f'{shown.name}_classes.png'
    draw_classes(picture, bands, names)
    arrays = {name: x for name, x in about.items() if x is not None}
    arrays['probabilities'] = arrays.pop('chances')
    np.savez_compressed(picture.with_suffix('.npz'), **arrays, **found)
    say(f'{picture}: {in_words(chances, names)}')
    lines += _lines(shown, about, names)
    gates.append({n: x for n, x in found.items() if x.ndim < 3})
  if not gates:
    raise ValueError('There is no image to look at.')
  gates = jax.tree.map(lambda *parts: np.stack(parts), *gates)
  if path := draw_gates(out / 'gates.png', gates, names):
    say(f'{path}: of {len(gates[next(iter(gates))])} images')
  return [['image', 'class', 'probability', 'label'], *lines]


def _lines(shown, about, class_names):
  """A line for each class that is drawn."""
  present, lines = present_classes(shown.label), []
  for i, k in enumerate(about['chosen']):
    there = 'present' if k in present else 'absent'
    lines.append(
      [
        '' if i else shown.title,
        class_names[k],
        f'{about["chances"][k]:.2f}',
        '–' if shown.label is None else there,
      ]
    )
  return lines

"""Where the networks look, kept beside a run: `attention.npz` and others.

Arrays: `images` uint8 [n, H, W, C], `labels` [n] or multi-hot, `class_names`,
`boxes` [n, m, 5] where the data have some, and attention maps [n, h, w] under
`teacher/<endpoint>`, `before/...`, `after/...` training; in studies of
gradients `.../input gradient` [n, H, W, C], too.

Of the same images, after training: `masks.npz` of networks with soft masks,
maps [n, h, w] of each module, `mean/<part>/<place>` over channels and
`channel<c>/<part>/<place>` of the channel whose mask differs most from place to
place, parts being those of `looks.mask_views`; `classes.npz` of networks with
maps of classes, `probabilities` [n, classes] and the arrays of `class_views`.
"""

import pathlib

import jax
import numpy as np

from at_jax.data.augment import normalise
from at_jax.gates import strongest_channels
from at_jax.train.class_views import class_views, has_class_maps
from at_jax.train.looks import gradient_map, group_maps, mask_views
from at_jax.train.mesh import is_first_host

COUNT = 4


def save_snapshot(folder, when, program, variables):
  """Writes the student's maps; 'before' begins the file, with the teacher's.

  Args:
    folder: of the run.
    when: 'before' or 'after' training.
    program: a `Program`.
    variables: of the student.
  """
  path = pathlib.Path(folder) / 'attention.npz'
  split = program.bench.dataset.test
  arrays = {}
  if when == 'after' and path.exists():
    arrays = dict(np.load(path))
  if not arrays:
    names = program.bench.dataset.class_names
    count = min(COUNT, len(names))
    examples = split.examples(one_per_class(split.each_label(), count))
    arrays = {
      'images': examples['image'],
      'labels': examples['label'],
      'class_names': np.array(names),
    }
    if 'boxes' in examples:
      arrays['boxes'] = examples['boxes']
    if program.needs_teacher:
      teacher = program.objective.teacher
      variables_of_teacher = program.teacher_variables
      arrays |= _seen('teacher', program, teacher, variables_of_teacher, arrays)
  arrays |= _seen(when, program, program.network, variables, arrays)
  write_arrays(path, arrays)


def save_masks(folder, program, variables):
  """Writes `masks.npz`, of the images that `save_snapshot` chose.

  Args:
    folder: of the run.
    program: a `Program`, of a network with soft masks.
    variables: of the student.
  """
  kept = _kept(folder)
  masks = _masks(program, variables, kept['images'])
  write_arrays(pathlib.Path(folder) / 'masks.npz', kept | masks)


def save_classes(folder, program, variables):
  """Writes `classes.npz`, likewise, if the network has maps of classes."""
  if not has_class_maps(program.network):
    return
  kept = _kept(folder)
  views = class_views(program.network, program.bench.dataset.multi_label)
  found = views(jax.device_get(variables), kept['images'])
  chances, found = jax.device_get(found)
  path = pathlib.Path(folder) / 'classes.npz'
  write_arrays(path, kept | {'probabilities': chances} | found)


def _kept(folder):
  """What `save_snapshot` wrote of the images that it chose."""
  names = ('images', 'labels', 'class_names', 'boxes')
  with np.load(pathlib.Path(folder) / 'attention.npz') as arrays:
    return {name: arrays[name] for name in names if name in arrays}


def write_arrays(path, arrays):
  """Writes an `.npz` whole or not at all."""
  if is_first_host():
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.stem}.part.npz')
    np.savez_compressed(part, **arrays)
    part.replace(path)


def _masks(program, variables, images):
  """What `masks.npz` holds besides images and labels."""
  variables, own = jax.device_get(variables), program.network
  images = normalise(images, own.mean, own.std)
  found = {}
  _, views = jax.device_get(mask_views(own)(variables, images))
  for place, parts in views.items():
    strongest = int(strongest_channels(parts['mask'], 1)[0])
    for part, array in parts.items():
      found[f'mean/{part}/{place}'] = array.mean(axis=-1)
      found[f'channel{strongest}/{part}/{place}'] = array[..., strongest]
  return found


def one_per_class(labels, count):
  """Indices of the first examples of `count` classes, as they appear.

  A multi-hot label counts for the first class that it shows. Where no example
  shows any, it is the first one.
  """
  first = {}
  for index, label in enumerate(labels):
    shown = np.flatnonzero(label) if np.ndim(label) else [label]
    if len(shown):
      first.setdefault(int(shown[0]), index)
    if len(first) == count:
      break
  return np.array(sorted(first.values()) or [0])


def _seen(prefix, program, network, variables, arrays):
  """Maps of `arrays['images']`, and gradients if the program shows them."""
  # On this host alone: hosts need not agree on whether the file is there.
  variables, own = jax.device_get(variables), program.network
  images = normalise(arrays['images'], own.mean, own.std)
  found = group_maps(network)(variables, network.images_from(images, own))
  if program.shows_gradients:
    gradient = gradient_map(network, own)
    found['input gradient'] = gradient(variables, images, arrays['labels'])
  return {f'{prefix}/{name}': x for name, x in jax.device_get(found).items()}

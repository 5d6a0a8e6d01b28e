"""Where the networks look, kept beside a run: `attention.npz`.

Arrays: `images` uint8 [n, H, W, C], `labels` [n], `class_names`, and attention
maps [n, h, w] under `teacher/<endpoint>`, `before/...`, `after/...` training;
in studies of gradients `.../input gradient` [n, H, W, C], too.
"""

import pathlib

import jax
import numpy as np

from at_jax.data.augment import normalise
from at_jax.train.looks import gradient_map, group_maps
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
    if program.needs_teacher:
      teacher = program.objective.teacher
      variables_of_teacher = program.teacher_variables
      arrays |= _seen('teacher', program, teacher, variables_of_teacher, arrays)
  arrays |= _seen(when, program, program.network, variables, arrays)
  if is_first_host():
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name('attention.part.npz')
    np.savez_compressed(part, **arrays)
    part.replace(path)


def one_per_class(labels, count):
  """Indices of the first examples of `count` classes, as they appear."""
  first = {}
  for index, label in enumerate(labels):
    first.setdefault(int(label), index)
    if len(first) == count:
      break
  return np.array(sorted(first.values()))


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

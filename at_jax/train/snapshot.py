"""Where the networks look, kept beside a run: `attention.npz`.

Arrays: `images` uint8 [n, H, W, C], `labels` [n], `class_names`, and attention
maps [n, h, w] under `teacher/<endpoint>`, `before/...`, `after/...` training.
"""

import pathlib

import jax
import numpy as np

from at_jax.data.augment import normalise
from at_jax.train.mesh import is_first_host
from at_jax.train.program import group_maps

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
  rows = one_per_class(split.labels, COUNT)
  images = split.images[rows]
  arrays = {}
  if when == 'after' and path.exists():
    arrays = dict(np.load(path))
  if not arrays:
    arrays = {
      'images': images,
      'labels': split.labels[rows],
      'class_names': np.array(program.bench.dataset.class_names),
    }
    if program.needs_teacher:
      teacher = program.objective.teacher
      arrays |= _maps('teacher', teacher, program.teacher_variables, images)
  arrays |= _maps(when, program.network, variables, images)
  if is_first_host():
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name('attention.part.npz')
    np.savez_compressed(part, **arrays)
    part.replace(path)


def one_per_class(labels, count):
  """Indices of the first examples of `count` classes, as they appear."""
  _, first = np.unique(labels, return_index=True)
  return np.sort(first)[:count]


def _maps(prefix, network, variables, images):
  # On this host alone: hosts need not agree on whether the file is there.
  variables = jax.device_get(variables)
  images = normalise(images, network.mean, network.std)
  maps = jax.device_get(group_maps(network)(variables, images))
  return {f'{prefix}/{name}': array for name, array in maps.items()}

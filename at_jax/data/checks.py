"""Whether the arrays that come with images are sound."""

import numpy as np


def check_labels(labels, where, classes):
  """Raises a ValueError that begins with `where` unless labels are sound."""
  if labels.dtype != np.int32 or labels.ndim not in (1, 2):
    raise ValueError(
      f'{where}: labels must be int32 [N], got {labels.dtype} {labels.shape}; '
      f'multi-hot ones int32 [N, {classes}].'
    )
  if labels.ndim == 2:
    _check_multi_hot(labels, where, classes)
    return
  wrong = np.flatnonzero((labels < 0) | (labels >= classes))
  if wrong.size:
    first = wrong[0]
    raise ValueError(
      f'{where}: label {labels[first]} of example {first} is not one of the '
      f'{classes} classes 0..{classes - 1} ({wrong.size} such labels).'
    )


def _check_multi_hot(labels, where, classes):
  if labels.shape[1] != classes:
    raise ValueError(
      f'{where}: multi-hot labels must have a column for each of the '
      f'{classes} classes, [N, {classes}], got shape {labels.shape}.'
    )
  wrong = np.argwhere((labels != 0) & (labels != 1))
  if len(wrong):
    example, label = wrong[0]
    raise ValueError(
      f'{where}: multi-hot labels must be 0 or 1, got '
      f'{labels[example, label]} for class {label} of example {example} '
      f'({len(wrong)} such entries).'
    )


def check_boxes(boxes, where, count, classes):
  """Raises a ValueError that begins with `where` unless boxes are sound."""
  wanted = boxes.ndim == 3 and (len(boxes), boxes.shape[2]) == (count, 5)
  if boxes.dtype != np.float32 or not wanted:
    raise ValueError(
      f'{where}: boxes must be float32 [{count}, n, 5], n of them for each '
      f'image, got {boxes.dtype} {boxes.shape}.'
    )
  sound = np.isfinite(boxes).all(axis=2) & (boxes[..., 4] < classes)
  if not sound.all():
    example, row = np.argwhere(~sound)[0]
    raise ValueError(
      f'{where}: box {row} of example {example} must be finite y0, x0, y1, x1 '
      f'and one of the {classes} classes (or -1, which is no box), got '
      f'{boxes[example, row].tolist()}.'
    )


def check_groups(groups, where, count):
  """Raises a ValueError that begins with `where` unless groups are sound."""
  if groups.dtype != np.int32 or groups.shape != (count,):
    raise ValueError(
      f'{where}: groups must be int32 [{count}], one an image, got '
      f'{groups.dtype} {groups.shape}.'
    )

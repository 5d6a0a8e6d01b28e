"""Annotated boxes of a folder of images: `boxes.csv`.

path,x0,y0,x1,y1[,class]: the path below the folder, corners in pixels of the
whole upright image, x1 and y1 just outside; without a class the image's own.
"""

import csv
import dataclasses
import math

import numpy as np

from at_jax.data.examples import NONE

COLUMNS = ('path', 'x0', 'y0', 'x1', 'y1')


def with_boxes(file, names, *splits):
  """The splits with the boxes that a file holds.

  Args:
    file: path of a csv file with the header path,x0,y0,x1,y1[,class].
    names: of the classes.
    *splits: `Files`.

  Returns:
    A list of `Files`.

  Raises:
    ValueError: a line that is wrong, or names no image or class.
  """
  indices = {name: label for label, name in enumerate(names)}
  paths = [files.paths.tolist() for files in splits]
  labels = {
    path: label
    for below, files in zip(paths, splits, strict=True)
    for path, label in zip(below, files.labels.tolist(), strict=True)
  }
  found = {}
  for line, path, (x0, y0, x1, y1), name in _lines(file):
    if path not in labels:
      raise ValueError(
        f'{file}, line {line}: there is no image {path!r}. Paths begin with '
        'the folder of the split; take the line away if the image is gone.'
      )
    if name is not None and name not in indices:
      raise ValueError(
        f'{file}, line {line}: class {name!r} is none of the {len(names)} '
        'class folders.'
      )
    label = labels[path] if name is None else indices[name]
    found.setdefault(path, []).append((y0, x0, y1, x1, label))
  found = {path: np.array(rows, np.float32) for path, rows in found.items()}
  return [
    dataclasses.replace(files, boxes=tuple(found.get(p, NONE) for p in below))
    for below, files in zip(paths, splits, strict=True)
  ]


def _lines(file):
  """Yields (line number, path, (x0, y0, x1, y1), class name or None)."""
  with open(file, newline='', encoding='utf-8-sig', errors='replace') as text:
    reader = csv.reader(text)
    header = tuple(name.strip() for name in next(reader, ()))
    if header not in (COLUMNS, (*COLUMNS, 'class')):
      raise ValueError(
        f'{file}, line 1: wanted the header {",".join(COLUMNS)}[,class], got '
        f'{",".join(header)!r}.'
      )
    for fields in reader:
      if fields:
        where = f'{file}, line {reader.line_num}'
        yield reader.line_num, *_annotation(where, fields, header)


def _annotation(where, fields, header):
  try:
    path, *corners = fields[:5]
    corners = x0, y0, x1, y1 = [float(corner) for corner in corners]
    sound = x0 < x1 and y0 < y1 and all(map(math.isfinite, corners))
  except ValueError:  # too few fields, or no numbers
    sound = False
  if not sound or len(fields) != len(header):
    raise ValueError(
      f'{where}: wanted {",".join(header)} with numbers x0 < x1 and y0 < y1, '
      f'got {",".join(fields)!r}.'
    )
  return path, corners, fields[5] if len(fields) > 5 else None

"""Files that may be missing, damaged or still being written."""

import json
import math
import os
import zipfile

import numpy as np

# What reading an .npz that is damaged or half-written may raise.
DAMAGE = (
  OSError,
  EOFError,
  LookupError,
  TypeError,
  ValueError,
  zipfile.BadZipFile,
)


def read_json(path, notes, root, kind=dict):
  """The JSON object in a file; None where it is missing or damaged.

  Args:
    path: of the file.
    notes: a list; damage is said in it.
    root: the workdir, which notes leave out of paths.
    kind: `dict` or `list`: what the file must hold.

  Returns:
    A `kind`, or None.
  """
  try:
    found = json.loads(path.read_bytes())
  except FileNotFoundError:
    return None
  except ValueError:
    found = None
  if isinstance(found, kind):
    return found
  notes.append(f'{path.relative_to(root)} is damaged and left out.')
  return None


def read_metrics(path, notes, root):
  """Every metric of a run; a step written twice counts as last written.

  Args:
    path: of metrics.jsonl.
    notes, root: as in `read_json`.

  Returns:
    A dict from a metric's name to (epochs, values).
  """
  try:
    lines = path.read_bytes().split(b'\n')
  except FileNotFoundError:
    return {}
  found, damaged = {}, []
  for number, line in enumerate(lines, 1):
    if not line.strip():
      continue
    try:
      row = json.loads(line)
      epoch = float(row['epoch'])
    except (ValueError, TypeError, KeyError):
      damaged.append(number)
      continue
    for name, value in row.items():
      if name not in ('step', 'epoch') and is_number(value):
        found.setdefault(name, {})[epoch] = float(value)
  if damaged:
    where = path.relative_to(root)
    if damaged == [len(lines)]:
      notes.append(f'{where}: its last line is half-written and left out.')
    else:
      notes.append(f'{where}: damaged lines left out: {damaged}.')
  return {
    name: tuple(map(list, zip(*sorted(points.items()), strict=True)))
    for name, points in found.items()
  }


def first_arrays(runs, name, make, notes):
  """What is made of an .npz file of the lowest seed that has it.

  Args:
    runs: {seed: `read.Run`}.
    name: of the file.
    make: a function of a dict of arrays; what it raises is damage, too.
    notes: a list; damage is said in it.

  Returns:
    (seed, what `make` returned); (None, None) where there is none.
  """
  for seed, run in sorted(runs.items()):
    path = run.folder / name
    try:
      with path.open('rb') as file:
        return seed, make(dict(np.load(file)))
    except FileNotFoundError:
      continue
    except DAMAGE:
      notes.append(f'{"/".join(path.parts[-3:])} is damaged and left out.')
  return None, None


def is_number(value):
  """A finite int or float (JSON may also hold NaN, text, null or true)."""
  return (
    isinstance(value, int | float)
    and not isinstance(value, bool)
    and math.isfinite(value)
  )


def write_text(path, text):
  """A reader meets the old file or the new one, never a half."""
  part = path.with_name(f'.{path.name}.{os.getpid()}.part')
  part.write_text(text, encoding='utf-8')
  os.replace(part, path)

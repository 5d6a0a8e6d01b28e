"""`folder:<path>`: a folder of image files, a folder for each class.

    <path>/train/<class>/*.jpg
    <path>/test/<class>/*.jpg     or val/ where there is no test/
    <path>/boxes.csv              optional: path,x0,y0,x1,y1[,class]

Only names are read here, no image: `decode` does that later, in workers.
Hidden files are left alone, and so is every file without an image's suffix.
"""

import csv
import dataclasses
import functools
import hashlib
import math
import os
import pathlib

import numpy as np

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp')
BOXES = 'boxes.csv'
COLUMNS = ('path', 'x0', 'y0', 'x1', 'y1')
LISTED = 5  # names that an error gives before "and … more"


@dataclasses.dataclass(frozen=True, eq=False)
class Files:
  """The images of one split, in order of class, then of name.

  Attributes:
    paths: str, shape `[N]`, below the root, with `/` between names.
    labels: int32, shape `[N]`, indices into the class names.
    boxes: float32 arrays `[n, 5]`, one an image: y0, x0, y1, x1 in pixels of
      the whole upright image and the class; None where nothing is annotated.
    others: how many files were left alone.
  """

  paths: np.ndarray
  labels: np.ndarray
  boxes: tuple[np.ndarray, ...] | None
  others: int

  def __len__(self):
    return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Folder:
  """What `load_folder` found.

  Attributes:
    root: the absolute path of the folder.
    class_names: sorted; the folders' names.
    train: of `train/`.
    test: of `test/` or `val/`.
    test_name: which of the two.
  """

  root: str
  class_names: tuple[str, ...]
  train: Files
  test: Files
  test_name: str

  @functools.cached_property
  def fingerprint(self) -> str:
    """Hex digest of paths, labels, boxes and file sizes, but of no pixel.

    Reading all of ImageNet for a digest would take longer than an epoch. An
    image replaced by another one of the same size in bytes goes unnoticed.

    Raises:
      OSError: a file is no longer there.
    """
    digest = hashlib.blake2b(digest_size=16)
    for files in (self.train, self.test):
      digest.update(f'{len(files)};'.encode())
      for path in files.paths.tolist():
        size = os.stat(os.path.join(self.root, path)).st_size
        # A NUL cannot be in a name.
        digest.update(os.fsencode(path) + f'\0{size};'.encode())
      # Little-endian by name: the digest is the same on every machine.
      digest.update(np.ascontiguousarray(files.labels, dtype='<i4'))
      for boxes in files.boxes or ():
        digest.update(f'{len(boxes)};'.encode())
        digest.update(np.ascontiguousarray(boxes, dtype='<f4'))
    return digest.hexdigest()


def load_folder(path: str | os.PathLike) -> Folder:
  """Lists the images of a folder.

  Args:
    path: of the folder with `train/` in it; `~` is expanded.

  Raises:
    FileNotFoundError: the folder is not there, or no `train/`, or neither
      `test/` nor `val/`; with the ways out.
    ValueError: no classes, an empty class, a folder in a class, other classes
      in train than in test, or a line of `boxes.csv`.
  """
  root = pathlib.Path(path).expanduser().absolute()
  test_name = 'test' if (root / 'test').is_dir() else 'val'
  for name in ('train', test_name):
    if not (root / name).is_dir():
      raise _not_found(root, name)
  names = _class_folders(root / 'train')
  _check_same_classes(root, names, _class_folders(root / test_name), test_name)
  train, test = (_files(root / name, names) for name in ('train', test_name))
  if (root / BOXES).exists():
    train, test = _with_boxes(root / BOXES, names, train, test)
  return Folder(str(root), tuple(names), train, test, test_name)


def _not_found(root, name):
  there = f'{root} does not exist'
  if root.is_dir():
    there = f'{root} holds {_some(sorted(os.listdir(root))) or "nothing"}'
  elif root.exists():
    there = f'{root} is a file'
  return FileNotFoundError(
    f'No folder {"train" if name == "train" else "test (or val)"} of images: '
    f'looked for {root / name}/<class>/*.jpg; {there}.\nThree ways out:\n'
    f'  1. put a folder for each class into {root}/train and {root}/test\n'
    '  2. name the folder that has train/ in it: data.name=folder:<path>\n'
    '  3. use the embedded digits: --config=configs/digits_at.py'
  )


def _class_folders(folder):
  """Sorted names of the folders in a split's folder."""
  with os.scandir(folder) as entries:
    names = sorted(
      entry.name
      for entry in entries
      if not entry.name.startswith('.') and entry.is_dir()
    )
  if not names:
    raise ValueError(
      f'{folder} has no class folders: wanted {folder}/<class>/*.jpg. A test '
      'set without labels cannot be used; rename its folder, and val/ is taken.'
    )
  return names


def _check_same_classes(root, train, test, test_name):
  if train != test:
    only = {'train': set(train) - set(test), test_name: set(test) - set(train)}
    differences = '; '.join(
      f'only in {k}/: {_some(sorted(v))}' for k, v in only.items() if v
    )
    raise ValueError(
      f'{root}: train/ and {test_name}/ must have the same class folders; '
      f'{differences}. Add what is missing, or take the rest away.'
    )


def _files(folder, names):
  """The `Files` of one split, without boxes."""
  paths, labels, others, empty = [], [], 0, []
  for label, name in enumerate(names):
    images, left = _images(folder / name)
    if not images:
      empty.append(name)
    paths += [f'{folder.name}/{name}/{image}' for image in images]
    labels += [label] * len(images)
    others += left
  if empty:
    raise ValueError(
      f'{folder} has class folders without an image: {_some(empty)}. Images '
      f'end in {", ".join(SUFFIXES)} (capitals too). Put some in, or take '
      'these classes away from train and test.'
    )
  return Files(np.array(paths), np.array(labels, np.int32), None, others)


def _images(folder):
  """Sorted names of the images in a class's folder, and how many others."""
  images, others = [], 0
  # An entry knows what it is: no `stat` for each of 1.3 million names.
  with os.scandir(folder) as entries:
    for entry in entries:
      if entry.name.startswith('.'):
        continue
      if entry.is_dir():
        raise ValueError(
          f'{entry.path} is a folder in a class folder; images must lie in '
          f'{folder} itself. Move them up, or make it a class of its own.'
        )
      if entry.name.lower().endswith(SUFFIXES):
        images.append(entry.name)
      else:
        others += 1
  return sorted(images), others


def _with_boxes(file, names, *splits):
  """The splits with the boxes that a file holds."""
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
  none = np.empty((0, 5), np.float32)
  return [
    dataclasses.replace(files, boxes=tuple(found.get(p, none) for p in below))
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


def _some(names):
  """The first names, and how many more there are."""
  more = len(names) - LISTED
  text = ', '.join(names[:LISTED])
  return f'{text} and {more} more' if more > 0 else text

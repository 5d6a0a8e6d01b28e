"""`folder:<path>`: a folder of image files, a folder for each class.

    <path>/train/<class>/*.jpg
    <path>/test/<class>/*.jpg     or val/ where there is no test/
    <path>/boxes.csv              optional: path,x0,y0,x1,y1[,class]

Only names are read first, no image: that happens later, in workers.
Hidden files are left alone, and so is every file without an image's suffix.
"""

import dataclasses
import os
import pathlib

import numpy as np

from at_jax.data.boxes_csv import with_boxes
from at_jax.data.dataset import Dataset
from at_jax.data.files import Files, some, what_is_at
from at_jax.data.settings import Settings
from at_jax.data.streamed import make_streamed

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.gif')
BOXES = 'boxes.csv'


@dataclasses.dataclass(frozen=True, eq=False)
class Folder:
  """What `list_folder` found.

  Attributes:
    root: the absolute path of the folder.
    class_names: sorted; the folders' names.
    train: of `train/`.
    test: of `test/`, `val/` or the one that was asked for.
    test_name: which.
  """

  root: str
  class_names: tuple[str, ...]
  train: Files
  test: Files
  test_name: str


def load_folder(settings: Settings) -> Dataset:
  """Lists `settings.path`; its images are read while the device works.

  Raises:
    FileNotFoundError, ValueError: see `list_folder`; or settings that do not
      fit.
  """
  if not settings.path:
    raise ValueError(
      f'data.name={settings.name!r} names no folder: data.name=folder:<path>.'
    )
  found = list_folder(settings.path, settings.test_split)
  others = found.train.others + found.test.others
  left = f', {others} other files left alone' if others else ''
  return make_streamed(
    settings,
    name=pathlib.Path(found.root).name,
    source=f'folder {found.root} ({found.test_name}/ is the test set{left})',
    class_names=found.class_names,
    train=found.train,
    test=found.test,
  )


def list_folder(path: str | os.PathLike, test_name: str = '') -> Folder:
  """Lists the images of a folder.

  Args:
    path: of the folder with `train/` in it; `~` is expanded.
    test_name: of the folder with test images; '' is `test`, else `val`.

  Raises:
    FileNotFoundError: the folder is not there, or no `train/`, or neither
      `test/` nor `val/`; with the ways out.
    ValueError: no classes, an empty class, a folder in a class, other classes
      in train than in test, or a line of `boxes.csv`.
  """
  root = pathlib.Path(path).expanduser().absolute()
  default = 'test' if (root / 'test').is_dir() else 'val'
  test_name = test_name or default
  for name in ('train', test_name):
    if not (root / name).is_dir():
      raise _not_found(root, name)
  names = _class_folders(root / 'train')
  _check_same_classes(root, names, _class_folders(root / test_name), test_name)
  train, test = (_files(root / name, names) for name in ('train', test_name))
  if (root / BOXES).exists():
    train, test = with_boxes(root / BOXES, names, train, test)
  return Folder(str(root), tuple(names), train, test, test_name)


def _not_found(root, name):
  shown = 'test (or val)' if name == 'val' else name
  return FileNotFoundError(
    f'No folder {shown} of images: '
    f'looked for {root / name}/<class>/*.jpg; {what_is_at(root)}.\n'
    'Three ways out:\n'
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
      f'only in {k}/: {some(sorted(v))}' for k, v in only.items() if v
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
      f'{folder} has class folders without an image: {some(empty)}. Images '
      f'end in {", ".join(SUFFIXES)} (capitals too). Put some in, or take '
      'these classes away from train and test.'
    )
  root, labels = str(folder.parent), np.array(labels, np.int32)
  return Files(root, np.array(paths), labels, None, others)


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

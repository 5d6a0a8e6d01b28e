"""`chestxray14:<path>`: the NIH chest X-rays as they are downloaded.

    <path>/images*/                images/, images_001/images/ … images_012/
    <path>/Data_Entry_2017_v2020.csv    or Data_Entry_2017.csv
    <path>/train_val_list.txt, test_list.txt    the official split
    <path>/BBox_List_2017.csv      optional

Names and tables are read first, no image: that happens later, in workers. Not
a medical device: for research only.
"""

import os
import pathlib

import numpy as np

from at_jax.data.chestxray14_counts import IMAGES, check_published
from at_jax.data.chestxray14_tables import (
  DISEASES,
  IMAGE,
  read_boxes,
  read_labels,
)
from at_jax.data.dataset import Dataset
from at_jax.data.decode import image_size
from at_jax.data.examples import NONE
from at_jax.data.files import Files, some, what_is_at
from at_jax.data.settings import Settings
from at_jax.data.streamed import make_streamed

# The first that is there; the second names are those of smaller copies.
LABELS = ('Data_Entry_2017_v2020.csv', 'Data_Entry_2017.csv')
LISTS = {
  'train': ('train_val_list.txt', 'train_val_list_NIH.txt'),
  'test': ('test_list.txt', 'test_list_NIH.txt'),
}
BOXES = ('BBox_List_2017.csv', 'BBox_List_2017_Official_NIH.csv')
SIDE = 1024  # pixels of the published images, in which boxes are given


class XRays(Files):
  """X-rays of any size, by name: in which archive they lay does not matter."""

  def keys(self):
    """The files' own names."""
    return [path.rpartition('/')[2] for path in self.paths.tolist()]

  def read(self, index):
    """An image as it is stored, its boxes in its own pixels."""
    record = super().read(index)
    if not len(record.boxes):
      return record
    try:
      times = np.tile(image_size(record.data), 2) / SIDE
    except ValueError:  # whoever decodes it finds out, too, and reports it
      return record
    boxes = record.boxes * np.append(times, 1)
    return record._replace(boxes=boxes.astype(np.float32))


def load_chestxray14(settings: Settings) -> Dataset:
  """Finds the images of both official lists, their labels and boxes.

  Args:
    settings: `name` is `chestxray14:<path>`. With `skip_damaged` images that
      are listed and not there are left out.

  Raises:
    FileNotFoundError: no such folder, table, list or image; with the ways out.
    ValueError: tables or lists that are damaged or do not fit each other, a
      patient in both lists, the whole set with other numbers than published.
  """
  if not settings.path:
    raise ValueError(
      f'data.name={settings.name!r} names no folder: '
      'data.name=chestxray14:<path>.'
    )
  if settings.test_split not in ('', 'test'):
    raise ValueError(
      f'data.test_split={settings.test_split!r} must be empty (or "test") for '
      f'{settings.name!r}: the official test list is what is tested on.'
    )
  root = pathlib.Path(settings.path).expanduser().absolute()
  table = _find(root, 'table of labels', LABELS)
  lists = {split: _find(root, 'list', names) for split, names in LISTS.items()}
  names = {split: _listed(file) for split, file in lists.items()}
  _check_patients(root, names)
  paths = _images(root)
  labels = read_labels(table)
  _check_rows(names, labels, table)
  found = [f'labels of {table.name}']
  if max(sum(map(len, names.values())), len(paths)) >= sum(IMAGES):
    train, test = (_stacked(names[split], labels) for split in LISTS)
    found.append(check_published(str(root), table.name, train, test))
  boxes = {}
  box_file = next((root / n for n in BOXES if (root / n).exists()), None)
  if box_file:
    boxes = read_boxes(box_file, labels)
  unlisted = len(paths.keys() - set(names['train']) - set(names['test']))
  if unlisted:
    found.append(f'{unlisted:,} images in no list left alone')
  names, lost = _there(root, names, paths, settings.skip_damaged)
  if lost:
    found.append(f'{lost:,} listed images not there, left out')
  records = {
    split: XRays(
      root=str(root),
      paths=np.array([paths[name] for name in names[split]], str),
      labels=_stacked(names[split], labels),
      boxes=tuple(boxes.get(n, NONE) for n in names[split]) if boxes else None,
      others=0,
      groups=_patients(names[split]),
    )
    for split in LISTS
  }
  return make_streamed(
    settings,
    name='chestxray14',
    source=f'{root} ({", ".join(found)})',
    class_names=DISEASES,
    **records,
  )


def _find(root, what, names):
  """The path of the first name that is there."""
  for name in names:
    if (root / name).is_file():
      return root / name
  raise _not_found(root, what, f'{root}/{" or ".join(names)}')


def _not_found(root, what, looked_for):
  return FileNotFoundError(
    f'No {what} of ChestX-ray14: looked for {looked_for}; {what_is_at(root)}.\n'
    'Three ways out:\n'
    f'  1. put {LABELS[0]}, {LISTS["train"][0]}, {LISTS["test"][0]} and the '
    f'unpacked images*/ into {root} (docs/data.md)\n'
    '  2. name the folder that has them: data.name=chestxray14:<path>\n'
    '  3. use the embedded digits: --config=configs/digits_at.py'
  )


def _listed(file):
  """The sorted names in a list file."""
  lines = file.read_text(encoding='utf-8-sig', errors='replace').splitlines()
  names = [line.strip() for line in lines]
  for number, name in enumerate(names, 1):
    if name and not IMAGE.fullmatch(name):
      raise ValueError(
        f'{file}, line {number}: wanted a name like 00000001_000.png and '
        f'nothing else, got {name!r}.'
      )
  names = sorted(filter(None, names))
  if not names:
    raise ValueError(
      f'{file} is empty: wanted a name of an image on each line.'
    )
  twice = [a for a, b in zip(names, names[1:], strict=False) if a == b]
  if twice:
    raise ValueError(f'{file} names images twice: {some(twice)}.')
  return names


def _patients(names):
  """int32 `[N]`: a name begins with the patient's number."""
  return np.array([int(name[:8]) for name in names], np.int32)


def _check_patients(root, names):
  both = np.intersect1d(*(_patients(names[split]) for split in LISTS))
  if both.size:
    raise ValueError(
      f'{root}: {both.size:,} patients are in both lists, training and test '
      f'({some([f"{patient:08}" for patient in both])}): results would be too '
      'good. Take the official lists, in which no patient is in both.'
    )


def _check_rows(names, labels, table):
  without = [n for split in LISTS for n in names[split] if n not in labels]
  if without:
    raise ValueError(
      f'{table} has no row for {len(without):,} listed images: '
      f'{some(without)}. It is cut off, or belongs to another set.'
    )


def _stacked(names, labels):
  """int32 `[N, 14]`."""
  rows = [labels[name] for name in names]
  return np.array(rows, np.int32).reshape(-1, len(DISEASES))


def _there(root, names, paths, leave_out):
  """(names of the images that are there by split, how many others)."""
  missing = [n for split in LISTS for n in names[split] if n not in paths]
  if missing and not leave_out:
    raise FileNotFoundError(
      f'{root}: {len(missing):,} of {sum(map(len, names.values())):,} listed '
      f'images are not in its folders images*/: {some(missing)}. Unpack all '
      '12 archives; or leave missing (and damaged) images out with '
      '--config.data.skip_damaged=True; or shorten the two lists.'
    )
  kept = {split: [n for n in names[split] if n in paths] for split in names}
  for split in LISTS:
    if not kept[split]:
      raise FileNotFoundError(
        f'{root}: none of the {len(names[split]):,} images of the {split} '
        'list are in its folders images*/.'
      )
  return kept, len(missing)


def _images(root):
  """{name: path below the root} of all images in folders images*."""
  found = {}
  with os.scandir(root) as entries:
    folders = [
      entry.name
      for entry in entries
      if entry.name.startswith('images') and entry.is_dir()
    ]
  for folder in sorted(folders):
    _add_images(root, folder, found, deeper=True)
  if not found:
    raise _not_found(root, 'image', f'{root}/images*/00000001_000.png')
  return found


def _add_images(root, folder, found, *, deeper):
  # An entry knows what it is: no `stat` for each of 112,120 names.
  with os.scandir(root / folder) as entries:
    for entry in entries:
      if IMAGE.fullmatch(entry.name):
        path = f'{folder}/{entry.name}'
        if entry.name in found:
          raise ValueError(
            f'{root} has an image twice: {found[entry.name]} and {path}. Take '
            'one of these folders away, or rename it: all that begin with '
            '"images" are read.'
          )
        found[entry.name] = path
      elif deeper and not entry.name.startswith('.') and entry.is_dir():
        _add_images(root, f'{folder}/{entry.name}', found, deeper=False)

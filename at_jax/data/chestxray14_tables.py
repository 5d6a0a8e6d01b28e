"""The tables that come with ChestX-ray14: labels, and boxes of some images."""

import csv
import math
import re

import numpy as np

from at_jax._arrays import unknown

# In the order of the authors' lists, not of the alphabet.
DISEASES = (
  'Atelectasis',
  'Cardiomegaly',
  'Effusion',
  'Infiltration',
  'Mass',
  'Nodule',
  'Pneumonia',
  'Pneumothorax',
  'Consolidation',
  'Edema',
  'Emphysema',
  'Fibrosis',
  'Pleural_Thickening',
  'Hernia',
)
NO_FINDING = 'No Finding'
IMAGE = re.compile(r'[0-9]{8}_[0-9]{3}\.png')  # patient and number

NAME, FINDINGS, PATIENT = 'Image Index', 'Finding Labels', 'Patient ID'
BOX_HEADER = (NAME, 'Finding Label', 'Bbox [x', 'y', 'w', 'h]')
BOX_NAMES = {'Infiltrate': 'Infiltration'}  # what the boxes' table says


def read_labels(file):
  """The labels of all images of a table, about 0.3 s for 112,120 rows.

  Args:
    file: path of a csv file with the columns Image Index, Finding Labels
      (separated by |) and Patient ID, among others.

  Returns:
    {name of an image: multi-hot tuple of 14}.

  Raises:
    ValueError: other columns, or a wrong line; it is named.
  """
  found, known = {}, {NO_FINDING: (0,) * len(DISEASES)}
  with open(file, newline='', encoding='utf-8-sig', errors='replace') as text:
    reader = csv.reader(text)
    header = [column.strip() for column in next(reader, ())]
    lacking = [c for c in (NAME, FINDINGS, PATIENT) if c not in header]
    if lacking:
      raise ValueError(
        f'{file}, line 1: there is no column {" or ".join(lacking)}, so it is '
        f'no table of ChestX-ray14; the columns are {",".join(header)!r}.'
      )
    columns = [header.index(column) for column in (NAME, FINDINGS, PATIENT)]
    for fields in filter(None, reader):
      if len(fields) <= max(columns):
        raise ValueError(
          f'{file}, line {reader.line_num}: it is cut off after '
          f'{",".join(fields)!r}; wanted {NAME}, {FINDINGS} and {PATIENT}.'
        )
      name, findings, patient = (fields[column] for column in columns)
      if findings not in known:
        known[findings] = _multi_hot(findings, file, reader.line_num)
      if not (IMAGE.fullmatch(name) and patient.strip().zfill(8) == name[:8]):
        raise ValueError(
          f'{file}, line {reader.line_num}: an image must be named like '
          '00000001_000.png, the first 8 digits its Patient ID; got '
          f'{name!r} of patient {patient!r}.'
        )
      if found.setdefault(name, known[findings]) != known[findings]:
        raise ValueError(
          f'{file}, line {reader.line_num}: {name} has other labels than in a '
          'line before.'
        )
  return found


def _multi_hot(findings, file, line):
  """'Mass|Nodule' as a tuple of 0 and 1."""
  shown = [finding.strip() for finding in findings.split('|')]
  if NO_FINDING in shown:
    raise ValueError(
      f'{file}, line {line}: {NO_FINDING!r} stands alone, got {findings!r}.'
    )
  for finding in shown:
    if finding not in DISEASES:
      known = unknown('disease', finding, (*DISEASES, NO_FINDING))
      raise ValueError(f'{file}, line {line}: {findings!r}: {known}')
  return tuple(int(disease in shown) for disease in DISEASES)


def read_boxes(file, images):
  """The annotated boxes of a table.

  Args:
    file: path of a csv file, Image Index, Finding Label, x, y, w, h.
    images: names that there are.

  Returns:
    {name: float32 `[n, 5]`}: y0, x0, y1, x1 in pixels of the published images
    of 1024 x 1024, and the class.

  Raises:
    ValueError: another header, or a wrong line; it is named.
  """
  found = {}
  with open(file, newline='', encoding='utf-8-sig', errors='replace') as text:
    reader = csv.reader(text)
    header = tuple(column.strip() for column in next(reader, ()))
    if header[: len(BOX_HEADER)] != BOX_HEADER:
      raise ValueError(
        f'{file}, line 1: wanted the header {",".join(BOX_HEADER)}, got '
        f'{",".join(header)!r}.'
      )
    for fields in filter(None, reader):
      where = f'{file}, line {reader.line_num}'
      name, *box = _box(fields, where)
      if name not in images:
        raise ValueError(f'{where}: the table of labels has no image {name!r}.')
      found.setdefault(name, []).append(box)
  return {name: np.array(boxes, np.float32) for name, boxes in found.items()}


def _box(fields, where):
  """Name, y0, x0, y1, x1 and class of a line."""
  try:
    name, finding = fields[:2]
    x, y, width, height = sides = [float(field) for field in fields[2:6]]
    sound = width > 0 and height > 0 and all(map(math.isfinite, sides))
  except ValueError:  # too few fields, or no numbers
    sound = False
  if not sound:
    raise ValueError(
      f'{where}: wanted an image, a disease and numbers x, y, w > 0, h > 0, '
      f'got {",".join(fields)!r}.'
    )
  finding = BOX_NAMES.get(finding.strip(), finding.strip())
  if finding not in DISEASES:
    raise ValueError(f'{where}: {unknown("disease", finding, DISEASES)}')
  return name, y, x, y + height, x + width, DISEASES.index(finding)

"""The tables of ChestX-ray14: labels, boxes, and the published numbers."""

import re
import time

import numpy as np
import pytest
import xray_folders as xrays
from xray_folders import FINDINGS

from at_jax.data import chestxray14_counts as counts
from at_jax.data.chestxray14_tables import DISEASES, read_boxes, read_labels

NAME = '00000001_000.png'


def table(tmp_path, *lines, header=xrays.HEADER):
  path = tmp_path / 'Data_Entry_2017.csv'
  path.write_text('\n'.join([header, *lines, '']))
  return path


def test_labels_are_in_the_authors_order(tmp_path):
  lines = [
    xrays.row(NAME, 'Hernia|Atelectasis'),
    xrays.row('00000002_000.png', 'No Finding'),
    xrays.row('00000003_000.png', 'Pleural_Thickening'),
    xrays.row(NAME, 'Atelectasis|Hernia'),  # the same again
  ]
  found = read_labels(table(tmp_path, *lines))
  assert found == {
    NAME: (1, *[0] * 12, 1),
    '00000002_000.png': (0,) * 14,
    '00000003_000.png': (*[0] * 12, 1, 0),
  }


def test_both_headers_are_read(tmp_path):
  older = xrays.HEADER.replace('Sex', 'Gender') + ','  # ends in a comma
  path = table(tmp_path, xrays.row(NAME, 'Mass') + ',', header=older)
  assert read_labels(path)[NAME][4] == 1
  # Other columns and their order do not matter.
  path = table(
    tmp_path,
    f'1,Mass,{NAME}',
    header='Patient ID,' + ('Finding Labels,Image Index'),
  )
  assert read_labels(path)[NAME][4] == 1


@pytest.mark.parametrize(
  'line, text',
  [
    (xrays.row(NAME, 'Mas'), "'Mas': .*Did you mean 'Mass'?"),
    (xrays.row(NAME, 'Mass|Pleural Thickening'), "mean 'Pleural_Thickening'"),
    (xrays.row(NAME, 'Infiltrate'), 'There are: Atelectasis, .*No Finding'),
    (xrays.row(NAME, ''), "Unknown disease ''"),
    (xrays.row(NAME, 'Mass|No Finding'), 'stands alone'),
    (f'{NAME},Mass', 'cut off after'),
    (f'{NAME},Mass,0,2,58,M', "of patient '2'"),
    ('00000001.png,Mass,0,1,58,M', 'named like 00000001_000.png'),
    (xrays.row('00000009_000.png', 'Edema'), 'other labels than in a line'),
  ],
)
def test_a_wrong_line_is_named(tmp_path, line, text):
  path = table(tmp_path, xrays.row('00000009_000.png', 'Mass'), line)
  with pytest.raises(ValueError) as caught:
    read_labels(path)
  assert str(caught.value).startswith(f'{path}, line 3: ')
  assert re.search(text, str(caught.value))


@pytest.mark.parametrize(
  'header, lacking',
  [
    ('', 'Image Index or Finding Labels or Patient ID'),
    ('Path,Sex,Age,Atelectasis', 'Image Index'),
    (xrays.BOX_HEADER, 'Finding Labels or Patient ID'),
    (xrays.row(NAME, 'Mass'), 'Image Index'),
  ],
)
def test_a_table_of_another_kind_is_named(tmp_path, header, lacking):
  path = table(tmp_path, header=header)
  with pytest.raises(ValueError, match=f'line 1: there is no column {lacking}'):
    read_labels(path)


def test_a_table_of_full_length_is_read_fast(tmp_path):
  names = [f'{i // 4:08}_{i % 4:03}.png' for i in range(4, 112_124)]
  kinds = ['No Finding', *DISEASES, 'Mass|Nodule']
  lines = [xrays.row(n, kinds[i % 16]) for i, n in enumerate(names)]
  path = table(tmp_path, *lines)
  start = time.perf_counter()
  found = read_labels(path)
  assert time.perf_counter() - start < 5  # 0.4 s on an idle core
  assert len(found) == 112_120 and sum(found[names[15]]) == 2


# Boxes


def test_boxes_are_corners_of_each_image(tmp_path):
  xrays.write_boxes(
    tmp_path,
    f'{NAME},Infiltrate,1.5,2,10,20,,,',
    '00000006_000.png,Mass,0,0,1,1',
    f'{NAME},Cardiomegaly,5,6,7,8,,,',
    '',
  )
  found = read_boxes(tmp_path / 'BBox_List_2017.csv', FINDINGS)
  assert set(found) == {NAME, '00000006_000.png'}
  np.testing.assert_array_equal(
    found[NAME], [[2, 1.5, 22, 11.5, 3], [6, 5, 14, 12, 1]]
  )
  assert found[NAME].dtype == np.float32


@pytest.mark.parametrize(
  'line, text',
  [
    (f'{NAME},Mass,1,2,3', 'wanted an image, a disease and numbers'),
    (NAME, 'wanted an image'),
    (f'{NAME},Mass,1,2,0,4,,,', 'w > 0'),
    (f'{NAME},Mass,1,2,3,-4,,,', 'h > 0'),
    (f'{NAME},Mass,1,2,three,4,,,', 'three'),
    (f'{NAME},Mass,nan,2,3,4,,,', 'nan'),
    (f'{NAME},Mass,1,2,inf,4,,,', 'inf'),
    (f'{NAME},Infiltrated,1,2,3,4,,,', "Did you mean 'Infiltration'"),
    (f'{NAME},No Finding,1,2,3,4,,,', "Unknown disease 'No Finding'"),
    ('00000007_000.png,Mass,1,2,3,4,,,', "no image '00000007_000.png'"),
  ],
)
def test_a_wrong_box_is_named(tmp_path, line, text):
  xrays.write_boxes(tmp_path, f'{NAME},Mass,1,2,3,4,,,', line)
  path = tmp_path / 'BBox_List_2017.csv'
  with pytest.raises(ValueError) as caught:
    read_boxes(path, FINDINGS)
  assert str(caught.value).startswith(f'{path}, line 3: ')
  assert text in str(caught.value)


def test_a_wrong_box_header_is_named(tmp_path):
  xrays.write_boxes(tmp_path, header='path,x0,y0,x1,y1')
  with pytest.raises(ValueError, match='line 1: wanted the header Image Index'):
    read_boxes(tmp_path / 'BBox_List_2017.csv', FINDINGS)


# Published numbers


def labels_with(positives, images, any_):
  """Multi-hot labels with so many positives, `any_` images having some."""
  labels, begin = np.zeros((images, 14), np.int32), 0
  for disease, count in enumerate(positives):
    labels[np.arange(begin, begin + count) % any_, disease] = 1
    begin += count
  assert begin >= any_ and labels.any(axis=1).sum() == any_
  return labels


@pytest.fixture(scope='module')
def newer():
  """The labels of both lists, with the published numbers."""
  pairs = [counts.POSITIVES[name] for name in DISEASES]
  return [
    labels_with([pair[i] for pair in pairs], counts.IMAGES[i], counts.ANY[i])
    for i in (0, 1)
  ]


def check(train, test, table='Data_Entry_2017_v2020.csv'):
  return counts.check_published('here', table, train, test)


def test_the_numbers_are_those_of_the_whole_set():
  totals = {k: sum(pair) for k, pair in counts.POSITIVES.items()}
  assert sum(counts.IMAGES) == 112_120 and sum(counts.ANY) == 51_759
  assert totals['Infiltration'] == 19_894 and totals['Hernia'] == 227
  assert sum(totals.values()) == 81_176
  assert counts.FIRST_ANY == 112_120 - 60_412


def test_published_numbers_pass_under_either_name(newer):
  assert check(*newer) == 'all images, numbers as published'
  assert check(*newer, 'Data_Entry_2017.csv') == check(*newer)


def test_the_first_labels_are_known_by_their_totals(newer):
  train, test = (labels.copy() for labels in newer)
  # Atelectasis, cardiomegaly and pneumonia with less, anything with 51 less.
  for disease, less in ((0, 24), (1, 4), (6, 78)):
    shared = (train.sum(axis=1) > 1) & (train[:, disease] == 1)
    train[np.flatnonzero(shared)[:less], disease] = 0
  alone = np.flatnonzero((train.sum(axis=1) == 1) & (train[:, 3] == 1))[:51]
  train[alone] = 0
  assert len(alone) == 51
  found = check(train, test, 'Data_Entry_2017.csv')
  assert found == 'all images, the first release of the labels'
  with pytest.raises(
    ValueError, match='v2020.csv has the labels of the first release'
  ):
    check(train, test)


def test_one_other_label_is_named_with_the_numbers(newer):
  train, test = newer[0], newer[1].copy()
  first = np.flatnonzero(test[:, 13])[0]
  test[first, 13] = 0
  with pytest.raises(ValueError) as caught:
    check(train, test)
  assert 'here: Data_Entry_2017_v2020.csv has' in str(caught.value)
  assert 'Hernia (141, 85), wanted (141, 86)' in str(caught.value)
  assert 'Mass' not in str(caught.value)
  # No disease has another number, but fewer images have any.
  test = newer[1].copy()
  alone = np.flatnonzero(test.sum(axis=1) == 1)[0]
  disease = np.argmax(test[alone])
  other = np.flatnonzero(test.any(axis=1) & (test[:, disease] == 0))[0]
  test[alone, disease], test[other, disease] = 0, 1
  with pytest.raises(ValueError, match=r'any disease \(36024, 15734\), wanted'):
    check(train, test)


def test_another_split_of_all_images_is_refused(newer):
  moved = np.concatenate([newer[1], newer[0][:1]])
  with pytest.raises(ValueError, match='86,523 and 25,597 .*86,524 .*25,596'):
    check(newer[0][1:], moved)

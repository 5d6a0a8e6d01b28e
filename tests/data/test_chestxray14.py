"""ChestX-ray14 as it is downloaded: which image is where, with which label."""

import os
import pickle
import shutil

import numpy as np
import pytest
import xray_folders as xrays
from xray_folders import FINDINGS, TEST, TRAIN

from at_jax.data import chestxray14, load_dataset
from at_jax.data.chestxray14 import SIDE
from at_jax.data.chestxray14_tables import DISEASES

SIZE = 8


@pytest.fixture
def root(tmp_path):
  return xrays.write_xrays(tmp_path / 'set')


def load(root, **settings):
  fields = dict(name=f'chestxray14:{root}', size=SIZE, crop='center')
  return load_dataset(fields | settings)


def names_of(split):
  return split.records.keys()


def diseases_of(label):
  return {DISEASES[i] for i in np.flatnonzero(label)}


# What is found


def test_official_lists_are_the_splits_and_labels_are_multi_hot(root):
  data = load(root)
  assert data.class_names == DISEASES and len(DISEASES) == 14
  assert data.multi_label and not data.in_memory
  assert names_of(data.train) == TRAIN and names_of(data.test) == TEST
  assert data.validation is None and data.image_shape == (SIZE, SIZE, 3)
  for split in (data.train, data.test):
    assert split.labels.dtype == np.int32
    assert split.labels.shape == (len(split), 14)
    for name, label in zip(names_of(split), split.each_label(), strict=True):
      assert diseases_of(label) == set(FINDINGS[name].split('|')) - {
        'No Finding'
      }
  np.testing.assert_array_equal(data.train.groups, [1, 1, 1, 2, 3, 3, 4])
  np.testing.assert_array_equal(data.test.groups, [5, 5, 6])
  assert data.train.groups.dtype == np.int32
  assert 'Data_Entry_2017_v2020.csv' in data.describe()


def test_grey_images_come_in_three_channels(root):
  batch = load(root).test.examples([0, 2])
  assert batch['image'].shape == (2, SIZE, SIZE, 3)
  assert batch['image'].dtype == np.uint8 and batch['image'].std() > 1
  np.testing.assert_array_equal(batch['image'][..., 0], batch['image'][..., 2])
  assert batch['label'].shape == (2, 14) and batch['label'].dtype == np.int32
  assert 'boxes' not in batch and 'groups' not in batch


def test_multi_hot_labels_go_through_training_batches(root):
  train = load(root).train
  found = train.training_batches(
    seed=0, batch_size=3, epochs=1, host=0, hosts=1
  )
  batches = list(found)
  assert [b['label'].shape for b in batches] == [(3, 14)] * 2
  assert all(set(b) == {'image', 'label'} for b in batches)
  order = np.random.RandomState((0, 0)).permutation(7)[:6]
  labels = np.concatenate([b['label'] for b in batches])
  np.testing.assert_array_equal(labels, train.labels[order])


def test_the_layout_and_the_order_of_the_lists_do_not_matter(root, tmp_path):
  flat = xrays.write_xrays(tmp_path / 'flat', archives=False)
  xrays.write_list(flat, 'train_val_list.txt', [*reversed(TRAIN), ''])
  (flat / 'test_list.txt').write_bytes('\r\n'.join(TEST).encode('utf-8-sig'))
  one, other = load(root), load(flat)
  assert names_of(one.train) == names_of(other.train)
  assert one.fingerprint == other.fingerprint
  a, b = (data.train.examples(range(7))['image'] for data in (one, other))
  np.testing.assert_array_equal(a, b)


def test_smaller_copies_with_their_names_are_read(root):
  (root / 'train_val_list.txt').rename(root / 'train_val_list_NIH.txt')
  (root / 'test_list.txt').rename(root / 'test_list_NIH.txt')
  xrays.write_boxes(root, '00000006_000.png,Effusion,0,0,512,512,,,')
  (root / 'BBox_List_2017.csv').rename(root / 'BBox_List_2017_Official_NIH.csv')
  (root / 'images_001').rename(root / 'images-224')
  (root / 'images-224/images').rename(root / 'images-224/images-224')
  data = load(root)
  assert names_of(data.train) == TRAIN and data.test.has_boxes


def test_the_newer_release_wins_and_the_run_says_which(root):
  xrays.write_table(root, FINDINGS | {TRAIN[0]: 'Edema'}, 'Data_Entry_2017.csv')
  newer = load(root)
  assert diseases_of(newer.train.labels[0]) == {'Cardiomegaly'}
  (root / 'Data_Entry_2017_v2020.csv').unlink()
  older = load(root)
  assert diseases_of(older.train.labels[0]) == {'Edema'}
  assert '(labels of Data_Entry_2017.csv)' in older.source
  assert newer.fingerprint != older.fingerprint


def test_other_files_and_unlisted_images_are_left_alone(root):
  before = load(root)
  xrays.write_image(root / 'images_001/images/00000009_000.png', 0)
  for name in ('._00000001_000.png', 'README.txt', '00000001_000.jpg'):
    (root / 'images_001/images' / name).write_text('no image')
  (root / 'images_003.tar.gz').write_text('')
  (root / 'images_001/.hidden').mkdir()
  shutil.copy(
    root / 'images_001/images' / TRAIN[0], root / 'images_001/.hidden'
  )
  after = load(root)
  assert after.fingerprint == before.fingerprint
  assert '1 images in no list left alone' in after.source


def test_no_entry_is_asked_on_its_own(root, monkeypatch):
  stats = []
  real = os.stat
  monkeypatch.setattr(
    os, 'stat', lambda path, **how: stats.append(path) or real(path, **how)
  )
  assert len(chestxray14._images(root)) == len(FINDINGS)
  assert not stats


def test_the_fingerprint_sees_labels_boxes_and_files(root):
  prints = [load(root).fingerprint]
  for change in (
    lambda: xrays.write_table(root, FINDINGS | {TEST[0]: 'Edema'}),
    lambda: xrays.write_boxes(root, f'{TEST[2]},Effusion,0,0,512,512,,,'),
    lambda: xrays.write_boxes(root, f'{TEST[2]},Effusion,0,0,512,513,,,'),
    lambda: xrays.write_image(root / 'images_001/images' / TRAIN[0], 0, (9, 9)),
  ):
    change()
    prints.append(load(root).fingerprint)
  assert len(set(prints)) == len(prints)


def test_records_can_be_sent_to_workers(root):
  xrays.write_boxes(root, f'{TEST[2]},Effusion,0,0,512,512,,,')
  records = load(root).test.records
  copy = pickle.loads(pickle.dumps(records))
  assert copy.keys() == records.keys()
  np.testing.assert_array_equal(copy.read(2).boxes, records.read(2).boxes)


# Patients


MANY = {
  f'{patient:08}_{number:03}.png': 'No Finding'
  for patient in range(1, 12)
  for number in range(1 + patient * 7 % 5)
}


@pytest.fixture(scope='module')
def many(tmp_path_factory):
  root = xrays.write_xrays(tmp_path_factory.mktemp('many'), findings=MANY)
  patients = {int(name[:8]) for name in MANY}
  for split, chosen in (('train_val', range(1, 10)), ('test', (10, 11))):
    assert set(chosen) <= patients
    names = [n for n in MANY if int(n[:8]) in chosen]
    xrays.write_list(root, f'{split}_list.txt', names)
  return root


def test_patients_are_never_split_and_no_image_is_lost(many):
  whole = load(many)
  sizes = np.bincount(whole.train.groups)
  held_out = set()
  for wanted in range(1, len(whole.train)):
    try:
      data = load(many, validation=wanted)
    except ValueError as error:  # all patients would be held out
      assert wanted > len(whole.train) - sizes.max()
      assert 'takes whole groups (patients); 0 are left' in str(error)
      continue
    groups = [set(split.groups.tolist()) for split in data.splits.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 11
    kept, held = names_of(data.train), names_of(data.validation)
    assert sorted(kept + held) == names_of(whole.train)
    assert kept == sorted(kept) and held == sorted(held)
    # No more patients than needed, and those of fewer images among them.
    assert wanted <= len(held) < wanted + sizes.max()
    assert held_out <= set(held)
    held_out = set(held)
    np.testing.assert_array_equal(data.test.groups, whole.test.groups)


def test_which_patients_are_held_out_is_frozen(many):
  np.random.seed(3)  # not read
  data = load(many, validation=4)
  train = load(many).train.groups
  order = np.unique(train)[np.random.RandomState(0).permutation(9)]
  held = set()
  for patient in order:
    if np.isin(train, list(held)).sum() < 4:
      held.add(patient)
  assert set(data.validation.groups.tolist()) == held


def test_few_training_images_are_parts_of_more(many):
  smaller = set()
  for count in (1, 3, 9):
    data = load(many, validation=5, train_examples=count)
    larger = set(names_of(data.train))
    assert len(larger) == count and smaller <= larger
    assert not larger & set(names_of(data.validation))
    smaller = larger


def test_too_few_are_left_after_whole_patients(many):
  total = len(load(many).train)
  wanted, held = next(
    (wanted, held)
    for wanted in range(1, total)
    if (held := len(load(many, validation=wanted).validation)) > wanted
  )
  text = f'={wanted} holds out {held} .* {total - held} are left.* wants'
  with pytest.raises(ValueError, match=text):
    load(many, validation=wanted, train_examples=total - wanted)


def test_a_patient_in_both_lists_is_refused(root):
  xrays.write_list(root, 'test_list.txt', [*TEST, TRAIN[1]])
  with pytest.raises(ValueError, match=r'1 patients .*\(00000001\).* too good'):
    load(root)


# Boxes


def test_boxes_are_scaled_to_the_image_and_moved_by_crops(tmp_path):
  # Pixels of 1024 x 1024, in images of 64 x 32 (height x width).
  root = xrays.write_xrays(tmp_path, size=(64, 32))
  xrays.write_boxes(
    root,
    f'{TEST[1]},Infiltrate,512,256,256.0,128,,,',
    f'{TEST[1]},Mass,0,0,32,16,,,',
    f'{TEST[0]},Nodule,0,0,1024,1024,,,',
  )
  data = load(root, size=16, resize=16)
  assert data.test.has_boxes and not data.train.has_boxes
  boxes = data.test.records.read(1).boxes
  want = [[16, 16, 24, 24, 3], [0, 0, 1, 1, 4]]
  np.testing.assert_array_equal(boxes, want)
  # The central 32 x 32 begins 16 rows down, and becomes 16 x 16.
  seen = data.test.examples([0, 1, 2])['boxes']
  assert seen.shape == (3, 2, 5) and seen.dtype == np.float32
  np.testing.assert_array_equal(seen[0, 0], [0, 0, 16, 16, 5])
  np.testing.assert_array_equal(seen[1, 0], [0, 8, 4, 12, 3])
  assert (seen[0, 1, 4], seen[1, 1, 4], seen[2, 0, 4]) == (-1, -1, -1)


def test_boxes_of_full_sized_images_are_those_of_the_table(tmp_path):
  root = xrays.write_xrays(tmp_path)
  path = next(root.glob(f'images*/images/{TEST[2]}'))
  xrays.write_image(path, 0, (SIDE, SIDE))
  xrays.write_boxes(root, f'{TEST[2]},Effusion,225.08,547.02,86.78,79.19,,,')
  box = load(root).test.records.read(2).boxes[0]
  np.testing.assert_allclose(box, [547.02, 225.08, 626.21, 311.86, 2])


def test_a_damaged_image_with_a_box_is_named(root):
  xrays.write_boxes(root, f'{TEST[2]},Effusion,0,0,512,512,,,')
  path = next(root.glob(f'images*/images/{TEST[2]}'))
  path.write_bytes(b'no image at all')
  data = load(root)
  with pytest.raises(ValueError, match=f'{TEST[2]}: .* no image of .*skip_dam'):
    data.test.examples([2])
  left = load(root, skip_damaged=True)
  assert names_of(left.test) == TEST[:2]
  assert '1 damaged image left out' in left.source


# What is wrong


def test_missing_images_are_counted_and_named(root):
  shutil.rmtree(root / 'images_002')
  with pytest.raises(FileNotFoundError) as caught:
    load(root)
  gone = [name for number, name in enumerate(FINDINGS) if number % 2]
  for text in ('5 of 10 listed', gone[0], gone[-1], 'skip_damaged=True', '12'):
    assert text in str(caught.value)
  left = load(root, skip_damaged=True)
  assert names_of(left.train) == [n for n in TRAIN if n not in gone]
  assert names_of(left.test) == [n for n in TEST if n not in gone]
  np.testing.assert_array_equal(left.train.groups, [1, 1, 3, 4])
  assert '5 listed images not there, left out' in left.source
  # The other way for a part of the archives.
  xrays.write_list(root, 'train_val_list.txt', names_of(left.train))
  xrays.write_list(root, 'test_list.txt', names_of(left.test))
  assert load(root).fingerprint == left.fingerprint


def test_a_split_without_images_is_refused(root):
  for name in TEST:
    next(root.glob(f'images*/images/{name}')).unlink()
  text = 'none of the 3 images of the test list are'
  with pytest.raises(FileNotFoundError, match=text):
    load(root, skip_damaged=True)


@pytest.mark.parametrize(
  'gone, looked_for',
  [
    (
      ['Data_Entry_2017_v2020.csv'],
      'Data_Entry_2017_v2020.csv or Data_Entry_2017.csv',
    ),
    (['train_val_list.txt'], 'train_val_list.txt'),
    (['test_list.txt'], 'test_list.txt'),
    (['images_001', 'images_002'], 'images*/00000001_000.png'),
  ],
)
def test_what_is_not_there_is_named_with_the_ways_out(root, gone, looked_for):
  for name in gone:
    (root / name).rename(root / f'old-{name}')
  for settings in ({}, {'skip_damaged': True}):
    with pytest.raises(FileNotFoundError) as caught:
      load(root, **settings)
    for text in (
      f'looked for {root}/{looked_for}',
      f'{root} holds ',
      'data.name=chestxray14:<path>',
      'digits',
    ):
      assert text in str(caught.value)


def test_no_folder_a_file_and_no_path(tmp_path):
  with pytest.raises(FileNotFoundError, match='nowhere does not exist'):
    load(tmp_path / 'nowhere')
  (tmp_path / 'images.tar').write_text('')
  with pytest.raises(FileNotFoundError, match=r'images\.tar is a file'):
    load(tmp_path / 'images.tar')
  with pytest.raises(ValueError, match="'chestxray14:' names no folder"):
    load_dataset({'name': 'chestxray14:'})
  with pytest.raises(ValueError, match="'chestxray14' names no folder"):
    load_dataset({'name': 'chestxray14'})


def test_an_image_twice_is_refused(root):
  shutil.copytree(root / 'images_001', root / 'images')
  with pytest.raises(ValueError, match='twice: images/images/.* images_001/'):
    load(root)


@pytest.mark.parametrize(
  'lines, text',
  [
    ([], 'is empty'),
    ([*TRAIN, TRAIN[3]], f'names images twice: {TRAIN[3]}'),
    ([f'{TRAIN[0]} 0 1 0'], 'line 1: wanted a name like 00000001_000.png'),
    ([TRAIN[0], '', '1.png'], "line 3: .* got '1.png'"),
  ],
)
def test_a_list_that_is_none_is_named(root, lines, text):
  xrays.write_list(root, 'train_val_list.txt', lines)
  with pytest.raises(ValueError, match=rf'{root}/train_val_list\.txt.*{text}'):
    load(root)


def test_images_without_a_row_are_named(root):
  rows = {k: v for k, v in FINDINGS.items() if k not in TRAIN[1:3]}
  xrays.write_table(root, rows)
  with pytest.raises(ValueError, match=f'no row for 2 .*: {TRAIN[1]}, .*2.png'):
    load(root)


@pytest.mark.parametrize(
  'settings, text',
  [
    ({'test_split': 'val'}, "test_split='val' must be empty"),
    ({'channels': 1}, 'must be 3'),
    ({'label_noise': 0.1}, 'label_noise=0.1 must be 0'),
    ({'to_box': True}, 'there are none'),
  ],
)
def test_settings_that_do_not_fit(root, settings, text):
  with pytest.raises(ValueError, match=text):
    load(root, **settings)


def test_the_whole_set_is_compared_with_what_is_published(root, monkeypatch):
  monkeypatch.setattr(chestxray14, 'IMAGES', (7, 3))
  with pytest.raises(ValueError, match=f'{root}: the lists have 7 and 3 image'):
    load(root)
  monkeypatch.setattr(chestxray14, 'IMAGES', (8, 3))
  load(root)
  # All images are there, and one is on no list.
  xrays.write_image(root / 'images_001/images/00000009_000.png', 0)
  with pytest.raises(ValueError, match='the lists have 7 and 3 images'):
    load(root)

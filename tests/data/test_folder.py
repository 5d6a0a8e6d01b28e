import hashlib
import os
import pickle
import struct

import numpy as np
import pytest
from PIL import Image

from at_jax.data import folder as folders
from at_jax.data.folder import list_folder


def write(root, *paths):
  """Writes a tiny image at each path."""
  for number, path in enumerate(paths):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (3 + number, 2)).save(file)
  return root


@pytest.fixture
def root(tmp_path):
  return write(
    tmp_path,
    'train/dog/b.jpg',
    'train/dog/a.png',
    'train/cat/10.jpeg',
    'train/cat/9.jpeg',
    'test/cat/x.webp',
    'test/dog/y.bmp',
    'test/dog/z.JPG',
  )


def fingerprint(data):
  digest = hashlib.blake2b(digest_size=16)
  for files in (data.train, data.test):
    files.update(digest)
  return digest.hexdigest()


def write_boxes(root, *lines, header='path,x0,y0,x1,y1'):
  (root / 'boxes.csv').write_text('\n'.join([header, *lines, '']))
  return root


# Names and labels


def test_images_are_listed_by_class_and_name(root):
  data = list_folder(root)
  assert data.class_names == ('cat', 'dog')
  assert data.train.paths.tolist() == [
    'train/cat/10.jpeg',
    'train/cat/9.jpeg',
    'train/dog/a.png',
    'train/dog/b.jpg',
  ]
  np.testing.assert_array_equal(data.train.labels, [0, 0, 1, 1])
  assert data.test.paths.tolist() == [
    'test/cat/x.webp',
    'test/dog/y.bmp',
    'test/dog/z.JPG',
  ]
  np.testing.assert_array_equal(data.test.labels, [0, 1, 1])
  assert data.train.labels.dtype == np.int32
  assert (len(data.train), len(data.test)) == (4, 3)
  assert data.train.boxes is data.test.boxes is None
  assert data.root == str(root) and data.test_name == 'test'
  for path in (*data.train.paths, *data.test.paths):
    assert os.path.isfile(os.path.join(data.root, path))


def test_the_order_is_not_the_disks(tmp_path):
  names = [
    f'{number:02}' for number in np.random.default_rng(0).permutation(20)
  ]
  for name in names:
    write(tmp_path, f'train/{name}/1.png', f'test/{name}/1.png')
    write(tmp_path, f'train/00/{name}.png')
  data = list_folder(tmp_path)
  assert list(data.class_names) == sorted(names)
  want = sorted({'1', *names})
  assert data.train.paths[:21].tolist() == [f'train/00/{n}.png' for n in want]


def test_val_is_the_test_set_where_there_is_no_test(root):
  (root / 'test').rename(root / 'val')
  data = list_folder(root)
  assert data.test_name == 'val' and data.test.paths[0] == 'val/cat/x.webp'
  write(root, 'test/cat/1.png', 'test/dog/2.png')
  assert list_folder(root).test_name == 'test'


def test_hidden_files_and_others_are_left_alone(root):
  before = list_folder(root)
  assert (before.train.others, before.test.others) == (0, 0)
  for path in (
    'train/.DS_Store',
    'train/.git/x.jpg',
    'train/cat/._9.jpeg',
    'train/cat/.thumbnails/x.jpg',
    'train/notes.txt',
    'train/dog/jpg',
    'train/dog/b.jpg.txt',
    'train/cat/scan.tif',
    'test/cat/Thumbs.db',
  ):
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text('not an image')
  after = list_folder(root)
  np.testing.assert_array_equal(after.train.paths, before.train.paths)
  np.testing.assert_array_equal(after.test.paths, before.test.paths)
  assert after.class_names == before.class_names
  assert (after.train.others, after.test.others) == (3, 1)


def test_links_are_followed(root, tmp_path_factory):
  elsewhere = write(tmp_path_factory.mktemp('elsewhere'), 'one.png')
  (root / 'train/cat/link.png').symlink_to(elsewhere / 'one.png')
  (root / 'train/bird').symlink_to(elsewhere)
  write(root, 'test/bird/1.png')
  data = list_folder(root)
  assert data.class_names == ('bird', 'cat', 'dog')
  assert 'train/bird/one.png' in data.train.paths
  assert 'train/cat/link.png' in data.train.paths
  assert fingerprint(data)


def test_names_of_any_language_and_relative_paths(tmp_path, monkeypatch):
  write(tmp_path / 'set', 'train/Bär 1/ä, ö.jpg', 'test/Bär 1/犬.png')
  monkeypatch.chdir(tmp_path)
  data = list_folder('set')
  assert data.class_names == ('Bär 1',)
  assert data.train.paths.tolist() == ['train/Bär 1/ä, ö.jpg']
  assert data.root == str(tmp_path / 'set')
  monkeypatch.setenv('HOME', str(tmp_path))
  assert list_folder('~/set').root == data.root


def test_what_was_found_can_be_sent_to_workers(root):
  write_boxes(root, 'train/cat/9.jpeg,0,0,1,1')
  data = list_folder(root)
  copy = pickle.loads(pickle.dumps(data))
  np.testing.assert_array_equal(copy.train.paths, data.train.paths)
  np.testing.assert_array_equal(copy.train.boxes[1], data.train.boxes[1])
  assert fingerprint(copy) == fingerprint(data)


def test_entries_are_not_asked_one_by_one(root, monkeypatch):
  # 1.3 million of them on a network disk would take minutes.
  stats = []
  monkeypatch.setattr(os, 'stat', lambda path, **_: stats.append(path))
  folders._images(root / 'train/cat')
  assert not stats


# Folders that are wrong


def test_a_missing_folder_names_the_ways_out(tmp_path):
  with pytest.raises(FileNotFoundError) as caught:
    list_folder(tmp_path / 'nowhere')
  for text in (
    f'{tmp_path}/nowhere/train/<class>/*.jpg',
    'does not exist',
    'data.name=folder:<path>',
    'digits',
  ):
    assert text in str(caught.value)


def test_a_folder_without_splits_says_what_it_holds(tmp_path):
  with pytest.raises(FileNotFoundError, match='holds nothing'):
    list_folder(tmp_path)
  for name in 'abcdefg':
    (tmp_path / name).mkdir()
  with pytest.raises(FileNotFoundError, match='a, b, c, d, e and 2 more'):
    list_folder(tmp_path)


def test_a_missing_test_set_is_named(root):
  (root / 'test').rename(root / 'tset')
  with pytest.raises(FileNotFoundError, match=r'No folder test \(or val\)'):
    list_folder(root)


def test_a_file_is_no_folder(tmp_path):
  (tmp_path / 'set.tar').write_text('')
  with pytest.raises(FileNotFoundError, match=r'set\.tar is a file'):
    list_folder(tmp_path / 'set.tar')


def test_images_without_class_folders_are_refused(tmp_path):
  write(tmp_path, 'train/cat/1.png', 'test/1.png')
  with pytest.raises(ValueError, match='test has no class folders'):
    list_folder(tmp_path)


def test_empty_classes_are_named(root):
  (root / 'train/bird').mkdir()
  (root / 'test/bird').mkdir()
  with pytest.raises(ValueError, match='train has class .*: bird.*jpeg'):
    list_folder(root)
  write(root, 'train/bird/1.png')
  (root / 'test/bird/1.tif').write_text('')
  with pytest.raises(ValueError, match='test has class .*: bird'):
    list_folder(root)


def test_a_folder_in_a_class_is_refused(root):
  write(root, 'train/cat/more/1.png')
  with pytest.raises(ValueError, match='train/cat/more is a folder in a class'):
    list_folder(root)


def test_different_classes_are_named(root):
  new = (
    'train/bird/1.png',
    'train/ant/1.png',
    'test/Cat/1.png',
    'test/fox/1.png',
  )
  write(root, *new)
  with pytest.raises(ValueError) as caught:
    list_folder(root)
  assert 'only in train/: ant, bird; only in test/: Cat, fox.' in str(
    caught.value
  )
  (root / 'test').rename(root / 'val')
  with pytest.raises(ValueError, match='only in val/: Cat'):
    list_folder(root)


# Boxes


def test_boxes_are_rows_and_columns_of_each_image(root):
  write_boxes(
    root,
    'train/dog/b.jpg,1,2,30,40',
    'test/cat/x.webp,0,-1.5,1e2,2',
    'train/dog/b.jpg,5,6,7,8',
    '',
  )
  data = list_folder(root)
  empty = np.empty((0, 5))
  want = [empty, empty, empty, [[2, 1, 40, 30, 1], [6, 5, 8, 7, 1]]]
  for got, rows in zip(data.train.boxes, want, strict=True):
    np.testing.assert_array_equal(got, rows)
    assert got.dtype == np.float32
  want = [[[-1.5, 0, 2, 100, 0]], empty, empty]
  for got, rows in zip(data.test.boxes, want, strict=True):
    np.testing.assert_array_equal(got, rows)


def test_boxes_may_name_their_class(root):
  write_boxes(
    root,
    'train/dog/b.jpg,1,2,30,40,cat',
    header='\ufeffpath, x0, y0, x1, y1, class',
  )
  boxes = list_folder(root).train.boxes[3]
  np.testing.assert_array_equal(boxes, [[2, 1, 40, 30, 0]])


def test_quoted_paths(tmp_path):
  write(tmp_path, 'train/a/x, y.png', 'test/a/1.png')
  write_boxes(tmp_path, '"train/a/x, y.png",0,0,1,1')
  assert len(list_folder(tmp_path).train.boxes[0]) == 1


@pytest.mark.parametrize(
  'line, text',
  [
    ('train/dog/b.jpg,1,2,30', 'wanted path,x0,y0,x1,y1 with numbers'),
    ('train/dog/b.jpg,1,2,30,40,dog', 'wanted path,x0,y0,x1,y1 with numbers'),
    ('train/dog/b.jpg,1,2,thirty,40', 'thirty'),
    ('train/dog/b.jpg,30,2,1,40', 'x0 < x1'),
    ('train/dog/b.jpg,1,40,30,40', 'y0 < y1'),
    ('train/dog/b.jpg,1,2,30,inf', 'inf'),
    ('train/dog/b.jpg,nan,2,30,40', 'nan'),
    ('train/dog/bb.jpg,1,2,30,40', "no image 'train/dog/bb.jpg'"),
    ('dog/b.jpg,1,2,30,40', "no image 'dog/b.jpg'"),
  ],
)
def test_a_wrong_line_is_named(root, line, text):
  write_boxes(root, 'train/cat/9.jpeg,0,0,1,1', line)
  with pytest.raises(ValueError) as caught:
    list_folder(root)
  assert f'{root}/boxes.csv, line 3: ' in str(caught.value)
  assert text in str(caught.value)


def test_an_unknown_class_is_named(root):
  line = 'train/dog/b.jpg,1,2,30,40,dgo'
  write_boxes(root, line, header='path,x0,y0,x1,y1,class')
  with pytest.raises(ValueError, match="line 2: class 'dgo' is none of the 2"):
    list_folder(root)


@pytest.mark.parametrize(
  'header', ['', 'path,y0,x0,y1,x1', 'train/dog/b.jpg,1,2,30,40']
)
def test_a_wrong_header_is_named(root, header):
  write_boxes(root, header=header)
  with pytest.raises(ValueError, match=r'line 1: wanted .*\[,class\], got'):
    list_folder(root)


# Fingerprint


def test_the_fingerprint_is_of_names_sizes_and_boxes(root, tmp_path_factory):
  write_boxes(root, 'train/dog/b.jpg,1,2,30,40')
  first = fingerprint(list_folder(root))
  assert fingerprint(list_folder(root)) == first
  elsewhere = tmp_path_factory.mktemp('moved') / 'set'
  root.rename(elsewhere)
  assert fingerprint(list_folder(elsewhere)) == first
  (elsewhere / 'train/cat/notes.txt').write_text('no part of the data')
  assert fingerprint(list_folder(elsewhere)) == first

  prints = [first]
  for change in (
    lambda: write_boxes(elsewhere, 'train/dog/b.jpg,1,2,30,41'),
    lambda: write_boxes(elsewhere, 'train/dog/a.png,1,2,30,41'),
    lambda: write_boxes(elsewhere),
    lambda: (elsewhere / 'boxes.csv').unlink(),
    lambda: (elsewhere / 'train/cat/9.jpeg').write_bytes(b'another'),
    lambda: (elsewhere / 'train/cat/9.jpeg').rename(
      elsewhere / 'train/dog/9.jpeg'
    ),
    lambda: (elsewhere / 'train/dog/9.jpeg').unlink(),
    lambda: (elsewhere / 'test').rename(elsewhere / 'val'),
  ):
    change()
    prints.append(fingerprint(list_folder(elsewhere)))
  assert len(set(prints)) == len(prints)


def test_the_fingerprint_is_the_same_everywhere(tmp_path):
  for path in ('train/a/1.png', 'test/a/2.png'):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(b'12345')
  write_boxes(tmp_path, 'train/a/1.png,1,2,3,4')
  # Paths and sizes, labels, boxes: one in train, none in test.
  digest = hashlib.blake2b(digest_size=16)
  digest.update(b'1;train/a/1.png\x005;' + struct.pack('<i', 0))
  digest.update(b'1;' + struct.pack('<5f', 2, 1, 4, 3, 0))
  digest.update(b'1;test/a/2.png\x005;' + struct.pack('<i', 0) + b'0;')
  assert fingerprint(list_folder(tmp_path)) == digest.hexdigest()


def test_a_file_that_has_gone_is_named(root):
  data = list_folder(root)
  (root / 'train/dog/a.png').unlink()
  with pytest.raises(FileNotFoundError, match=r'train/dog/a\.png'):
    assert fingerprint(data)

"""Images of a TFDS folder, read one by one."""

import dataclasses
import hashlib
import io
import json
import pickle
import resource
import shutil

import numpy as np
import pytest
from PIL import Image

from at_jax.data import load_dataset, tfds_folder
from at_jax.data.crops import NO_BOX
from at_jax.data.examples import Loader, View
from at_jax.data.stream import Order, batches

NAMES = ('ant', 'bee', 'cat')
COUNTS = dict(train=11, validation=4, test=7)


def jpeg(number, height, width, orientation=1):
  pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3))
  file, exif = io.BytesIO(), Image.Exif()
  exif[0x0112] = orientation
  Image.fromarray(pixels.astype(np.uint8)).save(file, format='jpeg', exif=exif)
  return file.getvalue()


def example(split, number):
  """Bytes of an image, its label, and a box in whole pixels."""
  number += 20 * list(COUNTS).index(split)
  height, width = size = 57 + number, 103 - number
  box = np.array([number % 20, 2, height - number // 5, width - 3 - number % 7])
  return jpeg(number, *size), number % 3, box, np.tile(size, 2)


def bird(split, number):
  data, label, box, sides = example(split, number)
  return {
    'image': io.BytesIO(data),
    'label': label,
    'bbox': box / sides,
    'segmentation_mask': io.BytesIO(b'cannot be decoded'),
    'names': ['something', 'else'],
  }


def features(kinds):
  return {
    'image': kinds.Image(),
    'label': kinds.ClassLabel(names=NAMES),
    'bbox': kinds.BBoxFeature(),
    'segmentation_mask': kinds.Image(shape=(None, None, 1)),
    'names': kinds.Sequence(kinds.Text()),
  }


@pytest.fixture(scope='module')
def whole(tmp_path_factory, files):
  """The folder of the birds; tests that change it copy it."""
  folder = tmp_path_factory.mktemp('tfds')
  splits = {
    split: [(f'{split}{i}', bird(split, i)) for i in range(count)]
    for split, count in COUNTS.items()
  }
  files.write_records(folder, features, splits, name='birds')
  return folder


@pytest.fixture
def copy(whole, tmp_path):
  shutil.copytree(whole, tmp_path / 'copy')
  return tmp_path / 'copy'


@pytest.fixture
def train(whole):
  """Records that nothing is known of yet."""
  return load(whole).train.records


def load(folder, name='birds', **fields):
  settings = dict(name=f'tfds:{name}', dir=str(folder), size=16)
  return load_dataset(settings | fields)


def edit(folder, file, old, new):
  path = folder / 'birds/1.0.0' / file
  text = path.read_text()
  assert old in text
  path.write_text(text.replace(old, new))


def digest(records):
  found = hashlib.blake2b()
  records.update(found)
  return found.hexdigest()


class Counting:
  """A source of records that lists what is read, and fails at some."""

  def __init__(self, source, broken=()):
    self.source, self.broken, self.read = source, broken, []

  def __len__(self):
    return len(self.source)

  def __getitem__(self, index):
    self.read.append(index)
    if index in self.broken:
      raise RuntimeError('bad frame')
    return self.source[index]


# What is read


def test_records_are_what_was_written(whole):
  data = load(whole)
  assert data.class_names == NAMES and data.name == 'birds'
  assert data.source == (
    f'TFDS birds/1.0.0 in {whole}: A tiny copy (split test is the test set)'
  )
  for records in (data.train.records, data.test.records):
    split, count = records.split, len(records)
    wanted = [example(split, number) for number in range(count)]
    wanted = {image: rest for image, *rest in wanted}
    assert count == len(wanted) == COUNTS[split]
    for index in range(count):
      got = records.read(index)
      label, box, _ = wanted.pop(got.data)
      assert got.label == records.labels[index] == label
      # Exactly, though parts of the sides are stored, as float32.
      np.testing.assert_array_equal(got.boxes, [[*box, label]])
      assert got.boxes.dtype == np.float32


def test_workers_change_nothing(train):
  order = Order(len(train), seed=0, batch_size=4, epochs=2)
  view = View('random_resized', size=8, to_box=True)
  want = list(batches(order, Loader(train, view, boxes=True)))
  assert len(want) == 4 and want[0]['boxes'].shape == (4, 1, 5)
  found = batches(order, Loader(train, view, boxes=True), workers=1)
  for one, other in zip(found, want, strict=True):
    for name in other:
      np.testing.assert_array_equal(one[name], other[name])
  found.close()


def test_copies_for_workers_are_small_and_remember(train):
  labels = train.labels
  data = pickle.dumps(train)
  assert len(data) < 2000
  copied = pickle.loads(data)
  assert copied.read(3).data == train.read(3).data
  object.__setattr__(copied, 'source', Counting(train.source, range(11)))
  np.testing.assert_array_equal(copied.labels, labels)


def test_labels_are_read_once_and_no_further_than_asked(train, monkeypatch):
  monkeypatch.setattr('at_jax.data.tfds_records.CHUNK', 3)
  train = dataclasses.replace(train, source=Counting(train.source))
  labels, seen = train.each_label(), train.source.read
  first = [next(labels), next(labels)]
  assert train.most_boxes == 1 and seen == [0, 1]
  assert train.labels.tolist() == first + list(labels)
  assert train.labels.dtype == np.int32 and len(seen) == 11 + 11


def test_parts_of_parts(train):
  part = train.take(np.array([7, 2, 9])).take([2, 0])
  for index, row in enumerate((9, 7)):
    assert part.read(index).data == train.read(row).data
    assert part.name(index) == train.name(row)
  assert list(part.each_label()) == part.labels.tolist()
  assert part.labels.tolist() == train.labels[[9, 7]].tolist()


def test_fingerprints(whole, copy, train):
  parts = [train, *(train.take(rows) for rows in ([1, 2], [1, 3], [2, 1]))]
  assert len({digest(part) for part in parts}) == 4
  first = load(whole).fingerprint
  assert load(copy).fingerprint == first
  prints = [first, load(whole, test_split='validation').fingerprint]
  prints += [load(whole, validation=n).fingerprint for n in (2, 3)]
  edit(copy, 'dataset_info.json', '1.0.0', '1.0.1')
  (copy / 'birds/1.0.0').rename(copy / 'birds/1.0.1')
  assert len({*prints, load(copy).fingerprint}) == 5


# Boxes


def test_any_number_of_boxes(tmp_path, files):
  def kinds(kinds):
    inner = {'bbox': kinds.BBoxFeature(), 'label': kinds.ClassLabel(names='ab')}
    own = {k: v for k, v in features(kinds).items() if k in ('image', 'label')}
    return own | {'objects': kinds.Sequence(inner)}

  def records(*boxes):
    objects = [{'bbox': np.array(box), 'label': 1} for box in boxes]
    image = io.BytesIO(jpeg(0, 40, 80))
    yield 'one', {'image': image, 'label': 2, 'objects': objects}

  box, row = (0.25, 0.5, 0.5, 1), [10, 40, 20, 80, 2]
  flat = (0.5, 0.5, 0.5, 0.75)
  splits = {'train': records(box, flat, (0, 0, 1, 0.25)), 'test': records()}
  files.write_records(tmp_path, kinds, splits, name='dogs')
  data = load(tmp_path, 'dogs')
  train, test = (split.records for split in (data.train, data.test))
  np.testing.assert_array_equal(train.read(0).boxes, [row, [0, 0, 40, 20, 2]])
  assert test.read(0).boxes.shape == (0, 5)
  assert (train.most_boxes, test.most_boxes) == (3, 0)
  padded = data.train.examples([0])['boxes']
  assert padded.shape == (1, 3, 5) and tuple(padded[0, 2]) == NO_BOX
  assert 'boxes' not in data.test.examples([0])


def test_boxes_are_those_of_the_upright_image(tmp_path, files):
  def records():  # 40 x 80, lying on its side
    image = io.BytesIO(jpeg(0, 40, 80, orientation=6))
    box = np.array([0.5, 0.25, 1.0, 0.5])
    yield 'a', bird('train', 1) | {'image': image, 'bbox': box}

  splits = {'train': records(), 'test': records()}
  files.write_records(tmp_path, features, splits, name='birds')
  read = load(tmp_path).test.records.read(0)
  np.testing.assert_array_equal(read.boxes, [[40, 10, 80, 20, 1]])


def test_formats_of_boxes(copy, train):
  named, kind = '"bboxFormat": "REL_YXYX",', '"dtype": "float32",'
  edit(copy, 'features.json', named, '')  # as older versions write it
  again = load(copy).train.records.read(0)
  np.testing.assert_array_equal(again.boxes, train.read(0).boxes)
  edit(copy, 'features.json', kind, '"bboxFormat": "XYWH",' + kind)
  with pytest.raises(ValueError, match='to_box=True'):  # they are left out
    load(copy, to_box=True)


# What can be wrong


def test_more_files_than_a_process_may_open(whole, monkeypatch):
  limits = [(8, 2000)]
  monkeypatch.setattr(resource, 'getrlimit', lambda _: limits[-1])
  monkeypatch.setattr(resource, 'setrlimit', lambda _, new: limits.append(new))
  load(whole)
  load(whole)
  assert limits[1:] == [(3 + tfds_folder.SPARE_FILES, 2000)]

  def refuse(*_):
    raise ValueError('not allowed to raise maximum limit')

  limits[:] = [(8, 8)]
  monkeypatch.setattr(resource, 'setrlimit', refuse)
  with pytest.raises(ValueError, match='of 3 files.* may open 8 here'):
    load(whole)


def test_an_unreadable_record_is_named(train, whole):
  broken = dataclasses.replace(train, source=Counting(train.source, [6]))
  part = broken.take([3, 6])
  assert part.read(0)
  where = f"birds/1.0.0 in {whole}: record 6 of split 'train' is damaged"
  for ask in (part.read, lambda index: part.labels):
    with pytest.raises(ValueError, match=f'{where} .*bad frame.*skip_damaged'):
      ask(1)


def test_damaged_files(copy):
  (shard,) = (copy / 'birds/1.0.0').glob('birds-train.array_record*')
  data = bytearray(shard.read_bytes())
  data[20_000:20_020] = b'x' * 20
  shard.write_bytes(data)
  with pytest.raises(ValueError, match="of split 'train' is damaged"):
    assert load(copy).train.labels.any()
  found = load(copy, skip_damaged=True)
  assert found.source.endswith('; 1 damaged image left out')
  assert len(found.train.labels) == 10
  shard.unlink()
  with pytest.raises(ValueError, match="'train'.*1 of 1 files are missing"):
    load(copy)


def test_labels_out_of_range_are_named(train):
  few = dataclasses.replace(train, classes=2)
  index = train.labels.tolist().index(2)
  with pytest.raises(ValueError, match=f'record {index} .*has the label 2'):
    few.read(index)
  with pytest.raises(ValueError, match="split 'train': label 2 of example"):
    assert few.labels.any()


def test_a_missing_folder_names_the_ways_out(whole, tmp_path):
  with pytest.raises(FileNotFoundError) as caught:
    load(tmp_path, 'cub')
  path = f'{tmp_path}/cub/<version>/dataset_info.json'
  for text in (path, 'does not exist', 'docs/data.md', 'data.dir', 'digits'):
    assert text in str(caught.value)
  shutil.copytree(whole / 'birds', tmp_path / 'voc/2007')
  with pytest.raises(FileNotFoundError, match='voc holds 2007'):
    load(tmp_path, 'voc')
  assert load(tmp_path, 'voc/2007').source.startswith('TFDS voc/2007/1.0.0 ')
  for name in ('tfds', 'tfds:'):
    with pytest.raises(ValueError, match='names no dataset: data.name=tfds:<'):
      load_dataset({'name': name})


@pytest.mark.parametrize(
  'file, old, new, message',
  [
    ('dataset_info.json', 'array_record', 'tfrecord', 'tfds convert_format'),
    ('features.json', '"label"', '"labels"', "'label', a ClassLabel; there"),
    ('features.json', '{', '', 'cannot be read'),
  ],
)
def test_other_folders_are_refused(copy, file, old, new, message):
  edit(copy, file, old, new)
  with pytest.raises(ValueError, match=message):
    load(copy)


def test_a_split_that_is_not_there(copy):
  with pytest.raises(ValueError, match="Did you mean 'validation'"):
    load(copy, test_split='validaton')
  path = copy / 'birds/1.0.0/dataset_info.json'
  info = json.loads(path.read_text())
  info['splits'] = [s for s in info['splits'] if s['name'] != 'test']
  path.write_text(json.dumps(info))
  message = "'test'.* There are: train, validation.*data.test_split=validation"
  with pytest.raises(ValueError, match=message):
    load(copy)
  assert len(load(copy, test_split='validation').test) == 4


def test_a_split_without_labels(tmp_path, files):
  labels = dict(train=0, validation=1, test=-1)
  splits = {
    k: [('a', bird('train', 0) | {'label': v})] for k, v in labels.items()
  }
  files.write_records(tmp_path, features, splits, name='birds')
  message = "split 'test' have no labels .*data.test_split=validation"
  with pytest.raises(ValueError, match=message):
    load(tmp_path)
  assert load(tmp_path, test_split='validation').test.labels == [1]

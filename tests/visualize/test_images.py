"""Images as several networks see them."""

import dataclasses

import ml_collections
import numpy as np
import pytest
from PIL import Image
from small_networks import tiny_network

from at_jax.visualize import images
from at_jax.visualize.images import Examples, Photos

PER_PIXEL = tuple(tuple((1.0, 2.0, 3.0) for _ in range(8)) for _ in range(8))


def write(path, *size):
  rng = np.random.default_rng(0)
  Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(path)
  return path


def test_every_network_has_its_size(tmp_path):
  path = write(tmp_path / 'a.png', 30, 40, 3)
  small, large = tiny_network(), tiny_network(shape=(12, 12, 3))
  ((one, two),) = Photos([path]).together([small, large])
  assert one.image.shape == (8, 11, 3) and two.image.shape == (12, 16, 3)
  assert (one.name, two.title) == ('a', 'a.png')
  ((one, two),) = Photos([path], size=24).together([small, large])
  assert one.image.shape == (24, 32, 3) and two.image is one.image
  for photos, other in (
    (Photos([path], square=True), large),
    (Photos([path]), tiny_network(mean=PER_PIXEL)),
  ):
    found = next(photos.together([small, other]))
    assert [x.image.shape[0] == x.image.shape[1] for x in found] == [True] * 2


def test_broken_files_are_left_out_everywhere(tmp_path):
  paths = [write(tmp_path / f'{name}.png', 9, 9) for name in 'ac']
  paths.insert(1, tmp_path / 'b.png')
  paths[1].write_bytes(b'no image')
  photos = Photos([tmp_path / '*.png', paths[0]])
  for _ in range(2):
    assert [shown.name for shown in photos.of(tiny_network())] == ['a', 'c']
  assert photos.titles == {'a': 'a.png', 'c': 'c.png'}
  assert list(photos.failed) == ['b'] and 'it is no image' in photos.failed['b']
  with pytest.raises(ValueError, match=r'b\.png: it is no image'):
    list(Photos([paths[1]]).of(tiny_network()))


def test_photos_of_one_name_are_told_apart(tmp_path):
  for folder in ('a', 'b'):
    (tmp_path / folder).mkdir()
    write(tmp_path / folder / 'x.png', 9, 9)
  write(tmp_path / 'b/y.png', 9, 9)
  photos = Photos([tmp_path / 'a', tmp_path / 'b'])
  found = [(one.name, one.title) for one in photos.of(tiny_network())]
  assert found == [
    ('a_x.png', 'a_x.png'),
    ('b_x.png', 'b_x.png'),
    ('b_y.png', 'y.png'),
  ]


def test_test_images_of_another_size(monkeypatch):
  class Split:
    def __len__(self):
      return 3

    def each_label(self):
      return np.array([1, 1, 0])

    def examples(self, indices):
      image = np.zeros((1, 4, 8, 3), np.uint8) + np.uint8(10 * indices[0])
      boxes = np.array([[[1.0, 2.0, 3.0, 4.0, 1.0]]])
      return dict(image=image, label=np.array([1]), boxes=boxes)

  data = type('D', (), dict(test=Split(), class_names=('cat', 'dog')))
  monkeypatch.setattr(images, 'load_dataset', lambda settings: data)
  config = ml_collections.ConfigDict(dict(data=dict(name='x')))
  own, other = tiny_network(shape=(4, 8, 3)), tiny_network()
  found = list(Examples(config, 5).together([own, other]))
  assert [one.name for one, _ in found] == ['test0', 'test2', 'test1']
  one, two = found[1]
  assert one.image.shape == (4, 8, 3) and (two.image == 20).all()
  assert two.image.shape == (8, 8, 3) and two.title == 'test2, label dog'
  np.testing.assert_array_equal(one.boxes, [[1, 2, 3, 4, 1]])
  np.testing.assert_array_equal(two.boxes, [[2, 2, 6, 4, 1]])
  assert one.class_names == ('cat', 'dog')


def test_labels_for_a_network_of_other_classes():
  """They are found by name, not by number."""
  shown = images.Shown('x', 'dog', 0, 1, 'boxes', ('cat', 'dog'))
  assert shown.among(['cat', 'dog']) is shown
  other = shown.among(('dog', 'owl'))
  assert (other.label, other.boxes) == (0, None)
  assert shown.among(('owl', 'cow')).label is None
  several = dataclasses.replace(shown, label=np.array([1, 0]))
  assert several.among(('cat', 'dog')).label is several.label
  assert several.among(('dog', 'cat')).label is None
  photo = images.Shown('x', 'x.png', 0)
  assert photo.among(('cat',)) is photo

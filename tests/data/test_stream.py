"""Batches of a folder of images: order, crops, resume, hosts, workers."""

import itertools
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from at_jax.data import stream
from at_jax.data.crops import NO_BOX
from at_jax.data.examples import Loader, View
from at_jax.data.folder import list_folder
from at_jax.data.stream import InOrder, Order, batches

COUNT, BATCH, EPOCHS = 11, 4, 3
STEPS = 2 * EPOCHS


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Eleven images; the number of image k is in its red channel."""
  root = tmp_path_factory.mktemp('images')
  rng = np.random.default_rng(0)
  for split in ('train', 'test'):
    for k in range(COUNT):
      path = root / split / f'class{k % 3}' / f'{k:02}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      pixels = rng.integers(0, 256, (20 + k, 31 - k, 3), np.uint8)
      pixels[..., 0] = 10 * k
      Image.fromarray(pixels).save(path)
  return list_folder(root)


def loader(folder, seed=0, view=None, split='train'):
  view = view or View('random_resized', size=8)
  records = getattr(folder, split)
  return Loader(records, view, seed, boxes=records.most_boxes > 0)


def order(**kwargs):
  settings = dict(seed=0, batch_size=BATCH, epochs=EPOCHS)
  return Order(COUNT, **settings | kwargs)


def assert_same(got, want):
  got, want = list(got), list(want)
  assert len(got) == len(want)
  for one, other in zip(got, want, strict=True):
    assert one.keys() == other.keys()
    for name in one:
      np.testing.assert_array_equal(one[name], other[name])


def test_every_epoch_is_another_permutation():
  found = np.array([order()[i] for i in range(len(order()))])
  assert len(found) == STEPS * BATCH
  np.testing.assert_array_equal(found[:, 0], np.repeat(range(EPOCHS), 8))
  epochs = found[:, 1].reshape(EPOCHS, 8)
  for epoch in epochs:
    assert len(set(epoch)) == 8 and set(epoch) <= set(range(COUNT))
  assert len({tuple(epoch) for epoch in epochs}) == EPOCHS
  other = order(seed=1)
  assert [other[i][1] for i in range(8)] != list(epochs[0])


def test_hosts_share_each_batch():
  whole, hosts = order(), [order(host=h, hosts=2) for h in range(2)]
  for step in range(STEPS):
    parts = [host[2 * step + i] for host in hosts for i in range(2)]
    assert parts == [whole[4 * step + i] for i in range(4)]


@pytest.mark.parametrize('step', [1, 2, 3, 5])
def test_going_on_at_a_step(step):
  later = order(first_step=step)
  assert len(later) == (STEPS - step) * BATCH
  wanted = [order()[i] for i in range(step * BATCH, STEPS * BATCH)]
  assert [later[i] for i in range(len(later))] == wanted


def test_batches_hold_what_the_order_says(folder):
  found = list(batches(order(), loader(folder)))
  assert len(found) == STEPS
  for step, batch in enumerate(found):
    assert batch['image'].shape == (BATCH, 8, 8, 3)
    assert batch['image'].dtype == np.uint8
    assert batch['label'].dtype == np.int32
    for slot in range(BATCH):
      _, index = order()[step * BATCH + slot]
      path = folder.train.paths[index]
      number = int(path[-6:-4])
      assert (batch['image'][slot, ..., 0] == 10 * number).all()
      assert batch['label'][slot] == number % 3


def test_crops_depend_on_seed_epoch_and_image_alone(folder):
  load = loader(folder)
  one = load((0, 3))['image']
  np.testing.assert_array_equal(one, loader(folder)((0, 3))['image'])
  assert (one != load((1, 3))['image']).any()
  assert (one != loader(folder, seed=1)((0, 3))['image']).any()


def test_threads_and_workers_change_nothing(folder):
  want = list(batches(order(), loader(folder), threads=1))
  assert_same(batches(order(), loader(folder), threads=3), want)
  for workers in (1, 2):
    found = batches(order(), loader(folder), workers=workers)
    assert_same(itertools.islice(found, STEPS), want)
    found.close()


class Numbers:
  """Loads the number of an image, and stands for what takes time."""

  def __call__(self, place):
    return {'place': np.array(place)}


def workers_of(process):
  return [
    child
    for child in process.children(recursive=True)
    if any('spawn_main' in part for part in child.cmdline())
  ]


def test_ctrl_c_is_left_to_the_parent_and_a_killed_worker_is_said():
  want = list(batches(order(), Numbers(), threads=1))
  found = batches(order(), Numbers(), workers=1)
  assert_same([next(found)], want[:1])
  (worker,) = workers_of(psutil.Process())
  for number in (signal.SIGINT, signal.SIGTERM):
    worker.send_signal(number)
  time.sleep(0.2)
  assert worker.is_running()
  assert_same([next(found)], want[1:2])
  worker.kill()
  with pytest.raises(OSError, match='exit code -9.*fewer --config.data.work'):
    list(found)


def test_a_worker_that_was_signalled_while_it_began_is_replaced(monkeypatch):
  """From the same batch on."""
  iterator, starts = stream._iterator, []

  class Failing:
    def __init__(self, *args):
      self._found, self._left = iterator(*args), 2

    def __iter__(self):
      return self

    def __next__(self):
      self._left -= 1
      if self._left < 0 and len(starts) < 3:
        raise RuntimeError(
          'Worker process was terminated unexpectedly with exit code -2. Search'
        )
      return next(self._found)

    def close(self):
      self._found.close()

  def failing(*args):
    starts.append(len(args[0]))
    return Failing(*args)

  want = list(batches(order(), Numbers()))
  monkeypatch.setattr(stream, '_iterator', failing)
  assert_same(batches(order(), Numbers()), want)
  assert starts == [STEPS * BATCH, (STEPS - 2) * BATCH, (STEPS - 4) * BATCH]


def test_an_error_of_the_loader_is_not_swallowed():
  def load(place):
    raise RuntimeError('of its own')

  with pytest.raises(RuntimeError, match='of its own'):
    next(batches(order(), load))


ORPHANS = """
import sys
sys.path[:0] = {path!r}
from test_stream import Numbers, batches, order, psutil, workers_of
if __name__ == '__main__':
  found = batches(order(), Numbers(), workers=1)
  next(found)
  print(*(w.pid for w in workers_of(psutil.Process())), flush=True)
  input()
"""


def test_workers_end_with_a_killed_parent(tmp_path):
  here = os.path.dirname(__file__)
  script = tmp_path / 'run.py'
  script.write_text(ORPHANS.format(path=[here, *sys.path]))
  with subprocess.Popen(
    [sys.executable, script],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  ) as parent:
    (worker,) = map(psutil.Process, map(int, parent.stdout.readline().split()))
    parent.kill()
  psutil.wait_procs([worker], timeout=20)
  assert not worker.is_running()


def test_resumed_batches_are_the_same(folder):
  want = list(batches(order(), loader(folder)))[3:]
  assert_same(batches(order(first_step=3), loader(folder)), want)


def test_evaluation_sees_every_image_once(folder):
  view = View('center', size=8, resize=9)
  for batch_size, hosts in ((4, 1), (4, 2), (11, 1), (16, 2)):
    seen = []
    for host in range(hosts):
      own = InOrder(COUNT, batch_size=batch_size, host=host, hosts=hosts)
      load = loader(folder, view=view, split='test')
      for index, batch in enumerate(batches(own, load)):
        mask = own.mask(index)
        assert mask.shape == batch['label'].shape
        seen += list(batch['image'][mask][:, 0, 0, 0] // 10)
    assert sorted(seen) == list(range(COUNT)), (batch_size, hosts)


def test_boxes_follow_their_crop_and_are_padded(folder, tmp_path):
  for split in ('train', 'test'):
    path = tmp_path / split / 'a'
    path.mkdir(parents=True)
    for name in ('x.png', 'y.png'):
      Image.new('RGB', (40, 20)).save(path / name)
  (tmp_path / 'boxes.csv').write_text(
    'path,x0,y0,x1,y1\ntrain/a/x.png,10,5,30,15\ntrain/a/x.png,0,0,2,2\n'
  )
  own = list_folder(tmp_path)
  # 20 rows become 10; the centre of 20 x 10 is columns 5 to 15 there.
  load = loader(own, view=View('center', size=10, resize=10))
  first, second = load((0, 0))['boxes'], load((0, 1))['boxes']
  np.testing.assert_allclose(first, [[2.5, 0, 7.5, 10, 0], NO_BOX])
  np.testing.assert_array_equal(second, [NO_BOX, NO_BOX])
  # The first box has 20 x 10 pixels: its centre's 10 x 10, not enlarged.
  view = View('center', size=10, resize=10, to_box=True)
  np.testing.assert_allclose(
    loader(own, view=view)((0, 0))['boxes'], [[0, 0, 10, 10, 0], NO_BOX]
  )


def test_broken_file_is_named(folder, tmp_path):
  for split in ('train', 'test'):
    path = tmp_path / split / 'a'
    path.mkdir(parents=True)
    (path / 'bad.jpg').write_bytes(b'no image')
  own = list_folder(tmp_path)
  message = 'train/a/bad.jpg: .* Replace or remove'
  with pytest.raises(ValueError, match=message):
    loader(own)((0, 0))
  own = InOrder(1, batch_size=1), loader(own)
  with pytest.raises(ValueError, match=message):
    next(batches(*own))


@pytest.mark.parametrize(
  'settings, message',
  [
    (dict(kind='centre'), "Unknown data.crop 'centre'.*Did you mean 'center'"),
    (dict(kind='random', size=300), 'data.size=300 .*data.resize=256'),
    (dict(kind='random', size=0), 'data.size=0 must be at least 1'),
  ],
)
def test_wrong_views(settings, message):
  with pytest.raises(ValueError, match=message):
    View(**settings)

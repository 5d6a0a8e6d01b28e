"""One measurement of `benchmarks.input`, in a process of its own.

`python -m benchmarks.input_run '{"engine": "at_jax", ...}'` prints JSON.
"""

import itertools
import json
import pathlib
import sys
import time

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EPOCH = 10**5  # images
WARM_UP = 3  # batches: processes start, buffers fill


def our_batches(settings):
  """An endless iterator over batches of uint8 images."""
  from at_jax.data import load_dataset

  dataset = load_dataset(
    dict(
      name=f'folder:{settings["folder"]}',
      size=settings['size'],
      workers=settings['workers'],
    )
  )
  return dataset.train.training_batches(
    seed=0, batch_size=settings['batch'], epochs=10**6
  )


def torch_batches(settings):
  """The same of PyTorch, as its ImageNet example and torchvision do it."""
  import math
  import random

  import numpy as np
  import torch
  from PIL import Image

  torch.set_num_threads(1)
  size = settings['size']
  paths = sorted(pathlib.Path(settings['folder']).glob('train/*/[!.]*.jp*g'))
  # A long epoch: between two the workers would have nothing ready.
  paths *= math.ceil(EPOCH / len(paths))
  mean, std = (torch.tensor(x)[:, None, None] for x in (MEAN, STD))

  def crop(width, height):
    for _ in range(10):
      area = width * height * random.uniform(0.08, 1.0)
      ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
      columns = round(math.sqrt(area * ratio))
      rows = round(math.sqrt(area / ratio))
      if 0 < columns <= width and 0 < rows <= height:
        left = random.randint(0, width - columns)
        top = random.randint(0, height - rows)
        return left, top, left + columns, top + rows
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side

  class Photos(torch.utils.data.Dataset):
    def __len__(self):
      return len(paths)

    def __getitem__(self, index):
      with open(paths[index], 'rb') as file:
        image = Image.open(file).convert('RGB')
      image = image.crop(crop(*image.size))
      image = image.resize((size, size), Image.Resampling.BILINEAR)
      if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
      pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
      return (pixels.contiguous().float() / 255 - mean) / std, 0

  loader = torch.utils.data.DataLoader(
    Photos(),
    batch_size=settings['batch'],
    shuffle=True,
    drop_last=True,
    num_workers=settings['workers'],
    persistent_workers=True,
  )
  return itertools.chain.from_iterable(itertools.repeat(loader))


def our_steps(settings):
  """An endless iterator of training steps, in place of batches."""
  import jax
  import numpy as np

  from at_jax.data.dataset import Dataset, Split
  from at_jax.train.bench import Bench, make_network
  from at_jax.train.config import load_config, teacher_config
  from at_jax.train.mesh import data_mesh
  from at_jax.train.program import Program

  config = load_config('configs/resnet_cub_at.py:start=,teacher_start=')
  config.unlock().batch_size = settings['batch']
  size = settings['size']
  rng = np.random.default_rng(0)
  shape = (settings['batch'], size, size, 3)
  split = Split(
    rng.integers(0, 256, shape, np.uint8),
    np.zeros(settings['batch'], np.int32),
  )
  dataset = Dataset('random', 'random', ['one'], split, None, split)
  teacher = make_network(teacher_config(config), dataset)
  bench = Bench(dataset, data_mesh(), 1, config.precision)
  program = Program(config, bench, teacher=teacher)
  program.set_teacher(jax.jit(teacher.init)(jax.random.key(1)))
  state, feed = program.init(0), program.feed(0, 0)
  for step in itertools.count():
    state, metrics, _ = program.advance(state, feed, step)
    jax.block_until_ready(metrics)
    yield step


def processor_seconds():
  """Of this process and all that it started."""
  import psutil

  children = psutil.Process().children(recursive=True)
  times = [child.cpu_times() for child in children]
  return time.process_time() + sum(t.user + t.system for t in times)


def measure(settings):
  """Images/s, by the clock and by processor time."""
  ways = {'at_jax': our_batches, 'torch': torch_batches, 'step': our_steps}
  found = ways[settings['engine']](settings)
  for _ in range(WARM_UP):
    next(found)
  begin, used, count = time.perf_counter(), processor_seconds(), 0
  while time.perf_counter() - begin < settings['seconds']:
    next(found)
    count += settings['batch']
  elapsed, used = time.perf_counter() - begin, processor_seconds() - used
  close = getattr(found, 'close', None)
  if close:
    close()
  return {
    'images': count,
    'seconds': elapsed,
    'processor_seconds': used,
    'images_per_second': count / elapsed,
    'per_core': count / used,
  }


if __name__ == '__main__':
  print(json.dumps(measure(json.loads(sys.argv[1]))), flush=True)

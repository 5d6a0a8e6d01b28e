"""What it costs to get a training image out of a file, on one core.

  python -m benchmarks.decode                      # photo-like JPEGs, seeded
  python -m benchmarks.decode --files 'photos/*.jpg' --size=448 --out=FILE.json

Ways, in one process, in turn:

  size          `image_size`
  decode        `decode`: the whole image
  crop          `decode_crop`, as training and evaluation use it
  crop, full    the same without reduced scales: what they save
  OpenCV area   OpenCV's decoder and its antialiased filter, where installed
  OpenCV linear the same with its plain bilinear filter, which is not
                antialiased: another picture
  simplejpeg    its decoder at a reduced scale, Pillow's filter, where installed

Times are of this thread's processor time, so other programs disturb little.
"""

import argparse
import glob
import io
import json
import pathlib
import statistics
import time

import numpy as np
from PIL import Image

from at_jax.data import decode
from at_jax.data.crops import random_resized_crop, resize_and_center_crop

SIZES = {'500 x 375': (375, 500), '1600 x 1200': (1200, 1600)}
COUNT = 20  # images of each size
BASE = 'crop'  # what the other ways are compared with


def photo(rng, height, width):
  """JPEG of smooth colours, edges and a little noise: about a photo's bytes."""
  image = np.zeros((height, width, 3), np.float32)
  for cells in (3, 12, 48):
    noise = rng.normal(size=(cells, cells, 3)) * 100 / cells**0.5
    for channel in range(3):
      plane = Image.fromarray(noise[..., channel].astype(np.float32))
      plane = plane.resize((width, height), Image.Resampling.BICUBIC)
      image[..., channel] += np.asarray(plane)
  rows, columns = np.mgrid[:height, :width]
  for _ in range(40):
    row, column = rng.uniform(0, height), rng.uniform(0, width)
    radius = rng.uniform(0.02, 0.2) * width
    disc = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    image[disc] = 0.5 * image[disc] + rng.normal(size=3) * 40
  image += 128 + rng.normal(size=image.shape) * 4
  file = io.BytesIO()
  pixels = image.clip(0, 255).astype(np.uint8)
  Image.fromarray(pixels).save(file, 'jpeg', quality=90)
  return file.getvalue()


def crop_full(data, box, size):
  """`decode_crop` of an upright RGB image, never at a reduced scale."""
  top, left, height, width = box
  corners = (left, top, left + width, top + height)
  with Image.open(io.BytesIO(data)) as image:
    image = image.resize((size, size), Image.Resampling.BILINEAR, box=corners)
  return np.array(image)


def opencv_ways():
  """OpenCV's ways to do `decode_crop`, by name; none where it is missing."""
  try:
    import cv2
  except ImportError:
    return {}
  cv2.setNumThreads(1)

  def crop(interpolation):
    def run(data, box, size):
      scale = next((s for s in (8, 4, 2) if min(box[2:]) >= s * size), 1)
      flag = cv2.IMREAD_COLOR
      if scale > 1:
        flag = getattr(cv2, f'IMREAD_REDUCED_COLOR_{scale}')
      image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
      top, left, height, width = (round(x / scale) for x in box)
      image = image[top : top + height, left : left + width]
      image = cv2.resize(image, (size, size), interpolation=interpolation)
      return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    return run

  return {
    'OpenCV area': crop(cv2.INTER_AREA),
    'OpenCV linear': crop(cv2.INTER_LINEAR),
  }


def simplejpeg_ways():
  """The same of simplejpeg, a thin layer over libjpeg-turbo."""
  try:
    import simplejpeg
  except ImportError:
    return {}

  def crop(data, box, size):
    scale = next((s for s in (8, 4, 2) if min(box[2:]) >= s * size), 1)
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    pixels = simplejpeg.decode_jpeg(
      data, min_height=height // scale, min_width=width // scale, min_factor=1
    )
    top, left, rows, columns = (x / scale for x in box)
    corners = (left, top, left + columns, top + rows)
    image = Image.fromarray(pixels)
    return np.array(
      image.resize((size, size), Image.Resampling.BILINEAR, box=corners)
    )

  return {'simplejpeg': crop}


def ways():
  """Functions of (data, box, size), by name."""
  return (
    {
      'size': lambda data, box, size: decode.image_size(data),
      'decode': lambda data, box, size: decode.decode(data),
      'crop': decode.decode_crop,
      'crop, full': crop_full,
    }
    | opencv_ways()
    | simplejpeg_ways()
  )


def measure(files, boxes, size, rounds):
  """Milliseconds an image, {way: [one a round]}."""
  found = {name: [] for name in ways()}
  for number in range(rounds + 1):
    for name, run in ways().items():
      begin = time.thread_time()
      for data, box in zip(files, boxes, strict=True):
        run(data, box, size)
      if number:  # the first round warms up
        milliseconds = 1e3 * (time.thread_time() - begin) / len(files)
        found[name].append(milliseconds)
  return found


def table(found):
  """Markdown of {way: [milliseconds, ...]}."""
  lines = [
    f'| | ms an image: median (min–max) | images/s | time / {BASE} |',
    '|---|---:|---:|---:|',
  ]
  for name, times in found.items():
    middle = statistics.median(times)
    ratio = statistics.median(
      a / b for a, b in zip(times, found[BASE], strict=True)
    )
    lines.append(
      f'| {name} | {middle:.2f} ({min(times):.2f}–{max(times):.2f}) | '
      f'{1e3 / middle:,.0f} | {ratio:.2f} |'
    )
  return '\n'.join(lines)


def crops(files, size):
  """Boxes for every file: {'random resized': [...], 'central': [...]}."""
  rng = np.random.default_rng(0)
  shapes = [decode.image_size(data) for data in files]
  resize = round(size * 256 / 224)
  return {
    'random resized': [random_resized_crop(rng, *shape) for shape in shapes],
    'central': [
      resize_and_center_crop(*shape, resize=resize, size=size)
      for shape in shapes
    ],
  }


def read(pattern):
  """Sets of files by title: those of a pattern, or made ones."""
  if pattern:
    paths = sorted(glob.glob(pattern))
    if not paths:
      raise SystemExit(f'--files={pattern}: there are no such files.')
    return {pattern: [pathlib.Path(path).read_bytes() for path in paths]}
  rng = np.random.default_rng(0)
  return {
    title: [photo(rng, *shape) for _ in range(COUNT)]
    for title, shape in SIZES.items()
  }


def main(arguments=None):
  """The command."""
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.decode',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--files', help='a pattern, in place of made JPEGs')
  parser.add_argument('--size', type=int, default=224, help='of the output')
  parser.add_argument('--rounds', type=int, default=5)
  parser.add_argument('--out', help='a JSON file for all that was measured')
  flags = parser.parse_args(arguments)
  whole = {}
  for title, files in read(flags.files).items():
    size = sum(map(len, files)) / len(files)
    print(f'\n{title}: {len(files)} files of {size / 1e3:,.0f} kB in the mean')
    whole[title] = {}
    for crop, boxes in crops(files, flags.size).items():
      whole[title][crop] = measure(files, boxes, flags.size, flags.rounds)
      print(f'\n{crop} crops to {flags.size}\n\n{table(whole[title][crop])}')
  if flags.out:
    result = dict(flags=vars(flags), milliseconds=whole)
    pathlib.Path(flags.out).write_text(json.dumps(result, indent=1) + '\n')


if __name__ == '__main__':
  main()

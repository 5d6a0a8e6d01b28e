"""One measurement of `benchmarks.sampler`, in a process of its own.

`python -m benchmarks.sampler_run '{"way": "attention_sample", ...}'` prints
JSON. It imports the framework that it measures and no other.
"""

import functools
import gc
import json
import sys
import time

import numpy as np

from benchmarks.workload import process_memory

WARM_UP = 3
DENSE, ITERS, FLOOR = 4.0, 5, 1e-6  # the defaults of `sample_positions`


def inputs(settings):
  """Images `[B, N, N, 3]`, brighter below, and maps `[B, n, n]`; float32."""
  rng = np.random.default_rng(0)
  batch, size, cells = (settings[key] for key in ('batch', 'size', 'map_size'))
  images = rng.random((batch, size, size, 3), np.float32)
  images += np.linspace(0, 3, size, dtype=np.float32)[:, None, None]
  return images, rng.gamma(1.0, size=(batch, cells, cells)).astype(np.float32)


def checksum(samples):
  """A number that changes with positions and when axes are swapped."""
  samples = np.asarray(samples, np.float64)
  rows = np.linspace(0, 1, samples.shape[1])[:, None, None]
  columns = np.linspace(1, 3, samples.shape[2])[:, None]
  return float(np.mean(samples * rows * columns))


def our_sampler(settings):
  """(call, result -> NumPy, () -> peak memory of the device or None)."""
  import jax

  from at_jax import attention_sample, sample_positions
  from at_jax._bilinear import bilinear_sample, by_gathers, by_products

  image_size = (settings['size'],) * 2
  out_size = (settings['out_size'],) * 2

  def at_positions(read):
    def sample(images, maps):
      return read(images, *sample_positions(maps, image_size, out_size))

    return sample

  sample = {
    'attention_sample': functools.partial(attention_sample, out_size=out_size),
    'map_coordinates': at_positions(coordinates),
    'gathers': at_positions(by_gathers),
    'products': at_positions(by_products),
    'positions_given': bilinear_sample,
  }[settings['way']]
  sample = jax.jit(sample)
  images, maps = arrays = jax.device_put(inputs(settings))
  if settings['way'] == 'positions_given':
    arrays = images, *sample_positions(maps, image_size, out_size)
  jax.block_until_ready(arrays)

  def peak():
    stats = jax.devices()[0].memory_stats() or {}
    return stats.get('peak_bytes_in_use')

  return lambda: jax.block_until_ready(sample(*arrays)), np.asarray, peak


def coordinates(images, rows, columns):
  """By SciPy's function in jax, in the form in which it is fastest.

  One coordinate array for a whole batch, or a loop over the channels, takes
  longer.
  """
  import jax
  import jax.numpy as jnp
  from jax.scipy.ndimage import map_coordinates

  def of_channel(channel, row, column):
    grid = jnp.meshgrid(row, column, indexing='ij')
    return map_coordinates(channel, grid, order=1, mode='nearest')

  of_image = jax.vmap(of_channel, in_axes=(2, None, None), out_axes=2)
  return jax.vmap(of_image)(images, rows, columns)


def torch_positions(maps, size, out):
  """`sample_positions` as one would write it in PyTorch; square images."""
  import torch

  large = torch.nn.functional.interpolate(
    maps[:, None], (size, size), mode='bilinear', align_corners=False
  )[:, 0]
  pair = []
  for axis in (2, 1):
    density = large.amax(axis)
    density = density / density.mean(1, keepdim=True)
    pair.append((density + FLOOR) / (1 + FLOOR))
  for count in range(ITERS):
    top = torch.minimum(*(x.amax(1, keepdim=True) for x in pair))
    if count == 0:
      top = top.clamp(max=DENSE)
    pair = [torch.minimum(x, top) for x in pair]
    pair = [x + (1 - x.mean(1, keepdim=True)) for x in pair]
  shares = (torch.arange(out, device=maps.device) + 0.5) / out
  found = []
  for density in pair:
    edges = torch.nn.functional.pad(density.cumsum(1), (1, 0))
    targets = edges[:, -1:] * shares
    pixel = torch.searchsorted(edges[:, 1:-1].contiguous(), targets, right=True)
    left, right = edges.gather(1, pixel), edges.gather(1, pixel + 1)
    position = pixel + (targets - left) / (right - left) - 0.5
    found.append(position.clamp(0, size - 1))
  return found


def torch_grid(rows, columns, size):
  """What `grid_sample` reads with `align_corners`, `[B, O, O, 2]`."""
  import torch

  y, x = (2 * line / (size - 1) - 1 for line in (rows, columns))
  shape = (len(rows), rows.shape[1], columns.shape[1])
  return torch.stack(
    [x[:, None].expand(shape), y[:, :, None].expand(shape)], dim=-1
  )


def torch_sampler(settings):
  """The same of PyTorch's `grid_sample`."""
  import torch

  device = 'cuda' if settings['device'] == 'gpu' else 'cpu'
  size, out = settings['size'], settings['out_size']
  images, maps = (torch.from_numpy(x).to(device) for x in inputs(settings))
  layout = torch.contiguous_format
  if settings['way'] == 'channels_last':
    layout = torch.channels_last
  images = images.permute(0, 3, 1, 2).contiguous(memory_format=layout)
  given = None
  if settings['way'] == 'grid_given':
    given = torch_grid(*torch_positions(maps, size, out), size)

  @torch.inference_mode()
  def call():
    grid = given
    if grid is None:
      grid = torch_grid(*torch_positions(maps, size, out), size)
    samples = torch.nn.functional.grid_sample(
      images, grid, padding_mode='border', align_corners=True
    )
    if device == 'cuda':
      torch.cuda.synchronize()
    return samples

  def peak():
    return torch.cuda.max_memory_allocated() if device == 'cuda' else None

  return call, lambda x: x.permute(0, 2, 3, 1).cpu().numpy(), peak


def forget_peak():
  """Lets `process_memory` begin anew, where the system can do that."""
  gc.collect()
  try:
    with open('/proc/self/clear_refs', 'w') as file:
      file.write('5')
  except OSError:
    pass


def measure(settings):
  """Images/s by the clock and by processor time, memory, a checksum."""
  engines = {'at_jax': our_sampler, 'torch': torch_sampler}
  call, numpy, peak = engines[settings['engine']](settings)
  forget_peak()  # that of making the inputs is the same for all
  for _ in range(WARM_UP):
    call()
  begin, used, count = time.perf_counter(), time.process_time(), 0
  while not count or time.perf_counter() - begin < settings['seconds']:
    # Its memory serves the next one: new pages from the system, or not, would
    # be chance.
    result = None
    result = call()
    count += settings['batch']
  elapsed, used = time.perf_counter() - begin, time.process_time() - used
  memory = peak() or process_memory()
  return {
    'images': count,
    'seconds': elapsed,
    'images_per_second': count / elapsed,
    'per_core': count / used,
    'peak_memory': memory,
    'checksum': checksum(numpy(result)),
  }


if __name__ == '__main__':
  print(json.dumps(measure(json.loads(sys.argv[1]))), flush=True)

"""Augmentation and normalisation of image batches, on the device.

Everything takes a key and draws per example, so that an image's crop does not
depend on how many devices share the batch. Axes: B, H, W, C.
"""

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from at_jax._arrays import unknown
from at_jax.data.colour import random_colour, random_jitter

# Names as torchvision's: `reflect` does not repeat the edge, `symmetric` does.
PAD_MODES = {
  'reflect': 'reflect',
  'symmetric': 'symmetric',
  'zero': 'constant',
}


def random_crop(key, images, *, pad, mode='reflect'):
  """Pads every side by `pad` and cuts the size back out, offsets 0 to 2*pad."""
  if mode not in PAD_MODES:
    raise ValueError(unknown('data.pad_mode', mode, PAD_MODES))
  batch, height, width, channels = images.shape
  if mode == 'reflect' and pad >= min(height, width):
    raise ValueError(
      f'data.pad={pad} cannot be reflected in images of {height}x{width}: '
      'choose a smaller one, or data.pad_mode=symmetric.'
    )
  sides = ((0, 0), (pad, pad), (pad, pad), (0, 0))
  padded = jnp.pad(images, sides, mode=PAD_MODES[mode])

  def crop(key, image):
    top, left = jax.random.randint(key, (2,), 0, 2 * pad + 1)
    size = (height, width, channels)
    return jax.lax.dynamic_slice(image, (top, left, 0), size)

  return jax.vmap(crop)(jax.random.split(key, batch), padded)


def random_flip(key, images):
  """Mirrors each image left to right with probability 1/2."""
  keys = jax.random.split(key, len(images))
  mirror = jax.vmap(jax.random.bernoulli)(keys)
  return jnp.where(mirror[:, None, None, None], images[:, :, ::-1], images)


def random_rotation(key, images, *, degrees):
  """Turns each image about its centre, by an angle from -degrees to degrees.

  Bilinear interpolation; what lies outside is 0, black. Returns float32.
  """
  height, width = images.shape[1:3]
  middle = ((height - 1) / 2, (width - 1) / 2)
  y, x = jnp.arange(height) - middle[0], jnp.arange(width) - middle[1]
  y, x = y[:, None], x[None]

  def rotate(key, image):
    angle = jax.random.uniform(key, minval=-1, maxval=1) * jnp.deg2rad(degrees)
    sin, cos = jnp.sin(angle), jnp.cos(angle)
    at = (cos * y - sin * x + middle[0], sin * y + cos * x + middle[1])
    return jax.vmap(
      lambda channel: map_coordinates(channel, at, order=1, mode='constant'),
      in_axes=-1,
      out_axes=-1,
    )(image)

  keys = jax.random.split(key, len(images))
  return jax.vmap(rotate)(keys, images.astype(jnp.float32))


def augment(
  key, images, *, pad, pad_mode, flip, colour=0.0, jitter=0.0, rotate=0.0
):
  """Random crop where `pad` > 0, flip where `flip`, the rest where above 0."""
  crop_key, flip_key = jax.random.split(key)
  if rotate:
    rotate_key = jax.random.fold_in(key, 4)
    images = random_rotation(rotate_key, images, degrees=rotate)
  if pad:
    images = random_crop(crop_key, images, pad=pad, mode=pad_mode)
  if flip:
    images = random_flip(flip_key, images)
  if jitter:
    jitter_key = jax.random.fold_in(key, 3)
    images = random_jitter(jitter_key, images, strength=jitter)
  if colour:
    colour_key = jax.random.fold_in(key, 2)
    images = random_colour(colour_key, images, deviation=colour)
  return images


def normalise(images, mean, std):
  """(images - mean) / std in float32, on the scale 0 to 255.

  Mean and std are a value a channel, or one a pixel, `[H, W, C]`.
  """
  mean, std = (of_images(x) for x in (mean, std))
  return (images.astype(jnp.float32) - mean) / std


def of_images(values):
  """A value a channel, or a pixel, as float32 of rank 4 beside images."""
  values = jnp.asarray(values, jnp.float32)
  return values.reshape((1,) * (4 - values.ndim) + values.shape)

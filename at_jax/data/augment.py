"""Augmentation and normalisation of image batches, on the device.

Everything takes a key and draws per example, so that an image's crop does not
depend on how many devices share the batch. Axes: B, H, W, C.
"""

import jax
import jax.numpy as jnp

from at_jax._arrays import unknown

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


def augment(key, images, *, pad, pad_mode, flip):
  """Random crop where `pad` > 0, then random flip where `flip`."""
  crop_key, flip_key = jax.random.split(key)
  if pad:
    images = random_crop(crop_key, images, pad=pad, mode=pad_mode)
  return random_flip(flip_key, images) if flip else images


def normalise(images, mean, std):
  """(images - mean) / std in float32; mean and std on the scale 0 to 255."""
  mean, std = (jnp.asarray(x, jnp.float32) for x in (mean, std))
  images = images.astype(jnp.float32)
  return (images - mean.reshape(1, 1, 1, -1)) / std.reshape(1, 1, 1, -1)

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
# Eigenvalues of the covariance of ImageNet's colours, and its eigenvectors, one
# a row.
COLOUR_EIGENVALUES = (0.2175, 0.0188, 0.0045)
COLOUR_AXES = (
  (-0.5675, -0.5808, -0.5836),
  (0.7192, -0.0045, -0.6948),
  (0.4009, -0.8140, 0.4203),
)


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


def augment(key, images, *, pad, pad_mode, flip, colour=0.0):
  """Random crop where `pad` > 0, flip where `flip`, colour where above 0."""
  crop_key, flip_key = jax.random.split(key)
  if pad:
    images = random_crop(crop_key, images, pad=pad, mode=pad_mode)
  if flip:
    images = random_flip(flip_key, images)
  if colour:
    colour_key = jax.random.fold_in(key, 2)
    images = random_colour(colour_key, images, deviation=colour)
  return images


def random_colour(key, images, *, deviation):
  """Adds to each image one colour, drawn as AlexNet's authors did.

  Along each principal component of ImageNet's colours: a normal deviate times
  `deviation` (theirs: 0.1) times the component's eigenvalue, a variance of
  colours on the scale 0 to 1.

  Returns:
    float32, on the scale 0 to 255, not clipped.

  References:
    Krizhevsky, Sutskever and Hinton, NIPS 2012, section 4.1; values and
    components as in fb.resnet.torch.
  """
  if images.shape[-1] != 3:
    raise ValueError(
      f'data.colour={deviation} is for images of 3 channels, got '
      f'{images.shape[-1]}: set it to 0.'
    )
  keys = jax.random.split(key, len(images))
  draws = jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys)
  axes = jnp.asarray(COLOUR_AXES, jnp.float32)
  sizes = 255 * deviation * jnp.asarray(COLOUR_EIGENVALUES, jnp.float32)
  shift = jnp.matmul(draws, sizes[:, None] * axes, precision='highest')
  return images.astype(jnp.float32) + shift[:, None, None]


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

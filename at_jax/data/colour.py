"""Random colours of images: AlexNet's noise, and jitter.

Images are on the scale 0 to 255; what comes back is float32 and not clipped.
Axes: B, H, W, C.
"""

import jax
import jax.numpy as jnp

GREY = (0.299, 0.587, 0.114)  # of red, green, blue
# Eigenvalues of the covariance of ImageNet's colours, and its eigenvectors, one
# a row.
COLOUR_EIGENVALUES = (0.2175, 0.0188, 0.0045)
COLOUR_AXES = (
  (-0.5675, -0.5808, -0.5836),
  (0.7192, -0.0045, -0.6948),
  (0.4009, -0.8140, 0.4203),
)


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
  _check('colour', deviation, images)
  keys = jax.random.split(key, len(images))
  draws = jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys)
  axes = jnp.asarray(COLOUR_AXES, jnp.float32)
  sizes = 255 * deviation * jnp.asarray(COLOUR_EIGENVALUES, jnp.float32)
  shift = jnp.matmul(draws, sizes[:, None] * axes, precision='highest')
  return images.astype(jnp.float32) + shift[:, None, None]


def random_jitter(key, images, *, strength):
  """Brightness, contrast and saturation, each times a factor, in this order.

  Each is drawn for each image from [1 - strength, 1 + strength]. Contrast moves
  an image towards the mean of its grey values, saturation each pixel towards
  its own. (TASN's authors draw the order, too.)
  """
  _check('jitter', strength, images)
  shape = (3, len(images), 1, 1, 1)
  low, high = 1 - strength, 1 + strength
  brightness, contrast, saturation = jax.random.uniform(
    key, shape, minval=low, maxval=high
  )
  images = brightness * images.astype(jnp.float32)
  mean = jnp.mean(_grey(images), axis=(1, 2), keepdims=True)
  images = mean + contrast * (images - mean)
  grey = _grey(images)
  return grey + saturation * (images - grey)


def _grey(images):
  """Luminance, `[B, H, W, 1]`."""
  weights = jnp.asarray(GREY, jnp.float32)[:, None]
  return jnp.matmul(images, weights, precision='highest')


def _check(name, value, images):
  if images.shape[-1] != 3:
    raise ValueError(
      f'data.{name}={value} is for images of 3 channels, got '
      f'{images.shape[-1]}: set it to 0.'
    )

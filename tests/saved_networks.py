"""Weights folders and photos that tests make to look at."""

import numpy as np
from PIL import Image
from small_networks import variables_of

from at_jax.train.weights import save_weights


def save_network(folder, network, model, class_names, seed=0):
  """A weights folder of a network with variables from NumPy; its path."""
  save_weights(
    folder,
    network=network,
    model=model,
    variables=variables_of(network, seed),
    class_names=class_names,
  )
  return folder


def noise_photo(path, *size, seed=0):
  """A photo of random pixels, `height, width[, channels]`; its path."""
  rng = np.random.default_rng(seed)
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(path)
  return str(path)

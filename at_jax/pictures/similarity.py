"""How alike the maps of two networks are."""

import numpy as np


def cosine(maps, target):
  """Cosine similarity of maps, flattened; nan where one is zero everywhere.

  Args:
    maps: attention maps `[n, h, w]`, or gradients `[n, H, W, C]`.
    target: likewise. Of maps of two sizes the larger one is interpolated to
      the smaller size, as the loss does with `resize='bilinear'`.

  Returns:
    `[n]`, between -1 and 1.
  """
  if maps.shape != target.shape:
    size = np.minimum(maps.shape[1:3], target.shape[1:3])
    maps, target = (_resize(x, size) for x in (maps, target))
  a, b = (unit_norm(x).reshape(len(x), -1) for x in (maps, target))
  alive = np.any(a != 0, axis=1) & np.any(b != 0, axis=1)
  return np.where(alive, np.sum(a * b, axis=1), np.nan)


def unit_norm(maps):
  """Maps divided by their l2 norm, each on its own; zero maps stay zero."""
  maps = np.nan_to_num(np.asarray(maps, np.float64))
  axes = tuple(range(1, maps.ndim))
  top = np.max(np.abs(maps), axis=axes, keepdims=True)
  maps = maps / np.where(top > 0, top, 1)
  norm = np.sqrt(np.sum(maps**2, axis=axes, keepdims=True))
  return maps / np.where(norm > 0, norm, 1)


def _resize(maps, size):
  """Bilinear, half-pixel centres, without antialiasing."""
  for axis, length in zip((1, 2), size, strict=True):
    n = maps.shape[axis]
    at = np.clip((np.arange(length) + 0.5) * n / length - 0.5, 0, n - 1)
    low = at.astype(int)
    part = (at - low).reshape(-1, *(1,) * (maps.ndim - 1 - axis))
    maps = np.take(maps, low, axis) * (1 - part) + part * np.take(
      maps, np.minimum(low + 1, n - 1), axis
    )
  return maps


def mean_cosine(maps, target):
  """Over the images where it exists; nan where it exists for none."""
  values = cosine(maps, target)
  values = values[np.isfinite(values)]
  return values.mean() if len(values) else np.nan

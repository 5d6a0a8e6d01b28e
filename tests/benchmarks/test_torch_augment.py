"""Augmentation in plain PyTorch. Skipped where PyTorch is not installed."""

import numpy as np
import pytest

from at_jax.data.augment import PAD_MODES
from at_jax.train.config import load_config
from benchmarks.catalogue import WORK

torch = pytest.importorskip('torch')
from benchmarks import torch_step  # noqa: E402 (imports torch)

BATCH = 8
IMAGES = np.random.default_rng(0).integers(0, 256, (BATCH, 32, 32, 3), np.uint8)


@pytest.mark.parametrize('mode', ['reflect', 'zero'])
def test_crop_flip_is_a_cut_of_the_padded_image(mode):
  rng = np.random.default_rng(5)
  data = IMAGES
  rows = rng.permutation(BATCH)
  top, left = rng.integers(0, 9, (2, BATCH))
  top[:4], left[:4] = (0, 8, 0, 8), (0, 8, 8, 0)
  mirror = np.arange(BATCH) % 2 == 0
  got = torch_step.crop_flip(
    *(torch.tensor(x) for x in (data, rows, top, left, mirror)),
    zero=mode == 'zero',
  )
  sides = ((0, 0), (4, 4), (4, 4), (0, 0))
  padded = np.pad(data, sides, mode=PAD_MODES[mode])
  for k in range(BATCH):
    crop = padded[rows[k], top[k] : top[k] + 32, left[k] : left[k] + 32]
    crop = crop[:, ::-1] if mirror[k] else crop
    np.testing.assert_array_equal(got[k].permute(1, 2, 0), crop)


def test_crops_are_padded_as_the_config_says():
  for name, step in torch_step.STEPS.items():
    data = load_config(WORK[name].config).data
    assert step.crop == (data.pad_mode if data.pad else '')
    assert data.flip and data.pad in (0, torch_step.PAD)


def test_augmentation_draws_every_offset_and_both_directions():
  torch.manual_seed(0)
  ramp = torch.arange(32)[:, None] * 7 + torch.arange(32) * 0
  one = torch.stack([ramp, ramp.T, ramp * 0], -1).to(torch.uint8)[None]
  out = torch_step.augment(one, torch.zeros(600, dtype=torch.long))
  middle = out[:, :, 16, 16].long()
  assert {int(x) for x in middle[:, 0]} == {7 * k for k in range(12, 21)}
  rising = (out[:, 1, 16, 17].long() > middle[:, 1]).float().mean()
  assert 0.4 < rising < 0.6


def test_plain_images_are_mirrored_and_not_cropped():
  torch.manual_seed(0)
  data = torch.tensor(IMAGES)
  out = torch_step.augment(data, torch.zeros(50, dtype=torch.long), crop='')
  one = data[0].permute(2, 0, 1)
  same = [torch.equal(x, one) for x in out]
  mirrored = [torch.equal(x, one.flip(2)) for x in out]
  assert 10 < sum(same) < 40 and sum(same) + sum(mirrored) == 50

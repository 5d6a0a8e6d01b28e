import io
import math
import pickle

import numpy as np
import pytest
from PIL import Image

from at_jax.data.crops import (
  NO_BOX,
  Box,
  annotated_region,
  boxes_in_crop,
  inside,
  random_resized_crop,
  resize_and_center_crop,
  resize_and_random_crop,
)
from at_jax.data.decode import decode_crop


def draw(count, *shape, seed=0, **options):
  """Random resized crops `[count, 4]`: top, left, height, width."""
  rng = np.random.default_rng(seed)
  return np.array(
    [random_resized_crop(rng, *shape, **options) for _ in range(count)]
  )


def check_uniform(values, low, high):
  """Fails where values are outside, or not even, by Kolmogorov's statistic."""
  values = (np.sort(values) - low) / (high - low)
  assert 0 <= values[0] and values[-1] <= 1
  even = (np.arange(len(values)) + 0.5) / len(values)
  # Even ones exceed 2.2 once in 8,000 samples.
  assert np.abs(values - even).max() < 2.2 / math.sqrt(len(values))


# Random resized crops


def test_area_ratio_and_place_have_their_law_where_every_try_fits():
  # The sides are at most sqrt(1/2 * 4/3) < 1 of the image's.
  crops = draw(4000, 12_000, 12_000, scale=(0.08, 0.5))
  top, left, height, width = crops.T
  check_uniform(height * width / 12_000**2, 0.0799, 0.5001)
  log_ratio = math.log(4 / 3) + 0.0005
  check_uniform(np.log(width / height), -log_ratio, log_ratio)
  y, x = top / (12_000 - height), left / (12_000 - width)
  check_uniform(y, 0, 1)
  check_uniform(x, 0, 1)
  for a, b in [(height * width, width / height), (y, x)]:
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / math.sqrt(len(crops))


def test_tries_that_do_not_fit_are_thrown_away():
  # By integration over area and log-ratio: what of a 375 x 500 image fits.
  area, log_ratio = np.meshgrid(
    np.linspace(0.08, 1, 1001), np.log(4 / 3) * np.linspace(-1, 1, 1001)
  )
  area, ratio = 375 * 500 * area, np.exp(log_ratio)
  fits = (np.sqrt(area * ratio) <= 500.5) & (np.sqrt(area / ratio) <= 375.5)
  assert 0.6 < fits.mean() < 0.9  # so that ten tries hardly ever fail
  got = draw(4000, 375, 500)
  areas = got[:, 2] * got[:, 3]
  error = 4 * np.std(areas) / math.sqrt(len(areas))
  assert abs(areas.mean() - area[fits].mean()) < error
  ratios = np.log(got[:, 3] / got[:, 2])
  error = 4 * np.std(ratios) / math.sqrt(len(ratios))
  assert abs(ratios.mean() - np.log(ratio[fits]).mean()) < error


@pytest.mark.parametrize(
  'height, width',
  [(1, 1), (1, 2), (2, 1), (3, 3), (1, 900), (900, 1), (7, 200), (333, 20)],
)
def test_a_crop_has_an_area_and_lies_in_the_image(height, width):
  for top, left, rows, columns in draw(300, height, width).astype(int):
    assert 0 <= top and 0 <= left and 0 < rows and 0 < columns
    assert top + rows <= height and left + columns <= width


class Stub:
  """A generator whose draws are listed: parts of the interval from 0 to 1."""

  def __init__(self, *draws):
    self.draws = list(draws)

  def uniform(self, low, high):
    return low + self.draws.pop(0) * (high - low)

  def integers(self, low, high):
    return low + int(self.draws.pop(0) * (high - low))


def test_one_crop_by_hand():
  # Area: 0.08 + 0.5 * 0.92 = 0.54 of 20,000; ratio 3/4 (16/9)^0.75 = 1.1547;
  # sqrt(10,800 * 1.1547) = 111.67, sqrt(10,800 / 1.1547) = 96.71.
  rng = Stub(0.5, 0.75, 0.9, 0.25)
  # top is one of 0..3, left one of 0..88.
  assert random_resized_crop(rng, 100, 200) == Box(3, 22, 97, 112)
  assert not rng.draws


def test_a_second_try_follows_one_that_does_not_fit():
  # The whole area at ratio 4/3 is wider than a square; then the crop of above.
  rng = Stub(1.0, 1.0, 0.5, 0.75, 0.9, 0.25)
  assert random_resized_crop(rng, 100, 200) == Box(3, 22, 97, 112)


def test_the_whole_image_fits():
  rng = Stub(0.5, 0.5, 0.9, 0.9)
  whole = dict(scale=(1, 1), ratio=(4 / 3, 4 / 3))
  assert random_resized_crop(rng, 90, 120, **whole) == Box(0, 0, 90, 120)
  assert not rng.draws


@pytest.mark.parametrize(
  'shape, want',
  [
    ((100, 1000), (0, 433, 100, 133)),  # round(100 * 4/3); (1000 - 133) // 2
    ((1000, 90), (440, 0, 120, 90)),  # 90 / (3/4)
    ((90, 100), (0, 0, 90, 100)),  # the ratio is in bounds: all of it
    ((1, 50), (0, 24, 1, 1)),
    ((50, 1), (24, 0, 1, 1)),
  ],
)
def test_where_ten_tries_fail_the_largest_central_crop_is_taken(shape, want):
  # Five times too wide and high: nothing fits.
  rng = Stub(*[1.0, 0.5] * 10)
  got = random_resized_crop(rng, *shape, scale=(25, 25))
  assert got == want
  assert not rng.draws


def test_the_fallback_has_an_area_for_any_ratio():
  got = draw(3, 1, 1, ratio=(3, 4))
  np.testing.assert_array_equal(got, [[0, 0, 1, 1]] * 3)
  got = draw(3, 1, 1, ratio=(0.2, 0.3))
  np.testing.assert_array_equal(got, [[0, 0, 1, 1]] * 3)


def test_the_same_generator_gives_the_same_crops():
  np.testing.assert_array_equal(draw(20, 40, 50), draw(20, 40, 50))
  assert (draw(20, 40, 50) != draw(20, 40, 50, seed=1)).any()


@pytest.mark.parametrize('bad', [(0, 1), (0.5, 0.4), (-1, 1)])
def test_intervals_are_checked(bad):
  for name in ('scale', 'ratio'):
    with pytest.raises(ValueError, match=f'{name} must be two numbers'):
      random_resized_crop(np.random.default_rng(0), 9, 9, **{name: bad})


def test_the_law_is_torchvisions():
  torch = pytest.importorskip('torch')
  transforms = pytest.importorskip('torchvision.transforms')
  torch.manual_seed(0)
  image = torch.zeros(3, 300, 520)
  want = np.array(
    [
      transforms.RandomResizedCrop.get_params(image, (0.08, 1), (3 / 4, 4 / 3))
      for _ in range(4000)
    ]
  )
  got = draw(4000, 300, 520)
  for a, b in zip(got.T, want.T, strict=True):
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    difference = np.searchsorted(a, both, 'right') / len(a)
    difference -= np.searchsorted(b, both, 'right') / len(b)
    assert np.abs(difference).max() < 2.2 * math.sqrt(2 / len(a))


# Resize, then crop


@pytest.mark.parametrize(
  'shape, want',
  [
    # 512 x 768 becomes 256 x 384: offsets 16 and 80, times 2.
    ((512, 768), (32, 160, 448, 448)),
    ((768, 512), (160, 32, 448, 448)),
    ((256, 256), (16, 16, 224, 224)),
    # 100 x 150 becomes 256 x 384.
    ((100, 150), (6.25, 31.25, 87.5, 87.5)),
    # 3 x 4 becomes 256 x int(341.33): left is (341 - 224) / 2 = 58.5, to even.
    ((3, 4), (16 * 3 / 256, 58 * 4 / 341, 224 * 3 / 256, 224 * 4 / 341)),
    # 343 columns: 59.5, to even, is 60.
    ((300, 402), (18.75, 60 * 402 / 343, 262.5, 224 * 402 / 343)),
    ((402, 300), (60 * 402 / 343, 18.75, 224 * 402 / 343, 262.5)),
    ((1, 1), (0.0625, 0.0625, 0.875, 0.875)),
  ],
)
def test_central_crops_by_hand(shape, want):
  np.testing.assert_allclose(resize_and_center_crop(*shape), want, rtol=1e-12)


@pytest.mark.parametrize('shape', [(97, 61), (50, 133), (70, 70), (333, 41)])
def test_a_central_crop_is_what_resizing_and_cropping_give(shape):
  pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, 'png')
  short = min(shape)
  size = tuple(int(48 * side / short) for side in shape)
  whole = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BILINEAR)
  top, left = (round((side - 32) / 2) for side in size)
  want = np.asarray(whole)[top : top + 32, left : left + 32]
  box = resize_and_center_crop(*shape, resize=48, size=32)
  got = decode_crop(file.getvalue(), box, 32)
  assert np.abs(got.astype(int) - want).max() <= 1


def test_a_central_crop_is_torchvisions():
  transforms = pytest.importorskip('torchvision.transforms')
  pixels = np.random.default_rng(0).integers(0, 256, (75, 101, 3), np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, 'png')
  steps = [transforms.Resize(48), transforms.CenterCrop(37)]
  want = transforms.Compose(steps)(Image.fromarray(pixels))
  box = resize_and_center_crop(75, 101, resize=48, size=37)
  got = decode_crop(file.getvalue(), box, 37)
  assert np.abs(got.astype(int) - np.asarray(want)).max() <= 1


def test_random_crops_take_every_offset_of_the_resized_image():
  rng = np.random.default_rng(0)
  crops = np.array(
    [resize_and_random_crop(rng, 20, 35, resize=10, size=8) for _ in range(900)]
  )
  # 10 x 17: tops 0..2, lefts 0..9, in units of 2 rows and 35/17 columns.
  tops, counts = np.unique(crops[:, 0], return_counts=True)
  np.testing.assert_allclose(tops, [0, 2, 4])
  assert counts.min() > 240
  lefts, counts = np.unique(crops[:, 1], return_counts=True)
  np.testing.assert_allclose(lefts, np.arange(10) * 35 / 17)
  assert counts.min() > 50
  np.testing.assert_allclose(crops[:, 2:], [[16, 8 * 35 / 17]] * 900)


def test_a_random_crop_of_the_whole_has_one_place():
  rng = np.random.default_rng(0)
  got = resize_and_random_crop(rng, 9, 9, resize=32, size=32)
  assert got == Box(0, 0, 9, 9)


@pytest.mark.parametrize('resize, size', [(223, 224), (0, 0), (8, -1)])
def test_a_crop_larger_than_the_image_is_refused(resize, size):
  rng = np.random.default_rng(0)
  for call in (
    lambda: resize_and_center_crop(50, 60, resize=resize, size=size),
    lambda: resize_and_random_crop(rng, 50, 60, resize=resize, size=size),
  ):
    with pytest.raises(ValueError, match=f'{size} x {size}.*side is {resize}'):
      call()


# Annotated boxes


def test_a_region_is_clipped_and_rounded_outwards():
  assert annotated_region((1.2, 2.9, 5.1, 7.0), 10, 10) == Box(1, 2, 5, 5)
  assert annotated_region((-4, -4, 99, 3.5, 7), 10, 12) == Box(0, 0, 10, 4)
  assert annotated_region((-4, -4, 99, 99), 10, 12) == Box(0, 0, 10, 12)
  assert annotated_region((4.2, 4.2, 4.3, 4.3), 10, 10) == Box(4, 4, 1, 1)


@pytest.mark.parametrize(
  'corners',
  [(3, 10, 4, 12), (12, 1, 14, 2), (-5, 1, 0, 2), (3, 3, 3, 5), (5, 1, 4, 2)],
)
def test_a_region_without_area_is_refused(corners):
  with pytest.raises(ValueError, match='no area in the image of 10 x 10'):
    annotated_region(corners, 10, 10)


def test_crops_of_a_region_lie_in_it():
  region = annotated_region((10, 20, 50, 90), 100, 100)
  rng = np.random.default_rng(0)
  for _ in range(50):
    for crop in (
      random_resized_crop(rng, region.height, region.width),
      resize_and_random_crop(rng, region.height, region.width),
      resize_and_center_crop(region.height, region.width),
    ):
      top, left, height, width = inside(region, crop)
      assert 10 <= top and top + height <= 50 + 1e-9
      assert 20 <= left and left + width <= 90 + 1e-9
      assert (height, width) == crop[2:]


def test_boxes_move_with_the_crop_by_hand():
  boxes = [
    [10, 20, 30, 60, 3],  # inside
    [0, 0, 100, 100, 4],  # around
    [0, 30, 20, 40, 5],  # half
    [0, 0, 10, 10, 6],  # touches a corner: gone
    [70, 70, 90, 90, 7],  # beyond: gone
    NO_BOX,
  ]
  # Top 10, left 10, 40 x 80 pixels to 20 x 20: half and a quarter.
  got = boxes_in_crop(np.array(boxes), Box(10, 10, 40, 80), 20)
  want = [
    [0, 2.5, 10, 12.5, 3],
    [0, 0, 20, 20, 4],
    [0, 5, 5, 7.5, 5],
    NO_BOX,
    NO_BOX,
    NO_BOX,
  ]
  np.testing.assert_array_equal(got, want)
  assert got.dtype == np.float32


def test_a_sliver_that_float32_rounds_away_is_gone():
  right = np.nextafter(np.float32(800), np.float32(1000))
  box = np.array([[0, 800, 900, right, 1]])
  got = boxes_in_crop(box, Box(0, 0, 1000, 1000), 101)
  np.testing.assert_array_equal(got, [NO_BOX])


def test_no_boxes_stay_no_boxes():
  got = boxes_in_crop(np.empty((0, 5)), Box(0, 0, 4, 4), 8)
  assert got.shape == (0, 5) and got.dtype == np.float32


def test_a_box_covers_the_same_pixels_after_the_crop():
  image = np.zeros((60, 80, 3), np.uint8)
  image[20:40, 24:56] = 255
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'png')
  crop = Box(10, 16, 48, 48)
  got = decode_crop(file.getvalue(), crop, 96)[..., 0]
  ((y0, x0, y1, x1, _),) = boxes_in_crop(
    np.array([[20, 24, 40, 56, 0]]), crop, 96
  )
  want = np.zeros((96, 96), bool)
  want[int(y0) : int(y1), int(x0) : int(x1)] = True
  np.testing.assert_array_equal(got > 127, want)


def test_functions_and_boxes_can_be_sent_to_workers():
  for thing in (random_resized_crop, resize_and_center_crop, Box(1, 2, 3, 4)):
    assert pickle.loads(pickle.dumps(thing)) == thing

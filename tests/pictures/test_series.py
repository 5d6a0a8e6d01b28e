"""Series over seeds, against numbers worked out by hand."""

import numpy as np

from at_jax.pictures import series


def test_over_seeds_is_median_and_range_where_a_seed_has_points():
  short = ([0, 1], [4.0, 3.0])
  runs = [([0, 1, 2], [9.0, 6.0, 5.0]), ([0, 1, 2], [8.0, 7.0, 3.0]), short]
  epochs, median, least, largest = series.over_seeds(runs)
  np.testing.assert_array_equal(epochs, [0, 1, 2])
  np.testing.assert_array_equal(median, [8, 6, 4])
  np.testing.assert_array_equal(least, [4, 3, 3])
  np.testing.assert_array_equal(largest, [9, 7, 5])


def test_over_seeds_reads_between_points_never_beyond_them():
  epochs, median, _, _ = series.over_seeds(
    [([0, 2], [0.0, 4.0]), ([1, 3], [6.0, 6.0])]
  )
  np.testing.assert_array_equal(epochs, [0, 1, 2, 3])
  np.testing.assert_array_equal(median, [0, 4, 5, 6])


def test_thinned_keeps_the_mean_and_the_span():
  epochs = np.arange(1000) / 10
  few, values = series.thinned((epochs, epochs * 2), points=50)
  assert len(few) == 50
  np.testing.assert_allclose(values, 2 * few)
  assert few[0] < 2 and few[-1] > 98
  np.testing.assert_array_equal(series.thinned(([1, 2], [3, 4]))[1], [3, 4])

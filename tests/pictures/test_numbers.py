"""Numbers on pictures: one way to write them, digits that tell them apart."""

import numpy as np
import pytest

from at_jax.pictures.numbers import is_constant, short, span


@pytest.mark.parametrize(
  'value,want',
  [
    (0.0, '0'),
    (-0.0, '0'),
    (0.37, '0.37'),
    (-0.4712, '−0.47'),
    (0.00123, '0.0012'),
    (0.000999, '0.001'),
    (0.00098, '9.8e−4'),
    (-1.7e-5, '−1.7e−5'),
    (9.96, '10'),
    (99.7, '100'),
    (-541.2, '−541'),
    (5683.4, '5683'),
    (9999.7, '1e4'),
    (86828, '8.7e4'),
    (2.1e5, '2.1e5'),
    (1.2e-20, '1.2e−20'),
    (np.float32(1e30), '1e30'),
    (np.nan, 'nan'),
    (-np.inf, '−inf'),
  ],
)
def test_short(value, want):
  assert short(value) == want


def test_more_digits():
  assert short(0.123456, 4) == '0.1235'
  assert short(86828, 4) == '8.683e4'
  assert short(1234.5678, 6) == '1234.57'
  assert short(-123456.0, 4) == '−1.235e5'


def test_different_ends_are_written_differently():
  assert span(0.81, 5683) == '0.81 … 5683'
  assert span(0.371, 0.374) == '0.371 … 0.374'
  assert span(0.99991, 1) == '0.9999 … 1'
  assert span(-86828, -86820) == '−8.683e4 … −8.682e4'
  assert span(np.nan, np.nan) == 'nan … nan'


def test_constant():
  assert span(1, 1) == 'constant 1' and span(0, 0) == 'constant 0'
  assert span(-0.37124, -0.37124) == 'constant −0.3712'
  # One step of float32 is nothing that a network has learned.
  one = np.float32(1)
  assert span(np.nextafter(one, np.float32(0)), one) == 'constant 1'
  assert not is_constant(0.99999, 1)
  assert is_constant(-1e9, -1e9 + 1) and not is_constant(-1e-9, 1e-9)

"""What the tests of the report share."""

import pytest

from at_jax.pictures import attention, curves


@pytest.fixture
def no_pictures(monkeypatch):
  """For tests of text alone: drawing takes most of a report's time."""
  monkeypatch.setattr(curves, 'draw_curves', lambda *_, **__: None)
  monkeypatch.setattr(attention, 'draw_attention', lambda *_, **__: None)

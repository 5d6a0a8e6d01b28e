"""A study, and what would be drawn of it."""

import pytest
from small_networks import SmallWRN
from visualize_study import make_study

from at_jax.models import MODELS
from at_jax.pictures import maps as pictures


@pytest.fixture(scope='module')
def study(tmp_path_factory):
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'wrn', SmallWRN)
    yield make_study(tmp_path_factory.mktemp('study'))


@pytest.fixture
def calls(monkeypatch):
  """What is handed to the function that draws, picture by picture."""
  found = []

  def draw(path, *args, **looks):
    found.append((path.name, *args, looks))
    path.write_bytes(b'png')

  monkeypatch.setattr(pictures, 'draw_maps', draw)
  return found

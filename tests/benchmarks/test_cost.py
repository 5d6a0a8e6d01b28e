"""Counts of multiply-adds, by hand."""

import flax.linen as nn
import pytest

from at_jax.models import create_model
from benchmarks import cost


class Two(nn.Module):
  num_classes: int = 3

  @nn.compact
  def __call__(self, images, *, train):
    x = nn.Conv(4, (1, 1), use_bias=False, name='first')(images)
    return nn.Dense(self.num_classes, use_bias=False)(x.mean((1, 2))), {}


def test_by_hand():
  found = cost.cost(Two(), 8, channels=2)
  assert found['first'] == (8 * 8 * 2 * 4, 8)
  assert found['Dense_0'] == (4 * 3, 12)
  assert found[''][1] == 20 and found[''][0] >= 512 + 12


def test_attention_of_tasn_costs_more_than_its_backbone():
  """The spec counts 20.1 with padded zeros, and the trilinear products."""
  found = cost.cost(create_model('tasn', num_classes=200), 512)
  assert found['attention'][0] == pytest.approx(18.5e9, rel=0.02)
  assert found['backbone'][0] == pytest.approx(4.0e9, rel=0.03)
  assert found[''][0] < 24e9


def test_command(capsys):
  cost.main(['--model=wrn', '--size=32', '--classes=10'])
  assert '| whole |' in capsys.readouterr().out

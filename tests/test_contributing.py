"""The examples of CONTRIBUTING.md run as they stand there."""

import re

import flax.linen as nn
import jax.numpy as jnp
import pytest
from helpers import Quiet, numbers, one_device

from at_jax import models
from at_jax.objectives import terms
from at_jax.train.config import ROOT, load_config
from at_jax.train.study import run_study


class Small(nn.Module):
  width: int = 16
  num_classes: int = 10
  dtype: str = 'float32'

  @nn.compact
  def __call__(self, images, *, train):
    x = nn.relu(nn.Conv(self.width, (3, 3), dtype=self.dtype)(images))
    return nn.Dense(self.num_classes)(x.mean(axis=(1, 2))), {'conv': x}


@pytest.fixture
def blocks():
  text = (ROOT / 'CONTRIBUTING.md').read_text()
  found = re.findall(r'( *)```python\n(.*?)```', text, re.DOTALL)
  return [re.sub(f'(?m)^{indent}', '', code) for indent, code in found]


def test_own_loss_model_and_config(small_wrn, blocks, tmp_path, monkeypatch):
  loss, config = blocks
  scope = {'jnp': jnp}
  exec(loss, scope)
  term = terms.Term(scope['logit_l2'], needs_teacher=True)
  monkeypatch.setitem(terms.TERMS, 'logit_l2', term)
  monkeypatch.setitem(models.MODELS, 'small', Small)
  (tmp_path / 'mine.py').write_text(config)
  run_study(
    load_config(f'{tmp_path}/mine.py:tiny,weight=0.5'),
    tmp_path / 'work',
    name='mine',
    console=Quiet(),
    mesh=one_device(),
  )
  row = numbers(tmp_path / 'work' / 'main' / 'seed0')[0]
  assert row['weight/logit_l2'] < 0.5 and row['logit_l2'] > 0
  full = load_config(f'{tmp_path}/mine.py')
  assert full.data.name == 'shapes' and full.data.mean == (127.5,)

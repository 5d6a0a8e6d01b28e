"""Table 3's configs: its conditions, the paper's numbers, sweeps over beta."""

import pytest

from at_jax.train import config as c
from at_jax.train import differences as d
from configs import plain

T3, DIGITS = 'configs/table3.py', 'configs/digits_grad_at.py'
# CIFAR-10 test errors in percent, one run each.
PAPER = dict(
  alone=13.5,
  min_l2=12.5,
  grad_at=12.1,
  kd=12.1,
  symmetry=11.8,
  activation_at=11.2,
)
ALONE = {row: f'configs/nin_{row}.py' for row in PAPER} | {
  'alone': 'configs/nin_plain.py'
}
TAUGHT = ('grad_at', 'kd', 'activation_at')


def row(name, spec=T3):
  return c.row_config(c.load_config(spec), name)


def single(spec):
  return c.row_config(c.load_config(spec), 'main')


def test_rows_and_errors_are_the_papers():
  table = c.load_config(T3)
  assert {name: row(name).paper for name in c.row_names(table)} == PAPER
  assert table.baseline == 'alone'
  for name, spec in ALONE.items():
    assert single(spec).paper == PAPER[name]
    other = spec + ':epochs=10'
    assert single(other).paper == 0 == row(name, f'{T3}:epochs=10').paper


@pytest.mark.parametrize('name', PAPER)
def test_conditions_are_the_papers(name):
  config = row(name)
  for one in (config, *([c.teacher_config(config)] if name in TAUGHT else [])):
    assert (one.data.name, one.data.pad, one.data.flip) == ('cifar10', 0, True)
    assert one.optimizer.weight_decay == 0
    assert one.precision == 'float32' and one.dtype == 'float32'
    assert one.deterministic
    assert not one.model.relu_before_pool
  assert (config.model.widths, config.model.batch_norm) == (96, False)


@pytest.mark.parametrize('name', PAPER)
def test_a_row_is_its_own_config(name):
  found, own = row(name), single(ALONE[name])
  lines = d.differences(d.as_json(found), d.as_json(own))
  if name == 'alone':  # cross-entropy, as a term and as `supervised`
    lines = [line for line in lines if not line.startswith('objective.')]
    assert list(found.objective.terms) == ['ce']
  assert lines == []


def test_teachers():
  for name in PAPER:
    assert bool(row(name).teacher.config) == (name in TAUGHT)
  norms = {}
  for name in TAUGHT:
    model = c.teacher_config(row(name)).model
    assert model.widths == 192
    norms[name] = model.batch_norm
  assert norms == dict(grad_at=False, kd=False, activation_at=True)


@pytest.mark.parametrize('name', ['min_l2', 'grad_at', 'symmetry'])
def test_weight_is_half_of_beta(name):
  objective = row(name, f'{T3}:{name}=3').objective
  assert objective.gradient_bn == 'running'
  term = objective.terms[name]
  assert term.squared and term.weight.value == 1.5
  assert term.weight.schedule == 'constant'
  assert objective.terms.ce.weight.value == 1.0
  assert set(objective.terms) == {'ce', name}
  own = single(f'{ALONE[name]}:beta=3,squared=false').objective.terms[name]
  assert (own.weight.value, own.squared) == (1.5, False)


def test_arguments_reach_the_rows():
  assert (
    row('symmetry', f'{T3}:outputs=0.25').objective.terms.symmetry['outputs']
    == 0.25
  )
  at = row('activation_at', f'{T3}:activation_at=7').objective.terms.at
  assert at.weight.value == 7.0 and at.taps == plain.CONVOLUTIONS
  kd = row('kd', f'{T3}:alpha=0.5,temperature=2').objective.terms
  assert kd.kd.weight.value == kd.ce.weight.value == 0.5
  assert kd.kd.temperature == 2.0
  assert c.load_config(f'{T3}:validation=5000').data.validation == 5000
  assert row('alone', f'{T3}:lr=0.5').optimizer.lr == 0.5
  assert (
    single(f'{ALONE["symmetry"]}:outputs=0').objective.terms.symmetry['outputs']
    == 0.0
  )


def test_sweep_repeats_one_method():
  spec = f'{T3}:sweep=grad_at,betas=1e-3+0.5+10,validation=5000'
  table = c.load_config(spec)
  assert c.row_names(table) == ['grad_at_0_001', 'grad_at_0_5', 'grad_at_10']
  weights = [
    row(name, spec).objective.terms.grad_at.weight.value for name in table.rows
  ]
  assert weights == [0.0005, 0.25, 5.0]
  labels = [table.rows[name]['label'] for name in table.rows]
  assert labels == [f'grad-AT, β = {beta}' for beta in ('0.001', '0.5', '10')]
  for name in table.rows:
    found = row(name, spec)
    assert found.teacher.config == row('grad_at').teacher.config
    assert found.paper == 0
  assert not table.baseline


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ('sweep=kd,betas=1,validation=9', "'kd'.*There are: min_l2, grad_at"),
    ('sweep=min_l2', 'betas=0.1'),
    ('betas=1', 'sweep=min_l2'),
    ('sweep=min_l2,betas=1', 'validation=500'),
    ('sweep=min_l2,betas=1+x,validation=9', 'betas=1.x: wanted numbers'),
    ('sweep=min_l2,betas=1+-1,validation=9', 'wanted numbers >= 0'),
    ('sweep=min_l2,betas=1+nan,validation=9', 'wanted numbers >= 0'),
    ('tiny,epochs=3', 'leave out epochs'),
    ('rows=alone+grad', "Did you mean 'grad_at'"),
    ('rows=alone,beta=1', "'beta'"),
  ],
)
def test_wrong_arguments(arguments, message):
  for spec in (T3, DIGITS):
    with pytest.raises(ValueError, match=message):
      c.load_config(f'{spec}:{arguments}')


def test_digits_have_no_symmetry_and_no_files():
  table = c.load_config(DIGITS)
  assert c.row_names(table) == [name for name in PAPER if name != 'symmetry']
  for name in table.rows:
    config = row(name, DIGITS)
    assert config.data.name == 'digits' and not config.data.flip
    assert config.data.pad == 0 and config.optimizer.weight_decay == 0
    assert config.data.train_examples == 100 and config.paper == 0
    if name in TAUGHT:
      teacher = c.teacher_config(config)
      assert teacher.data.train_examples == 0
      assert teacher.optimizer.weight_decay == 0
      assert teacher.model.batch_norm == (name == 'activation_at')

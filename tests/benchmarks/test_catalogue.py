"""The steps of the benchmark: their images, batches and configs."""

import pytest

from at_jax.train.config import load_config
from benchmarks import step, variants, workload
from benchmarks.catalogue import WORK


def test_steps_that_are_measured_unless_others_are_named():
  usual = ['ce', 'kd', 'at', 'nin', 'min_l2', 'grad_at', 'ran56_cifar']
  assert step.parse([]).steps == usual
  assert step.parse(['--steps=ran56,at']).steps == ['ran56', 'at']


@pytest.mark.parametrize('name', list(WORK))
def test_images_are_normalised_as_the_config_says(name):
  data, work = load_config(WORK[name].config).data, WORK[name]
  assert data.per_pixel_mean == (work.mean is None)
  assert work.mean in (None, tuple(data.mean))
  assert work.std == tuple(data.std)


def test_examples_are_of_the_size_and_the_classes_of_the_step():
  images, labels = workload.random_examples('ran56', 2)
  assert images.shape == (16, 224, 224, 3) and labels.shape == (16,)
  assert labels.min() < 300 and 700 < labels.max() < 1000
  images, labels = workload.random_examples('ran56_cifar', 8)
  assert images.shape == (800, 32, 32, 3)
  assert set(labels) == set(range(10))
  assert 250 < images.max() and images.min() < 5


def test_program_of_large_images():
  program = workload.our_program('ran56', batch=2, devices=1)
  assert program.network.input_shape == (224, 224, 3)
  assert program.network.variable_shapes['params']['head']['bias'].size == 1000
  assert program.steps_per_epoch == 8
  data = program.config.data
  assert data.flip and not data.pad and not data.colour


def measured(monkeypatch, device, steps):
  """{(step, variant's name): batch} of what the command would measure."""
  found = {}

  def run(settings, python, base):
    found[settings['step'], settings['name']] = settings['batch']
    return {'images_per_second': 1.0, 'peak_memory': 1}

  monkeypatch.setattr(step, 'run', run)
  flags = step.parse(['--rounds=1', f'--steps={steps}'])
  step.measure_all(flags, variants.VARIANTS[device], device, lambda x: None)
  return found


def test_batches(monkeypatch):
  on_cpu = measured(monkeypatch, 'cpu', 'at,nin,ran56_cifar,ran56')
  assert {name: size for (name, _), size in on_cpu.items()} == {
    'at': 128,
    'nin': 64,
    'ran56_cifar': 64,
    'ran56': 8,
  }
  on_gpu = measured(monkeypatch, 'gpu', 'nin,ran56')
  assert on_gpu['ran56', 'at_jax, bfloat16'] == 64
  assert on_gpu['nin', 'at_jax, float32'] == 64
  assert ('nin', 'at_jax, bfloat16') not in on_gpu

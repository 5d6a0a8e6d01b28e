"""Placing arrays on devices, and sharing a batch among them."""

import pathlib
import resource
import types

import jax
import numpy as np
import pytest

from at_jax.train import mesh as m


def test_mesh_is_one_dimensional_over_the_given_devices():
  assert m.data_mesh().shape == {'data': jax.device_count()}
  devices = jax.devices()[2:5]
  assert list(m.data_mesh(devices).devices) == devices


def test_put_keeps_values_and_dtypes():
  mesh = m.data_mesh()
  tree = {'image': np.arange(16, dtype=np.uint8).reshape(8, 2)}
  placed = m.put(tree, m.replicated(mesh))
  np.testing.assert_array_equal(placed['image'], tree['image'])
  assert placed['image'].dtype == np.uint8
  assert all(len(x.devices()) == 8 for x in jax.tree.leaves(placed))


def test_put_split_gives_every_device_its_rows():
  mesh = m.data_mesh()
  rows = np.arange(16)
  placed = m.put(rows, m.split(mesh))
  shards = {s.device: np.asarray(s.data) for s in placed.addressable_shards}
  for index, device in enumerate(mesh.devices):
    np.testing.assert_array_equal(shards[device], rows[2 * index :][:2])


@pytest.mark.parametrize('size', [8, 16, 128])
def test_batch_that_the_devices_can_share(size):
  m.check_batch('config.batch_size', size, m.data_mesh())


@pytest.mark.parametrize(('size', 'near'), [(20, 16), (5, 8), (129, 128)])
def test_batch_that_they_cannot(size, near):
  with pytest.raises(ValueError) as error:
    m.check_batch('config.batch_size', size, m.data_mesh())
  words = (f'config.batch_size={size}', '8 devices', f'say {near}')
  for word in words:
    assert word in str(error.value)


def test_one_host():
  assert m.is_first_host()
  assert m.largest(15, True) == (15, 1) and m.largest(0) == (0,)
  m.wait_for_all('nobody')


def test_devices_in_words():
  assert m.describe_devices() == 'cpu in 8 parts'


def test_peak_memory_of_this_process_is_plausible():
  status = pathlib.Path('/proc/self/status')
  peak = m.peak_memory_mb()
  assert 100 < peak < 1e6
  if status.is_file():
    lines = dict(x.split(':', 1) for x in status.read_text().splitlines())
    seen = int(lines['VmHWM'].split()[0]) / 2**10
    assert 0.9 * seen < peak
  assert m.peak_memory_mb() >= peak


@pytest.mark.parametrize(
  ('platform', 'maxrss'), [('linux', 1536 * 2**10), ('darwin', 1536 * 2**20)]
)
def test_peak_memory_in_the_units_of_the_system(monkeypatch, platform, maxrss):
  usage = types.SimpleNamespace(ru_maxrss=maxrss)
  monkeypatch.setattr(resource, 'getrusage', lambda who: usage)
  monkeypatch.setattr(m.sys, 'platform', platform)
  assert m.peak_memory_mb() == 1536.0


def test_peak_memory_of_the_fullest_device(monkeypatch):
  stats = [None, {}, {'peak_bytes_in_use': 3 * 2**20, 'bytes_in_use': 7}]
  stats.append({'peak_bytes_in_use': 5 * 2**20 + 2**19, 'bytes_limit': 2**40})
  devices = [types.SimpleNamespace(memory_stats=lambda s=s: s) for s in stats]
  monkeypatch.setattr(jax, 'local_devices', lambda: devices)
  assert m.peak_memory_mb() == 5.5


def test_a_program_for_one_run_gives_the_same_numbers(monkeypatch):
  def init(key):
    return jax.random.normal(key, (3, 3, 4, 8)), jax.random.uniform(key, (16,))

  monkeypatch.setenv('XLA_FLAGS', '')
  options = m.for_one_run(m.data_mesh())
  assert options['xla_backend_optimization_level'] == 1
  cheap = jax.jit(init, compiler_options=options)(jax.random.key(3))
  # As users compile everything else.
  usual = {
    'xla_backend_optimization_level': 3,
    'xla_llvm_disable_expensive_passes': False,
  }
  want = jax.jit(init, compiler_options=usual)(jax.random.key(3))
  for one, other in zip(cheap, want, strict=True):
    np.testing.assert_array_equal(one, other)


def test_a_level_that_the_user_has_set_stays(monkeypatch):
  monkeypatch.setenv('XLA_FLAGS', '--xla_backend_optimization_level=0')
  assert m.for_one_run(m.data_mesh()) == {}


def test_only_a_cpu_takes_so_long(monkeypatch):
  monkeypatch.setenv('XLA_FLAGS', '')
  device = types.SimpleNamespace(platform='gpu')
  mesh = types.SimpleNamespace(devices=np.array([device]))
  assert m.for_one_run(mesh) == {}

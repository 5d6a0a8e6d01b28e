"""Settings of every test: strict broadcasting, eight devices, one cache."""

import os
import tempfile

from jaxlib import version

# Programs compiled once serve every test, subprocesses included.
_CACHE = tempfile.TemporaryDirectory(prefix='at_jax_tests_')
os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', _CACHE.name)
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.1')

# Most of a test's time is compiling: hardly optimised, that takes a fifth.
# `XLA_FLAGS= JAX_DISABLE_MOST_OPTIMIZATIONS=0` before pytest tests all as users
# run it; test_train_command.py and test_train_stopped.py always do.
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')
# XLA ends the process at a flag it does not know: jax 0.10 knows these.
if version.__version__.startswith('0.10.'):
  os.environ.setdefault(
    'XLA_FLAGS',
    '--xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false '
    '--xla_llvm_disable_expensive_passes=true '
    '--xla_cpu_parallel_codegen_split_count=1',
  )

import jax  # noqa: E402 (reads the variables above)
import pytest  # noqa: E402

jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update('jax_num_cpu_devices', 8)


@pytest.fixture(scope='module')
def small_wrn():
  """Configs that name a WRN get `SmallWRN`: where the network is any one."""
  from small_networks import SmallWRN

  from at_jax.models import MODELS

  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(MODELS, 'wrn', SmallWRN)
    yield

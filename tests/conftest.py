"""Settings of every test: strict broadcasting, eight devices, one cache."""

import os
import tempfile

# Programs compiled once serve every test, subprocesses included.
_CACHE = tempfile.TemporaryDirectory(prefix='at_jax_tests_')
os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', _CACHE.name)
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.3')

import jax  # noqa: E402 (reads the variables above)

jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update('jax_num_cpu_devices', 8)

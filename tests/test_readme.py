"""The README's code runs as it stands."""

import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np

import at_jax
from at_jax.losses import cross_entropy

README = pathlib.Path(__file__).resolve().parents[1] / 'README.md'


def test_the_loss_is_the_sum_of_its_parts():
  (code,) = re.findall(r'```python\n(.*?)```', README.read_text(), re.DOTALL)
  names = {}
  exec(compile(code, 'README.md', 'exec'), names)
  loss = jax.jit(jax.value_and_grad(names['loss'], argnums=(0, 1)))
  rng = np.random.default_rng(0)

  def network(channels):
    sizes = (8, 4)
    layers = [
      jnp.asarray(rng.normal(size=(3, n, n, channels)), jnp.float32)
      for n in sizes
    ]
    return jnp.asarray(rng.normal(size=(3, 5)), jnp.float32), layers

  student, teacher, labels = network(4), network(6), jnp.array([0, 4, 2])
  value, (own, theirs) = loss(student, teacher, labels)
  at = sum(
    at_jax.at_distance(a, b).mean()
    for a, b in zip(student[1], teacher[1], strict=True)
  )
  kd = at_jax.kd_divergence(student[0], teacher[0], temperature=4.0).mean()
  ce = cross_entropy(student[0], labels).mean()
  np.testing.assert_allclose(value, 0.1 * ce + 0.9 * kd + 1000 * at, rtol=1e-5)
  assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(own))
  assert not any(np.any(leaf != 0) for leaf in jax.tree.leaves(theirs))

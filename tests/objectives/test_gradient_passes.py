"""What gradient terms leave alone, and what they need of a pass."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import tiny_network, wrn_network
from transfer_runs import (
  CE,
  Setting,
  build,
  weight,
)

from at_jax.objectives.gradients import differentiate


@pytest.mark.parametrize('precision', ['default', 'highest'])
def test_products_are_in_float32_whatever_the_run_says(precision):
  setting = Setting(tiny_network(norm=False), tiny_network(norm=False))
  for terms, exact in (
    (dict(ce=CE, grad_at=weight(1.0)), True),
    (dict(ce=CE), precision == 'highest'),
  ):
    objective = build(setting.student, setting.teacher, **terms)
    params = {'student': setting.own['params'], 'objective': {}}
    arguments = {}, setting.others, setting.batch, None, jnp.asarray(0)
    with jax.default_matmul_precision(precision):
      text = (
        jax.jit(jax.grad(objective.loss, has_aux=True))
        .lower(params, *arguments)
        .as_text()
      )
    products = re.findall(r'(?:dot_general|convolution)\(?.*', text)
    assert len(products) > 8
    assert all('HIGHEST' in line for line in products) == exact


def test_two_names_of_one_endpoint_have_one_gradient():
  network = wrn_network()  # one block in each group
  setting = Setting(network, network)
  names = {'group2', 'group2/block1', 'group1'}
  _, found = jax.jit(
    lambda variables, images, labels: differentiate(
      network, variables, images, labels, names
    )
  )(setting.own, setting.batch['image'], setting.batch['label'])
  assert set(found.gradients) == names
  one, other = (found.gradients[name] for name in ('group2', 'group2/block1'))
  np.testing.assert_array_equal(one, other)
  assert np.any(one)


def in_bfloat16(network):
  model = network.model.clone(dtype=jnp.bfloat16)
  return dataclasses.replace(network, model=model)


def test_other_terms_read_the_same_beside_a_gradient():
  networks = [in_bfloat16(tiny_network(norm=False)) for _ in range(2)]
  setting = Setting(*networks)
  terms = dict(ce=CE, kd=weight(1.0))
  alone, beside = (
    setting.loss(build(*networks, **terms, **more))[2]
    for more in ({}, dict(grad_at=weight(0.0)))
  )
  assert float(beside['grad_at']) > 0
  for name, value in alone.items():
    np.testing.assert_allclose(beside[name], value, rtol=1e-6)


@pytest.mark.parametrize('taps', [('group1', 'group2'), (('group1',),)])
def test_taps_that_are_no_pairs(taps):
  network = tiny_network(norm=False)
  for term in ('grad_at', 'at', 'activation'):
    with pytest.raises(ValueError, match=f'term {term} wants taps in pairs'):
      build(network, network, **{term: weight(1.0) | dict(taps=taps)})

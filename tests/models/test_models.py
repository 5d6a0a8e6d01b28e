"""The dict of models: each by its shapes alone, errors, and NNX."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from at_jax.models import MODELS, create_model

# Small arguments and an input size, where the defaults are large.
ARGUMENTS = {
  'wrn': dict(depth=10),
  'nin': dict(widths=8),
  'cifar_resnet': dict(depth=8),
  'ran_cifar_wide': dict(modules=1, t=1),
  'ran56': dict(t=1, mask='local'),
  'ran_next56': dict(t=1, mask='local'),
  'a3net': dict(blocks=(1, 2), taps=(1, 2), width=8),
  'attention_cnn': dict(k=8),
}
# Beginnings of endpoints that are not in the dtype of the activations.
WIDE = {'tasn': ('attention', 'map/', 'sampled/', 'detail_index')}


# Deeper ones of the same classes only take longer to trace.
DEEP = (
  'resnet34',
  'resnet101',
  'resnet152',
  'preact_resnet34',
  'ran92',
  'ran_next92',
)


@pytest.mark.parametrize('name', [m for m in MODELS if m not in DEEP])
def test_every_model_by_its_shapes(name):
  args = ARGUMENTS.get(name, {})
  model = create_model(name, num_classes=7, dtype=jnp.bfloat16, **args)
  images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
  for train in (False, True):
    (logits, endpoints), variables = jax.eval_shape(
      lambda key, x, train=train: model.init_with_output(key, x, train=train),
      jax.random.key(0),
      images,
    )
    assert logits.shape == (2, 7) and logits.dtype == jnp.bfloat16
    assert isinstance(endpoints, dict) and endpoints
    for endpoint, array in endpoints.items():
      assert isinstance(endpoint, str)
      assert array.shape[0] == 2
      wide = endpoint.startswith(WIDE.get(name, ()))
      assert wide != (array.dtype == jnp.bfloat16), endpoint
    assert variables.keys() <= {'params', 'batch_stats'}
    for leaf in jax.tree.leaves(variables):
      assert leaf.dtype == jnp.float32


@pytest.mark.parametrize('name', MODELS)
def test_docstring_names_the_endpoints(name):
  model = MODELS[name]
  assert 'Endpoints' in getattr(model, 'func', model).__doc__


def test_arguments_reach_the_model():
  model = create_model('wrn', depth=22, width=1.5, num_classes=3)
  assert (model.depth, model.width, model.num_classes) == (22, 1.5, 3)


def test_arguments_survive_json():
  """A weights folder keeps them as JSON, which has lists and no tuples."""
  arguments = dict(
    name='nin', widths=((4, 5, 6), (7, 8, 9), (4, 4, 4)), kernels=(5, 5, 3)
  )
  model = create_model(**arguments)
  again = create_model(**json.loads(json.dumps(arguments)))
  assert again == model and hash(again) == hash(model)
  assert again.widths == arguments['widths'] and again.kernels == (5, 5, 3)


@pytest.mark.parametrize('name', ['wrm', 'WRN', '', 'parent'])
def test_unknown_model(name):
  with pytest.raises(ValueError) as error:
    create_model(name)
  message = str(error.value)
  assert repr(name) in message
  assert all(known in message for known in MODELS)


def test_a_typo_gets_the_nearest():
  with pytest.raises(ValueError, match="Did you mean 'wrn'"):
    create_model('wrm')
  with pytest.raises(ValueError, match="'dept'.*Did you mean 'depth'") as error:
    create_model('wrn', dept=16)
  for argument in ('depth', 'width', 'num_classes', 'dtype'):
    assert argument in str(error.value)
  with pytest.raises(ValueError, match='parent'):
    create_model('wrn', parent=None)


def test_nnx_users_can_wrap_a_model():
  images = np.random.default_rng(0).standard_normal((2, 8, 8, 3), np.float32)
  model = create_model('wrn', depth=10)

  @nnx.jit
  def create(images):
    rngs = nnx.Rngs(jax.random.key(0, impl='rbg'))
    wrapped = nnx.bridge.ToNNX(model, rngs=rngs)
    return nnx.bridge.lazy_init(wrapped, images, train=False)

  @nnx.jit
  def step(wrapped, images):
    return wrapped(images, train=True, mutable=['batch_stats'])

  wrapped = create(images)
  params, stats = (
    nnx.to_pure_dict(nnx.state(wrapped, kind))
    for kind in (nnx.Param, nnx.BatchStat)
  )
  variables = {'params': params, 'batch_stats': stats}
  (wanted, _), updated = jax.jit(
    lambda v, x: model.apply(v, x, train=True, mutable=['batch_stats'])
  )(variables, images)
  logits, endpoints = step(wrapped, images)
  np.testing.assert_allclose(logits, wanted, rtol=1e-5, atol=1e-5)
  assert 'group3' in endpoints
  np.testing.assert_allclose(
    wrapped.bn['mean'][...], updated['batch_stats']['bn']['mean'], rtol=1e-5
  )

"""Endpoints that gradients can be taken at, without touching the model.

Where an endpoint is the output of a submodule, Flax can be asked to add an
array to that output; the loss's gradient with respect to the array, at zero, is
its gradient at the endpoint.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from at_jax.objectives.taps import endpoint


@functools.cache
def submodule_of(network, name, train):
  """(path of the submodule whose output an endpoint is, the endpoint's shape).

  Args:
    network: a `Network`.
    name: of the endpoint.
    train: as `Network.apply` has it.

  Returns:
    The path, a tuple of strings, and the shape of one example.

  Raises:
    ValueError: no such endpoint, or one that the network computes outside of
      its submodules, like a ReLU.
  """
  paths, shapes = _endpoints_of_submodules(network, train)
  shape = endpoint(shapes, name, f'network {network.label}')
  if name not in paths or len(shape) != 3:
    usable = [place for place in paths if len(shapes[place]) == 3]
    raise ValueError(
      f'No gradient can be taken at the endpoint {name!r} of {network.label}: '
      'it is no feature map that a submodule returns. There are: '
      f'{", ".join(usable) or "none"}.'
    )
  return paths[name], shape


def added(addends):
  """A context in which submodules return their output plus an addend.

  Args:
    addends: a dict from a submodule's path to an array like its output.
  """

  def intercept(next_function, args, kwargs, context):
    output = next_function(*args, **kwargs)
    addend = addends.get(context.module.path)
    if context.method_name != '__call__' or addend is None:
      return output
    return output + addend.astype(output.dtype)

  return nn.intercept_methods(intercept)


@functools.cache
def _endpoints_of_submodules(network, train):
  """({endpoint: path}, {endpoint: shape of one example}), by one trace."""
  returned, paths, shapes = [], {}, {}

  def record(next_function, args, kwargs, context):
    output = next_function(*args, **kwargs)
    if context.method_name == '__call__':
      returned.append((context.module.path, output))
    return output

  def trace(variables, images):
    with nn.intercept_methods(record):
      outputs = network.apply(variables, images, train=train)
    _, ends = outputs[0] if train else outputs
    called = [path for path, _ in returned]
    for name, end in ends.items():
      shapes[name] = end.shape[1:]
      # A module that is called twice has two outputs: neither can be named.
      own = [path for path, output in returned if output is end]
      if own and called.count(own[0]) == 1:
        paths[name] = own[0]

  image = jax.ShapeDtypeStruct((2, *network.input_shape), jnp.float32)
  jax.eval_shape(trace, network.variable_shapes, image)
  return paths, shapes

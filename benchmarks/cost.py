"""Multiply-adds and parameters of a network, counted, not timed.

  python -m benchmarks.cost --model=tasn --size=512
  python -m benchmarks.cost --model=resnet50 --size=224 --classes=1000

XLA's own count of what one image costs in evaluation, divided by two: products
with padded zeros are not in it, which other counts have. Parts are the
submodules that are applied: of TASN the attention network and the backbone.
"""

import argparse

import flax.linen as nn
import jax
import jax.numpy as jnp

from at_jax.models import create_model


def multiply_adds(function, *shapes):
  """Of a function of arrays of these shapes: no array is made."""
  counted = jax.jit(function).lower(*shapes).cost_analysis()
  return counted['flops'] / 2


def cost(model, size, channels=3):
  """{part: (multiply-adds, parameters)} of an image; '' is the whole."""
  images = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
  variables = jax.eval_shape(
    lambda key, x: model.init(key, x, train=False), jax.random.key(0), images
  )
  calls = {}

  def watch(next_function, args, kwargs, context):
    module = context.module
    if len(module.path) == 1 and context.method_name == '__call__':
      calls[module.name] = (module.clone(parent=None), args, kwargs)
    return next_function(*args, **kwargs)

  def apply(variables, x):
    return model.apply(variables, x, train=False)

  with nn.intercept_methods(watch):
    jax.eval_shape(apply, variables, images)
  found = {'': (multiply_adds(apply, variables, images), _count(variables))}
  for name, (module, args, kwargs) in calls.items():
    own = {kind: tree[name] for kind, tree in variables.items() if name in tree}
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in args]

    def part(own, *args, module=module, kwargs=kwargs):
      return module.apply(own, *args, **kwargs)

    found[name] = multiply_adds(part, own, *shapes), _count(own)
  return found


def _count(variables):
  return sum(x.size for x in jax.tree.leaves(variables.get('params', {})))


def main(arguments=None):
  parser = argparse.ArgumentParser(
    prog='python -m benchmarks.cost',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--model', default='tasn')
  parser.add_argument('--size', type=int, default=512)
  parser.add_argument('--classes', type=int, default=200)
  flags = parser.parse_args(arguments)
  model = create_model(flags.model, num_classes=flags.classes)
  print('| part | multiply-adds, 10⁹ | parameters |\n| --- | --- | --- |')
  for name, (count, parameters) in cost(model, flags.size).items():
    print(f'| {name or "whole"} | {count / 1e9:.2f} | {parameters:,} |')


if __name__ == '__main__':
  main()

"""Changed copies of configs, for the tests of configs."""

from at_jax.train import config as c
from configs import common

AT, STUDY = 'configs/wrn_at.py', 'configs/digits_at.py'


def changed(config, path, value):
  """A copy with one field set."""
  copy = c.without(config)
  *parents, last = path.split('.')
  node = copy
  for parent in parents:
    node = node[parent]
  del node[last]
  node[last] = value
  return copy.lock()


def study(**rows):
  config = c.without(c.load_config(AT))
  config.rows = common.dotted(rows)
  return config.lock()

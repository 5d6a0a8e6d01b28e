"""What TASN minimises: cross-entropies of its branches, part teaches master.

Source: Zheng, Fu, Zha and Luo, Looking for the Devil in the Details: Learning
Trilinear Attention Sampling Network for Fine-grained Image Recognition (TASN),
CVPR 2019, https://arxiv.org/abs/1903.06150.
"""

import dataclasses

import jax
import jax.numpy as jnp

from at_jax._arrays import unknown
from at_jax.losses import cross_entropy, soft_target_cross_entropy
from at_jax.objectives.alone import Alone
from at_jax.objectives.network import Network
from at_jax.objectives.taps import parts_of

BRANCHES = ('attention', 'part', 'master', 'part_shared', 'master_shared')
DISTILLED = ('master', 'part')  # student, teacher; or those of the shared head


def tasn(
  *,
  weights,
  student,
  teacher,
  steps_per_epoch,
  epochs,
  distil=1.0,
  temperature=10.0,
  t_squared=False,
  one_way=True,
):
  """Builds a `Sampling`: for a model that has endpoints `logits/<branch>`.

  Args:
    weights: {branch: weight of its cross-entropy}; branches with a weight of 0,
      and those that are not named, have none.
    student: a `Network` of `tasn`.
    teacher: of no use here.
    steps_per_epoch: likewise.
    epochs: likewise.
    distil: weight of the soft cross-entropy of master to part; 0 for none. The
      paper's lambda is its ratio to the master's weight.
    temperature: of both in it.
    t_squared: whether it is multiplied by the temperature's square.
    one_way: stop its gradient at the part network, as the paper has it; the
      authors' code does not.

  Raises:
    ValueError: a branch that there is not, or the model has not.
  """
  del teacher, steps_per_epoch, epochs
  for branch in weights:
    if branch not in BRANCHES:
      raise ValueError(unknown('branch of TASN', branch, BRANCHES))
  objective = Sampling(
    student,
    {branch: weight for branch, weight in dict(weights).items() if weight},
    distil,
    temperature,
    t_squared,
    one_way,
  )
  objective.check()
  return objective


@dataclasses.dataclass(frozen=True, eq=False)
class Sampling(Alone):
  """See `tasn`, which builds it."""

  student: Network
  weights: dict[str, float]
  distil: float
  temperature: float
  t_squared: bool
  one_way: bool

  def terms(self, logits, ends, labels):
    """Loss, parts and wrong predictions: see `Alone`."""
    branches = parts_of('logits', ends)
    parts = {
      f'ce/{branch}': jnp.mean(cross_entropy(own, labels))
      for branch, own in branches.items()
    }
    for view, map_ in parts_of('map', ends).items():
      # Of no use but to name the branch of a map that is not finite.
      parts[f'map/{view}'] = jnp.mean(jnp.max(map_, axis=(1, 2)))
    total = sum(w * parts[f'ce/{name}'] for name, w in self.weights.items())
    if self.distil:
      master, part = self._distilled(branches)
      if self.one_way:
        part = jax.lax.stop_gradient(part)
      soft = soft_target_cross_entropy(
        master, part, temperature=self.temperature, t_squared=self.t_squared
      )
      parts['distil'] = jnp.mean(soft)
      total += self.distil * parts['distil']
    return total, parts, jnp.argmax(logits, axis=-1) != labels

  def check(self):
    """Traces the model on shapes alone: what does not fit is said at once."""
    network = self.student
    _, ends = network.output_shapes
    found = parts_of('logits', ends)
    for branch in self.weights:
      if branch not in found:
        raise ValueError(
          f'The branch {branch!r} has a weight, and {network.label} no '
          f'endpoint logits/{branch}. '
          f'{unknown("branch of this network", branch, found)} See its heads '
          'and part, or set the weight to 0.'
        )
    if self.distil:
      self._distilled(found)

  def _distilled(self, found):
    """(logits of the master, of the part): of their own heads if they have."""
    for suffix in ('', '_shared'):
      pair = [found.get(f'{branch}{suffix}') for branch in DISTILLED]
      if None not in pair:
        return pair
    raise ValueError(
      f'{self.student.label} has no part network to learn from: set '
      'config.objective.distil=0, or config.model.part=True.'
    )

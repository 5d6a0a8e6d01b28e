"""What objectives without a teacher and parameters of their own share."""

import jax.numpy as jnp

from at_jax.objectives.network import Network


class Alone:
  """A base: what is minimised is a function of the student's outputs alone.

  A subclass has `student` and `terms(logits, endpoints, labels)`, which returns
  (loss, its parts, which decisions are wrong).
  """

  student: Network

  teacher = None
  reads_gradients = False

  def init(self, key):
    """It has no parameters of its own."""
    del key
    return {}

  def loss(self, params, batch_stats, teacher_variables, batch, key, step):
    """One batch's loss, new batch statistics and metrics; see the package."""
    del teacher_variables, step
    variables = {'params': params['student'], 'batch_stats': batch_stats}
    (logits, ends), batch_stats = self.student.apply(
      variables, batch['image'], train=True, key=key
    )
    total, parts, wrong = self.terms(logits, ends, batch['label'])
    metrics = {
      'loss': total,
      'train_error': 100.0 * jnp.mean(wrong.astype(jnp.float32)),
      **parts,
    }
    return total, (batch_stats, metrics)

"""The ways of the paper to teach a student, as `config.objective`.

Each is a sum of terms, `weight(step) * term`; see `at_jax/objectives/terms.py`.
"""

from configs import common

GROUPS = common.same('group1', 'group2', 'group3')


def alone():
  """Cross-entropy with the labels."""
  return transfer(ce=_ce(1.0))


def at(beta=1e3, *, taps=GROUPS, form='code', kind='sum_pow', p=2.0):
  """Activation-based attention transfer."""
  return transfer(
    ce=_ce(1.0), at=_at(common.constant(beta), taps, form, kind, p)
  )


def kd(alpha=0.9, temperature=4.0):
  """Knowledge distillation: alpha T^2 KL + (1 - alpha) CE."""
  return transfer(**_soft(alpha, temperature))


def at_kd(beta=1e3, *, decay='linear', alpha=0.9, temperature=4.0, taps=GROUPS):
  """Both, with beta decaying: the paper says so, and not how."""
  weight = common.schedule(decay)(beta)
  soft = _soft(alpha, temperature)
  return transfer(**soft, at=_at(weight, taps, 'code', 'sum_pow', 2.0))


def activation(beta=1e5, *, decay='linear', taps=GROUPS):
  """F-ActT: whole activations, as in FitNets; beta decays here too."""
  weight = common.schedule(decay)(beta)
  return transfer(
    ce=_ce(1.0), activation=dict(weight=weight, form='code', taps=taps)
  )


def grad_at(beta, *, squared=True, taps=()):
  """Gradient-based attention transfer: CE + beta/2 norm(J_S - J_T)^2."""
  return _by_gradient('grad_at', beta, squared=squared, taps=taps)


def min_l2(beta, *, squared=True):
  """Double backpropagation: CE + beta/2 norm(J)^2, no teacher."""
  return _by_gradient('min_l2', beta, squared=squared)


def symmetry(beta, *, squared=True, outputs=1.0):
  """Flip invariance: CE + beta/2 (gradients' + outputs * logits'), no teacher.

  The parentheses hold norm(J(x) - flip(J(flip(x))))^2 and the same of the
  logits of image and mirrored image.
  """
  return _by_gradient('symmetry', beta, squared=squared, outputs=outputs)


def transfer(**terms):
  return dict(name='transfer', terms=terms)


def _by_gradient(term, beta, **settings):
  weight = common.constant(beta / 2)
  terms = transfer(ce=_ce(1.0), **{term: dict(weight=weight, **settings)})
  return terms | dict(gradient_bn='running')


def _ce(weight):
  return dict(weight=common.constant(weight))


def _soft(alpha, temperature):
  distilled = dict(weight=common.constant(alpha), temperature=temperature)
  return dict(ce=_ce(1 - alpha), kd=distilled)


def _at(weight, taps, form, kind, p):
  return dict(weight=weight, form=form, kind=kind, p=p, resize='', taps=taps)

"""grad_at, min_l2 and symmetry against gradients of one image at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_networks import assert_trees_close
from transfer_runs import (
  Setting,
  at_term,
  build,
  gradient_of_one,
  loss_of_one,
  mean_square,
  one_by_one,
  roughly,
  two_parts,
  weight,
)

from at_jax.data.augment import normalise
from configs import common

MEAN, STD = (100.0, 90.0, 125.0), (40.0, 50.0, 90.0)  # the teacher's
WEIGHTS = dict(ce=0.1, kd=0.9, at=10.0, grad_at=0.7, min_l2=0.3, symmetry=0.2)
GRADIENT_TERMS = 'grad_at', 'min_l2', 'symmetry'


def mirrored(images):
  return images[:, :, ::-1]


def norms(differences):
  rows = differences.reshape(len(differences), -1)
  return np.sqrt(np.square(rows).sum(1)).mean()


@pytest.fixture(scope='module')
def pair():
  """No batch norm in the student; the teacher's shows train from eval mode."""
  return Setting(
    two_parts(), two_parts(hidden=8, norm=True, mean=MEAN, std=STD)
  )


class ByHand:
  """Gradients, logits of each image on its own."""

  def __init__(self, pair):
    images, labels = pair.batch['image'], pair.raw['label']
    student = gradient_of_one(pair.student)
    self.student, self.logits = one_by_one(student, pair.own, images, labels)
    flipped, self.flipped_logits = one_by_one(
      student, pair.own, mirrored(np.asarray(images)), labels
    )
    self.flipped_back = mirrored(flipped)
    # With respect to what the teacher is given; its own pixels are those.
    self.teacher_own, _ = one_by_one(
      gradient_of_one(pair.teacher),
      pair.others,
      normalise(pair.raw['image'], MEAN, STD),
      labels,
    )
    # One of the student's units is this many of the teacher's.
    factor = np.array(pair.student.std) / np.array(STD)
    self.teacher = self.teacher_own * factor.reshape(1, 1, 1, 3)


@pytest.fixture(scope='module')
def by_hand(pair):
  return ByHand(pair)


class Run:
  """An objective of all terms, compiled once; it differentiates any metric."""

  def __init__(self, pair):
    objective = build(pair.student, pair.teacher, **self.terms(*WEIGHTS))

    def chosen(params, others, choice):
      params = {'student': params, 'objective': {}}
      _, (_, metrics) = objective.loss(params, {}, others, pair.batch, None, 0)
      return sum(choice[name] * metrics[name] for name in choice), metrics

    differentiate = jax.jit(
      jax.value_and_grad(chosen, argnums=(0, 1), has_aux=True)
    )
    self.grads = {}
    for name in ('loss', *WEIGHTS):
      choice = dict.fromkeys(('loss', *WEIGHTS), 0.0) | {name: 1.0}
      (_, self.metrics), self.grads[name] = jax.device_get(
        differentiate(pair.own['params'], pair.others, choice)
      )

  def terms(self, *names):
    terms = {name: weight(WEIGHTS[name]) for name in names}
    terms['at'] = at_term(WEIGHTS['at'], taps=common.same('middle'))
    return terms


@pytest.fixture(scope='module')
def run(pair):
  return Run(pair)


def test_values_are_those_of_single_images(run, by_hand):
  want = {
    'grad_at': mean_square(by_hand.student - by_hand.teacher),
    'min_l2': mean_square(by_hand.student),
    'symmetry/gradients': mean_square(by_hand.student - by_hand.flipped_back),
    'symmetry/outputs': mean_square(by_hand.logits - by_hand.flipped_logits),
  }
  assert min(want.values()) > 0.01
  for name, value in want.items():
    roughly(run.metrics[name], value)
  both = want['symmetry/gradients'] + want['symmetry/outputs']
  roughly(run.metrics['symmetry'], both)


def test_teachers_gradient_is_that_of_the_students_pixels(run, by_hand):
  without_factor = mean_square(by_hand.student - by_hand.teacher_own)
  assert abs(without_factor / float(run.metrics['grad_at']) - 1) > 0.1


def test_all_terms_sum_up_with_their_weights(pair, run):
  metrics = run.metrics
  want = sum(value * metrics[name] for name, value in WEIGHTS.items())
  roughly(metrics['loss'], want)
  # The others are what they are where no term reads gradients.
  others = build(pair.student, pair.teacher, **run.terms('ce', 'kd', 'at'))
  for name, value in pair.loss(others)[2].items():
    if name != 'loss':
      roughly(metrics[name], value)
  for name, value in WEIGHTS.items():
    roughly(metrics[f'weight/{name}'], value)
  assert set(metrics) == {
    'loss', 'train_error', *WEIGHTS, *(f'weight/{name}' for name in WEIGHTS),
    'at/middle', 'symmetry/gradients', 'symmetry/outputs',
  }  # fmt: skip


def test_no_gradient_reaches_the_teacher(run):
  for name, (_, others) in run.grads.items():
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(others)), name


@pytest.fixture(scope='module')
def grads_by_hand(pair, by_hand):
  """{term: gradient of a loss written by hand, the teacher's J a constant}."""
  images, labels = pair.batch['image'], pair.batch['label']
  teacher = jnp.float32(by_hand.teacher)
  of_one = loss_of_one(pair.student)

  def terms(params):
    def gradients(transform):
      def loss(image, label):
        return of_one({'params': params}, transform(image), label)

      return jax.vmap(jax.grad(loss, has_aux=True))(images, labels)

    student, logits = gradients(lambda image: image)
    # By the chain rule this is the gradient flipped back.
    flipped, flipped_logits = gradients(lambda image: image[:, ::-1])
    return {
      'grad_at': jnp.sum((student - teacher) ** 2) / len(images),
      'min_l2': jnp.sum(student**2) / len(images),
      'symmetry': (
        jnp.sum((student - flipped) ** 2)
        + jnp.sum((logits - flipped_logits) ** 2)
      )
      / len(images),
    }

  return jax.jit(jax.jacrev(terms))(pair.own['params'])


@pytest.mark.parametrize('name', GRADIENT_TERMS)
def test_gradient_is_that_of_a_loss_by_hand(run, grads_by_hand, name):
  got, want = run.grads[name][0], grads_by_hand[name]
  assert_trees_close(got, want, rtol=1e-3, atol=2e-6)
  assert all(np.abs(leaf).max() > 5e-4 for leaf in jax.tree.leaves(got))


def test_gradient_of_the_sum_is_the_sum_of_gradients(run):
  want = jax.tree.map(
    lambda *leaves: sum(
      value * leaf for value, leaf in zip(WEIGHTS.values(), leaves, strict=True)
    ),
    *(run.grads[name][0] for name in WEIGHTS),
  )
  assert_trees_close(run.grads['loss'][0], want, rtol=1e-3, atol=2e-6)


def test_norms_of_a_batch_of_every_image_twice(pair, by_hand):
  """`squared` and `outputs`; the mean over the batch, whatever its size."""
  objective = build(
    pair.student,
    pair.teacher,
    grad_at=weight(1.0) | dict(squared=False),
    min_l2=weight(2.0) | dict(squared=False),
    symmetry=weight(3.0) | dict(squared=False, outputs=0.25),
  )
  twice = Setting(pair.student, pair.teacher)
  twice.batch = {k: np.repeat(v, 2, axis=0) for k, v in pair.batch.items()}
  loss, _, metrics = twice.loss(objective)
  gradients = norms(by_hand.student - by_hand.flipped_back)
  outputs = norms(by_hand.logits - by_hand.flipped_logits)
  want = {
    'grad_at': norms(by_hand.student - by_hand.teacher),
    'min_l2': norms(by_hand.student),
    'symmetry': gradients + 0.25 * outputs,
    'symmetry/gradients': gradients,
    'symmetry/outputs': outputs,  # logged without the weight within the term
  }
  for name, value in want.items():
    roughly(metrics[name], value)
  roughly(loss, want['grad_at'] + 2 * want['min_l2'] + 3 * want['symmetry'])


def test_symmetry_is_zero_for_networks_that_do_not_see_the_flip():
  # 9 wide: with a stride of 2 the padding is then the same on both sides.
  network = two_parts(shape=(8, 9, 3))
  setting = Setting(network, network)
  objective = build(network, None, symmetry=weight(1.0))
  run = jax.jit(objective.loss)

  def parts(flip):
    own = jax.tree.map(
      lambda x: (x + flip(x)) / 2 if x.ndim == 4 else x,
      jax.device_get(setting.own['params']),
    )
    params = {'student': own, 'objective': {}}
    _, (_, metrics) = run(params, {}, {}, setting.batch, None, 0)
    return [float(metrics[f'symmetry/{x}']) for x in ('gradients', 'outputs')]

  assert max(parts(lambda kernel: kernel[:, ::-1])) < 1e-9
  assert min(parts(lambda kernel: kernel[::-1])) > 1e-3  # upside down


def test_objectives_without_teacher_ask_none(pair):
  objective = build(
    pair.student, pair.teacher, min_l2=weight(1.0), symmetry=weight(1.0)
  )
  assert objective.teacher is None

"""Gradient-based attention: which pixels a loss listens to.

Source: Zagoruyko and Komodakis, Paying More Attention to Attention, ICLR 2017,
https://arxiv.org/abs/1612.03928, section 3.2 (called "the paper" below); its
code for this part was never released. Axes: B batch, H height, W width,
C channels.
"""

import jax
import jax.numpy as jnp

from at_jax._arrays import (
  at_least_float32,
  check_rank,
  check_same_shape,
  safe_norm,
  squared_or_norm_of_difference,
)


def input_gradient(loss_fn, images, *, has_aux=False):
  """J = dL/dx of every example: the gradient of the sum of the losses.

  The sum, not the mean: each example's gradient is its own, whatever the batch
  (the mean would shrink it by B, a squared penalty on it by B^2). This holds
  as long as `loss_fn` treats examples one by one; batch norm in train mode does
  not, and mixes them.

  To train through it, differentiate a function of the result with respect to
  the parameters that `loss_fn` closes over: double backpropagation. That asks
  for second derivatives: 0 almost everywhere for ReLU and max pooling, so they
  reach the weights through the linear layers and the softmax.

  Args:
    loss_fn: images -> losses `[B]`, or (losses, anything) with `has_aux`.
    images: `[B, H, W, C]`, of any real dtype; `loss_fn` gets them in at least
      float32. Features will do as well, and a dict of arrays, for a `loss_fn`
      of such: anything whose first axis is the batch.
    has_aux: whether `loss_fn` returns something beside the losses.

  Returns:
    Gradients like `images`, at least float32; with `has_aux` a pair of them and
    of what `loss_fn` returned beside the losses.

  Raises:
    ValueError: losses of another shape than `[B]`, a scalar above all; a pair
      without `has_aux`, or none with it.

  Example:
    >>> import jax.numpy as jnp
    >>> images = jnp.array([[[[1.]]], [[[3.]]]])  # [2, 1, 1, 1]
    >>> squares = lambda x: jnp.sum(x ** 2, axis=(1, 2, 3))
    >>> input_gradient(squares, images).ravel().tolist()
    [2.0, 6.0]
  """
  batches = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(images)}
  if len(batches) != 1 or batches == {()}:
    raise ValueError(
      'input_gradient wants images, arrays whose first axis is one batch, got '
      f'first axes {sorted(batches)}.'
    )
  (batch,) = batches

  def total(images):
    returned = loss_fn(images)
    pair = isinstance(returned, tuple) and len(returned) == 2
    if pair != has_aux or not pair and not hasattr(returned, 'shape'):
      raise ValueError(
        'input_gradient wants a loss_fn that returns an array of losses or, '
        f'with has_aux=True, a pair of them and something else; has_aux is '
        f'{has_aux} and it returned {type(returned).__name__}.'
      )
    losses, aux = returned if has_aux else (returned, None)
    if jnp.shape(losses) != batch:
      raise ValueError(
        f'input_gradient wants a loss_fn that returns one loss an example, '
        f'shape {batch}, got {jnp.shape(losses)}: leave out the mean or sum '
        'over the batch.'
      )
    return jnp.sum(losses), aux

  images = jax.tree.map(lambda x: at_least_float32(x)[0], images)
  gradient, aux = jax.grad(total, has_aux=True)(images)
  return (gradient, aux) if has_aux else gradient


def gradient_distance(student_gradient, teacher_gradient, *, squared=True):
  """norm(J_S - J_T)^2, per example: gradient-based attention transfer.

  The paper adds beta/2 times this to the loss. Its equation 4 writes the norm,
  its equation 5 the derivative of the square, which is what is meant. Nothing
  is normalised, no channel is summed away.

  Args:
    student_gradient: J_S, `[B, H, W, C]`.
    teacher_gradient: J_T, `[B, H, W, C]`. Its gradient is not stopped.
    squared: False takes the norm itself, 0 with derivatives 0 where the two
      agree, entry by entry, up to rounding.

  Returns:
    Distances `[B]`, sums over H, W and C, at least float32.

  Raises:
    ValueError: a rank other than 4, two shapes.

  Example:
    >>> import jax.numpy as jnp
    >>> gradient = jnp.array([[[[3., 4.]]]])
    >>> gradient_distance(gradient, 0 * gradient).tolist()
    [25.0]
    >>> gradient_distance(gradient, 0 * gradient, squared=False).tolist()
    [5.0]
  """
  student, teacher = _pair(
    'gradient_distance', student_gradient, teacher_gradient
  )
  return squared_or_norm_of_difference(_rows(student), _rows(teacher), squared)


def gradient_penalty(gradient, *, squared=True):
  """norm(J)^2, per example: double backpropagation, "min-l2" in the paper.

  Args:
    gradient: J, `[B, H, W, C]`.
    squared: False takes the norm itself, 0 with derivatives 0 at J = 0.

  Returns:
    Penalties `[B]`, sums over H, W and C, at least float32. The paper adds
    beta/2 times this to the loss.

  Raises:
    ValueError: a rank other than 4.

  Example:
    >>> import jax.numpy as jnp
    >>> gradient_penalty(jnp.array([[[[3., 4.]]]])).tolist()
    [25.0]

  References:
    Drucker and LeCun, Improving generalization performance using double
    backpropagation, IEEE Transactions on Neural Networks 3(6), 1992.
  """
  check_rank('gradient_penalty', gradient, '[B, H, W, C]')
  (gradient,) = at_least_float32(gradient)
  rows = _rows(gradient)
  return jnp.sum(rows**2, axis=-1) if squared else safe_norm(rows)


def symmetry_distance(gradient, gradient_of_flipped, *, squared=True):
  """norm(J(x) - flip(J(flip(x))))^2, per example: equation 6 of the paper.

  Zero for a network that does not care whether the image is mirrored. The
  paper adds beta/2 times this to the loss, and an l2 distance between the two
  outputs, whose weight it does not give.

  Args:
    gradient: of the loss at the images, `[B, H, W, C]`.
    gradient_of_flipped: of the loss at the images flipped along W, `[B, H, W,
      C]`, as it comes: it is flipped back here.
    squared: False takes the norm itself, see `gradient_distance`.

  Returns:
    Distances `[B]`, sums over H, W and C, at least float32.

  Raises:
    ValueError: a rank other than 4, two shapes.

  Example:
    >>> import jax.numpy as jnp
    >>> row = jnp.array([1., 2.]).reshape(1, 1, 2, 1)
    >>> symmetry_distance(row, row).tolist()
    [2.0]
    >>> symmetry_distance(row, row[:, :, ::-1]).tolist()
    [0.0]
  """
  gradient, flipped = _pair('symmetry_distance', gradient, gradient_of_flipped)
  return gradient_distance(gradient, flipped[:, :, ::-1], squared=squared)


def _pair(name, one, other):
  """Both in one dtype, or `name` says what is wrong with their shapes."""
  check_rank(name, one, '[B, H, W, C]')
  check_rank(name, other, '[B, H, W, C]')
  check_same_shape(name, one, other)
  return at_least_float32(one, other)


def _rows(gradient):
  return gradient.reshape(gradient.shape[0], -1)

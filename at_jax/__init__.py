"""Visual attention in JAX: transfer it, build it in, sample with it.

The public functions are pure functions of arrays: they can be jitted, vmapped
and differentiated inside anybody's loss. Importing them needs jax and optax
only; networks, data and training are imported by path (`at_jax.models`, ...).
"""

from at_jax.class_boxes import overlap_by_class as overlap_by_class
from at_jax.class_boxes import pointing_game_by_class as pointing_game_by_class
from at_jax.element_attention import element_attention as element_attention
from at_jax.gates import attention_gate as attention_gate
from at_jax.input_gradients import gradient_distance as gradient_distance
from at_jax.input_gradients import gradient_penalty as gradient_penalty
from at_jax.input_gradients import input_gradient as input_gradient
from at_jax.input_gradients import symmetry_distance as symmetry_distance
from at_jax.localisation import area_in_boxes as area_in_boxes
from at_jax.localisation import box_coverage as box_coverage
from at_jax.localisation import energy_in_boxes as energy_in_boxes
from at_jax.localisation import pointing_game as pointing_game
from at_jax.losses import kd_divergence as kd_divergence
from at_jax.losses import kd_loss as kd_loss
from at_jax.losses import soft_target_cross_entropy as soft_target_cross_entropy
from at_jax.maps import activation_distance as activation_distance
from at_jax.maps import at_distance as at_distance
from at_jax.maps import attention_map as attention_map
from at_jax.maps import map_distance as map_distance
from at_jax.maps import normalize_map as normalize_map
from at_jax.resize import max_pool_ceil as max_pool_ceil
from at_jax.resize import resize_align_corners as resize_align_corners
from at_jax.sampler import attention_sample as attention_sample
from at_jax.sampler import sample_positions as sample_positions
from at_jax.trilinear import trilinear_attention as trilinear_attention
from at_jax.weighted_losses import (
  weighted_cross_entropy as weighted_cross_entropy,
)
from at_jax.weighted_losses import (
  weighted_sigmoid_cross_entropy as weighted_sigmoid_cross_entropy,
)

__version__ = '0.4.0'

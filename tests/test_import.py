"""What `import at_jax` brings, and what it does not."""

import inspect
import pathlib
import subprocess
import sys
import types

import pytest

import at_jax

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIGNATURES = {
  'gradient_distance': (
    '(student_gradient, teacher_gradient, *, squared=True)'
  ),
  'gradient_penalty': '(gradient, *, squared=True)',
  'input_gradient': '(loss_fn, images, *, has_aux=False)',
  'symmetry_distance': '(gradient, gradient_of_flipped, *, squared=True)',
  'attention_map': '(features, *, kind=sum_pow, p=2)',
  'normalize_map': '(maps, *, eps=1e-12)',
  'map_distance': '(student_map, teacher_map, *, form=code)',
  'at_distance': '(student, teacher, *, form=code, kind=sum_pow, p=2)',
  'activation_distance': '(student, teacher, *, form=code)',
  'kd_divergence': '(student_logits, teacher_logits, *, temperature=4.0)',
  'kd_loss': (
    '(student_logits, teacher_logits, labels, *, temperature=4.0, alpha=0.9)'
  ),
  'soft_target_cross_entropy': (
    '(student_logits, teacher_logits, *, temperature=10.0, t_squared=False)'
  ),
  'trilinear_attention': '(features, *, spatial_scale=7.0, variant=both)',
  'sample_positions': (
    '(maps, image_size, out_size, *, dense=4.0, iters=5, joint=True, '
    'rule=centre, marginal=max)'
  ),
  'attention_sample': (
    '(images, maps, out_size, *, dense=4.0, iters=5, joint=True, '
    'rule=centre, marginal=max)'
  ),
  'attention_gate': '(z, *, kind=mixed, eps=1e-05)',
  'element_attention': '(attention_logits, scores, *, reading=space)',
  'weighted_cross_entropy': '(logits, labels, class_weights)',
  'weighted_sigmoid_cross_entropy': (
    '(logits, labels, positive_weights, negative_weights)'
  ),
  'max_pool_ceil': '(x)',
  'resize_align_corners': '(x, size)',
  'box_coverage': '(boxes, image_size, map_size)',
  'area_in_boxes': '(boxes, image_size)',
  'energy_in_boxes': '(maps, boxes, image_size)',
  'pointing_game': '(maps, boxes, image_size, *, tolerance=0.0)',
  'pointing_game_by_class': '(maps, boxes, image_size, *, tolerance=0.0)',
  'overlap_by_class': '(maps, boxes, image_size, *, threshold=0.5)',
}
HEAVY = 'tensorflow torch orbax grain tensorflow_datasets clu flax'.split()


def run(code):
  result = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
  )
  assert result.returncode == 0, result.stderr
  return result.stdout


def test_import_is_light_and_leaves_the_devices_alone():
  # The number of devices can only be set before jax looks for them.
  output = run(f"""
import sys
import at_jax
print(sorted(set({HEAVY}) & set(sys.modules)))
import jax
jax.config.update('jax_platforms', 'cpu')
jax.config.update('jax_num_cpu_devices', 3)
print(jax.device_count())
""")
  assert output.split() == ['[]', '3']


def test_public_names_are_those_of_the_design():
  names = {
    name
    for name, value in vars(at_jax).items()
    if not name.startswith('_') and not isinstance(value, types.ModuleType)
  }
  assert names == set(SIGNATURES)
  assert all(part.isdigit() for part in at_jax.__version__.split('.'))


@pytest.mark.parametrize('name', SIGNATURES)
def test_signatures_are_those_of_the_design(name):
  """Names, order and defaults are fixed; keywords may be added at the end."""
  parameters = inspect.signature(getattr(at_jax, name)).parameters.values()
  words = []
  for parameter in parameters:
    if parameter.kind == parameter.KEYWORD_ONLY and '*' not in words:
      words.append('*')
    default = parameter.default
    words.append(
      parameter.name
      if default is parameter.empty
      else f'{parameter.name}={default}'
    )
  wanted = SIGNATURES[name].strip('()').split(', ')
  assert words[: len(wanted)] == wanted
  assert all('=' in extra for extra in words[len(wanted) :])


@pytest.mark.parametrize('name', SIGNATURES)
def test_docstrings_have_an_example(name):
  doc = inspect.getdoc(getattr(at_jax, name))
  for section in ('Args:', 'Returns:', 'Raises:', '>>> '):
    assert section in doc

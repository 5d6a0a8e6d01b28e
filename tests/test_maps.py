"""Maps and distances: values by hand, NumPy in float64, laws, and errors."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import at_jax

FORMS = ('code', 'paper')
KINDS = [
  ('sum_abs', 2),
  *(('sum_pow', p) for p in (1, 1.5, 2, 2.5, 3, 4)),
  *(('max_pow', p) for p in (1, 2, 2.5, 3, 4)),
]
all_kinds = pytest.mark.parametrize('kind, p', KINDS)
all_forms = pytest.mark.parametrize('form', FORMS)


def normal(seed, shape):
  return np.random.default_rng(seed).standard_normal(shape)


def reference_map(features, kind, p):
  size = np.abs(np.asarray(features, np.float64))
  if kind == 'sum_abs':
    return size.sum(axis=3)
  return (size**p).sum(axis=3) if kind == 'sum_pow' else (size**p).max(axis=3)


def reference_normalize(maps):
  flat = np.asarray(maps, np.float64).reshape(len(maps), -1)
  return np.stack([row / np.sqrt(np.sum(row**2)) for row in flat])


def reference_distance(student_map, teacher_map, form):
  squares = np.square(
    reference_normalize(student_map) - reference_normalize(teacher_map)
  )
  return squares.mean(1) if form == 'code' else np.sqrt(squares.sum(1))


@all_kinds
def test_attention_map_equals_numpy(kind, p):
  features = normal(0, (4, 5, 4, 3))
  maps = at_jax.attention_map(features, kind=kind, p=p)
  assert maps.shape == (4, 5, 4) and maps.dtype == jnp.float32
  np.testing.assert_allclose(
    maps, reference_map(features, kind, p), rtol=2e-6, atol=1e-6
  )


@pytest.mark.parametrize(
  'kind, p, expected',
  [
    ('sum_abs', 2, [3, 3.5]),
    ('sum_abs', 4, [3, 3.5]),
    ('sum_pow', 1, [3, 3.5]),
    ('sum_pow', 2, [5, 9.25]),
    ('sum_pow', 3, [9, 27.125]),
    ('max_pow', 1, [2, 3]),
    ('max_pow', 2, [4, 9]),
    ('max_pow', 3, [8, 27]),
  ],
)
def test_attention_map_by_hand(kind, p, expected):
  features = jnp.array([[[[1.0, -2.0], [-0.5, 3.0]]]])
  maps = at_jax.attention_map(features, kind=kind, p=p)
  np.testing.assert_allclose(maps, [[expected]], rtol=1e-6)


def test_default_is_the_sum_of_squares():
  features = normal(0, (4, 5, 4, 3))
  np.testing.assert_allclose(
    at_jax.attention_map(features), (features**2).sum(-1), rtol=1e-5
  )


def test_normalize_map_by_hand_row_by_row():
  maps = jnp.array([[[3.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]])
  np.testing.assert_allclose(
    at_jax.normalize_map(maps),
    [[0.6, 0.0, 0.0, 0.8], [0.5, 0.5, 0.5, 0.5]],
    rtol=1e-6,
  )


def test_map_distance_by_hand():
  student = jnp.array([[[1.0, 0.0]], [[3.0, 4.0]], [[1.0, 0.0]]])
  teacher = jnp.array([[[0.0, 9.0]], [[6.0, 8.0]], [[3.0, 4.0]]])
  code = at_jax.map_distance(student, teacher)
  np.testing.assert_allclose(code, [1, 0, (0.4**2 + 0.8**2) / 2], atol=1e-6)
  paper = at_jax.map_distance(student, teacher, form='paper')
  np.testing.assert_allclose(paper, [2**0.5, 0, 0.8**0.5], atol=1e-6)


@all_kinds
@all_forms
def test_at_distance_equals_numpy(form, kind, p):
  student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 6))
  expected = reference_distance(
    reference_map(student, kind, p), reference_map(teacher, kind, p), form
  )
  distance = at_jax.at_distance(student, teacher, form=form, kind=kind, p=p)
  assert distance.shape == (4,) and distance.dtype == jnp.float32
  np.testing.assert_allclose(distance, expected, rtol=1e-5)


@all_forms
@pytest.mark.parametrize('kind, p', [KINDS[0], *KINDS[2:6], *KINDS[-2:]])
def test_laws(form, kind, p):
  with jax.enable_x64(True):
    student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 6))
    at = functools.partial(at_jax.at_distance, form=form, kind=kind, p=p)
    maps = [at_jax.attention_map(x, kind=kind, p=p) for x in (student, teacher)]
    q_student, q_teacher = (np.asarray(at_jax.normalize_map(x)) for x in maps)
    assert q_student.shape == (4, 20) and q_student.dtype == np.float64
    assert (q_student >= 0).all()
    close = functools.partial(np.testing.assert_allclose, rtol=1e-12)
    close(np.linalg.norm(q_student, axis=-1), 1)
    squared = 2 - 2 * np.sum(q_student * q_teacher, axis=-1)
    value = np.asarray(at(student, teacher))
    close(value, squared / 20 if form == 'code' else np.sqrt(squared))
    assert (value <= (2 / 20 if form == 'code' else 2**0.5)).all()
    close(at(teacher, student), value)
    for scale in (7.0, -0.3):
      close(at(scale * student, teacher), value)
      close(at(student, scale * teacher), value)
    close(at(student[..., [2, 0, 1]], teacher), value)
    gradient = np.asarray(jax.grad(lambda x: at(x, teacher).sum())(student))
    assert (np.abs(gradient).max(axis=(1, 2, 3)) > 1e-4).all()
    euler = np.sum(student * gradient, axis=(1, 2, 3))
    np.testing.assert_allclose(euler, 0, atol=1e-14)


@all_forms
def test_mean_and_sum_over_channels_agree(form):
  student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 6))
  means = [np.mean(np.square(x), axis=-1) for x in (student, teacher)]
  np.testing.assert_allclose(
    at_jax.map_distance(*means, form=form),
    at_jax.at_distance(student, teacher, form=form),
    rtol=1e-5,
  )


@all_forms
def test_examples_do_not_see_each_other(form):
  student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 3))
  whole = at_jax.at_distance(student, teacher, form=form)
  student[1], teacher[3] = 0, 99
  rest = at_jax.at_distance(student, teacher, form=form)
  np.testing.assert_array_equal(whole[::2], rest[::2])


def test_size_for_random_features_of_the_three_groups():
  for size, channels, expected in ((32, 16, 1.7), (16, 32, 3.5), (8, 64, 7.0)):
    student = normal(1, (16, size, size, channels))
    teacher = normal(2, (16, size, size, 2 * channels))
    value = np.mean(jax.jit(at_jax.at_distance)(student, teacher))
    np.testing.assert_allclose(value, expected * 1e-4, rtol=0.08)


@all_kinds
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_half_precision_in_float32_out(dtype, kind, p):
  student = (9 * normal(1, (4, 5, 4, 3))).astype(jnp.dtype(dtype))
  teacher = normal(2, (4, 5, 4, 6)).astype(jnp.dtype(dtype))
  args = dict(kind=kind, p=p)
  wide_student, wide_teacher = (x.astype('float32') for x in (student, teacher))
  for function, half, wide in (
    (functools.partial(at_jax.attention_map, **args), student, wide_student),
    (at_jax.normalize_map, student[..., 0], wide_student[..., 0]),
  ):
    result = function(half)
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, function(wide), rtol=1e-6)
  for form in FORMS:
    result = at_jax.at_distance(student, teacher, form=form, **args)
    expected = at_jax.at_distance(wide_student, wide_teacher, form=form, **args)
    assert result.dtype == jnp.float32
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_integers_and_mixed_dtypes_compute_in_float32():
  features = np.arange(8, dtype=np.int8).reshape(1, 2, 2, 2) * np.int8(15)
  assert at_jax.attention_map(features)[0, 1, 1] == 90**2 + 105**2
  half = np.ones((1, 2, 2, 2), jnp.bfloat16)
  assert at_jax.at_distance(half, features).dtype == jnp.float32


@all_forms
def test_float64_stays_float64(form):
  with jax.enable_x64(True):
    student, teacher = normal(1, (4, 5, 4, 3)), normal(2, (4, 5, 4, 3))
    distance = at_jax.at_distance(student, teacher, form=form)
    assert distance.dtype == jnp.float64
    expected = reference_distance(
      (student**2).sum(3), (teacher**2).sum(3), form
    )
    np.testing.assert_allclose(distance, expected, rtol=1e-13)


@pytest.mark.parametrize(
  'form, kind, p', [('code', 'sum_pow', 2), ('paper', 'max_pow', 2.5)]
)
def test_jit_and_vmap(form, kind, p):
  at = functools.partial(at_jax.at_distance, form=form, kind=kind, p=p)
  student, teacher = normal(1, (3, 4, 5, 4, 3)), normal(2, (3, 4, 5, 4, 6))
  eager = np.stack([at(*pair) for pair in zip(student, teacher, strict=True)])
  np.testing.assert_allclose(
    jax.jit(jax.vmap(at))(student, teacher), eager, rtol=1e-5
  )
  np.testing.assert_allclose(
    jax.jit(at)(student[0], teacher[0]), eager[0], rtol=1e-5
  )


WRONG = [
  (at_jax.attention_map, [(4, 4, 3)], {}, r'\[B, H, W, C\].*\(4, 4, 3\)'),
  (at_jax.normalize_map, [(2, 9)], {}, r'\[B, H, W\].*\(2, 9\)'),
  (at_jax.normalize_map, [(2, 3, 3, 1)], {}, r'\[B, H, W\]'),
  (at_jax.map_distance, [(2, 9), (2, 3, 3)], {}, r'\(2, 9\)'),
  (at_jax.map_distance, [(2, 3, 3), (2, 9)], {}, r'\(2, 9\)'),
  (at_jax.map_distance, [(2, 3, 3), (1, 3, 3)], {}, r'\(1, 3, 3\)'),
  (at_jax.map_distance, [(2, 3, 4), (2, 4, 3)], {}, "resize='bilinear'"),
  (at_jax.at_distance, [(2, 4, 4, 1), (2, 2, 2, 1)], {}, "resize='bilinear'"),
  (at_jax.at_distance, [(2, 4, 4), (2, 4, 4, 1)], {}, r'\(2, 4, 4\)'),
  (at_jax.attention_map, [(1, 2, 2, 1)], {'p': 0.5}, 'power p.*got 0.5'),
  (at_jax.attention_map, [(1, 2, 2, 1)], {'kind': 'sum'}, 'sum_abs, sum_pow'),
  (at_jax.attention_map, [(1, 2, 2, 1)], {'kind': 'max_pwo'}, "'max_pow'\\?"),
  (at_jax.map_distance, [(1, 2, 2)] * 2, {'form': 'papr'}, "mean 'paper'"),
  (at_jax.at_distance, [(1, 2, 2, 1)] * 2, {'form': 'x'}, 'code, paper'),
  (at_jax.at_distance, [(1, 2, 2, 1)] * 2, {'resize': 'linear'}, "'bilinear'"),
]


@pytest.mark.parametrize('function, shapes, kwargs, message', WRONG)
def test_errors_name_what_was_wanted(function, shapes, kwargs, message):
  for transform in (lambda f: f, jax.jit):
    with pytest.raises(ValueError, match=message):
      transform(functools.partial(function, **kwargs))(*map(np.ones, shapes))


def test_resize_is_checked_for_equal_sizes_of_batch():
  with pytest.raises(ValueError, match=r'\(3, 2, 2\)'):
    at_jax.at_distance(
      np.ones((2, 4, 4, 1)), np.ones((3, 2, 2, 1)), resize='bilinear'
    )


def test_nan_is_not_hidden_as_a_dead_map():
  bad = normal(2, (2, 3, 4, 5)).copy()
  bad[0, 0, 0, 0] = np.nan
  for form in ('code', 'paper'):
    distance = at_jax.at_distance(normal(1, (2, 3, 4, 5)), bad, form=form)
    assert np.isnan(distance[0]) and np.isfinite(distance[1])


@pytest.mark.parametrize(
  ('size', 'channels', 'want'),
  [(32, 16, 1.7e-4), (16, 32, 3.5e-4), (8, 64, 7.0e-4)],
)
def test_independent_features_are_as_far_apart_as_known(size, channels, want):
  student = normal(3, (32, size, size, channels))
  teacher = normal(4, (32, size, size, 2 * channels))
  got = at_jax.at_distance(student, teacher).mean()
  np.testing.assert_allclose(got, want, rtol=0.05)

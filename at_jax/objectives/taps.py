"""Endpoints of student and teacher, found by name and paired."""

from at_jax._arrays import unknown


def endpoint(endpoints, name, whose):
  """An endpoint by name; ValueError with the nearest and all if it is not."""
  if name not in endpoints:
    raise ValueError(unknown(f'endpoint (the {whose})', name, endpoints))
  return endpoints[name]


def parts_of(part, endpoints):
  """{place: array} of the endpoints `<part>/<place>`: of masks, of logits."""
  return {
    name.removeprefix(f'{part}/'): end
    for name, end in endpoints.items()
    if name.startswith(f'{part}/')
  }


def check_taps(term, taps):
  """Raises ValueError unless `taps` are pairs of names."""
  for tap in taps:
    if isinstance(tap, str) or len(tap) != 2:
      raise ValueError(
        f'The term {term} wants taps in pairs (student, teacher), got {tap!r}: '
        "common.same('group1', 'group2') makes them of equal names."
      )


def pair_endpoints(term, taps, student_ends, teacher_ends):
  """{name: (student's endpoint, teacher's endpoint)} of every tap.

  Args:
    term: the name of the term, for messages.
    taps: pairs (student's endpoint, teacher's endpoint).
    student_ends: arrays by name.
    teacher_ends: likewise.

  Raises:
    ValueError: no tap, one twice, or an endpoint that does not exist.
  """
  if not taps:
    raise ValueError(
      f'The term {term} has no taps: name pairs of endpoints, common.same('
      "'group1', 'group2', 'group3')."
    )
  check_taps(term, taps)
  pairs = {}
  for own, other in taps:
    name = own if own == other else f'{own}~{other}'
    if name in pairs:
      raise ValueError(
        f'The term {term} has the tap {name!r} twice: raise its weight instead.'
      )
    pairs[name] = (
      endpoint(student_ends, own, "student's"),
      endpoint(teacher_ends, other, "teacher's"),
    )
  return pairs


def check_sizes(pairs, way_out):
  """ValueError unless each pair agrees in height and width."""
  for name, (student, teacher) in pairs.items():
    if student.shape[1:3] != teacher.shape[1:3]:
      own, _, other = name.partition('~')
      raise ValueError(
        f"Endpoints of different size: the student's {own!r} is "
        f"{_size(student)}, the teacher's {other or own!r} {_size(teacher)}. "
        f'Pair endpoints of one size, or {way_out}.'
      )


def _size(array):
  return f'{array.shape[1]}x{array.shape[2]}'

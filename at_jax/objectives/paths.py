"""Parameter paths, as configs name them: `stem`, `group1_*`, `head/kernel`."""

import fnmatch

import jax


def covers(patterns, path):
  """Whether a path or something that it lies in is among the patterns.

  Args:
    patterns: texts of names joined by `/`, each with `*` and `?` as in a shell;
      '' covers everything.
    path: a tuple of names.
  """
  return any(_covers(pattern, path) for pattern in patterns)


def _covers(pattern, path):
  parts = pattern.split('/') if pattern else []
  return len(parts) <= len(path) and all(
    fnmatch.fnmatchcase(name, part)
    for name, part in zip(path, parts, strict=False)
  )


def names_of(path):
  """The tuple of names of a path of `jax.tree`'s."""
  return tuple(str(key.key) for key in path)


def covered(patterns, tree):
  """A tree like `tree`, True where its leaf is covered."""
  return jax.tree.map_with_path(
    lambda path, _: covers(patterns, names_of(path)), tree
  )


def check_patterns(what, patterns, tree):
  """Raises ValueError where a pattern covers no parameter."""
  paths = [names_of(path) for path, _ in jax.tree.leaves_with_path(tree)]
  for pattern in patterns:
    if not any(_covers(pattern, path) for path in paths):
      tops = ', '.join(dict.fromkeys(path[0] for path in paths))
      raise ValueError(
        f'{what} names {pattern!r}, where there is no parameter. Paths begin '
        f'with: {tops}; patterns like group1_* will do.'
      )

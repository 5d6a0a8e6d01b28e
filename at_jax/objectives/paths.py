"""Parameter paths in configs: `stem`, `group1_*`, `head/kernel`, `**/bn*`."""

import fnmatch

import jax


def covers(patterns, path):
  """Whether a path or something that it lies in is among the patterns.

  Args:
    patterns: texts of names joined by `/`, each with `*` and `?` as in a shell;
      `**` stands for any number of names, '' covers everything.
    path: a tuple of names.
  """
  return any(_covers(pattern, path) for pattern in patterns)


def _covers(pattern, path):
  return _begins(pattern.split('/') if pattern else [], list(path))


def _begins(parts, names):
  if not parts:
    return True
  if parts[0] == '**':
    rest = parts[1:]
    return any(_begins(rest, names[k:]) for k in range(len(names) + 1))
  return bool(names) and (
    fnmatch.fnmatchcase(names[0], parts[0]) and _begins(parts[1:], names[1:])
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

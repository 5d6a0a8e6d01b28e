"""The command `python -m at_jax.report`."""

import argparse
import sys

from at_jax import report


def main(arguments=None):
  """The command; returns its exit code."""
  parser = argparse.ArgumentParser(
    prog='python -m at_jax.report',
    description=report.__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument(
    '--workdir', nargs='+', action='extend', default=[], metavar='FOLDER'
  )
  parser.add_argument(
    'more', nargs='*', metavar='FOLDER', help='further workdirs to join'
  )
  parser.add_argument(
    '--out', help='where to write; default: the first workdir'
  )
  parser.add_argument(
    '--baseline', metavar='ROW', help='the row that differences are taken to'
  )
  flags = parser.parse_args(arguments)
  try:
    workdirs = flags.workdir + flags.more
    if not workdirs:
      raise ValueError('which workdir? --workdir=runs/digits_at')
    print(report.write_report(workdirs, flags.out, baseline=flags.baseline))
  except (OSError, ValueError) as error:
    print(f'at_jax.report: {" ".join(str(error).split())}', file=sys.stderr)
    return 2
  return 0


if __name__ == '__main__':
  sys.exit(main())

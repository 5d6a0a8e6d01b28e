"""The command: what it prints, and how it ends."""

import subprocess
import sys

import pytest
from report_workdir import workdir

from at_jax import report
from at_jax.report.__main__ import main

pytestmark = pytest.mark.usefixtures('no_pictures')


@pytest.fixture(scope='module')
def study(tmp_path_factory):
  folder = workdir(tmp_path_factory.mktemp('whole') / 'digits_at')
  return folder, report.write_report(folder)


def test_command_prints_the_table(study, tmp_path, capsys):
  folder, table = study
  out = ['--out', str(tmp_path)]
  assert main([f'--workdir={folder}', *out]) == 0
  assert capsys.readouterr().out == table + '\n'
  other = workdir(tmp_path / 'b', errors={'at': {4: 6.0}})
  for flags in (
    [f'--workdir={folder}', str(other), *out],
    ['--workdir', str(folder), str(other), *out],
    [*out, f'--workdir={folder}', f'--workdir={other}'],
  ):
    assert main(flags) == 0
    assert '7.12 ± 1.65 | 4 | -0.50 ± 0.87, wins 2/3' in (
      capsys.readouterr().out
    )


def test_command_ends_user_mistakes_in_one_line(tmp_path, capsys):
  assert main([f'--workdir={tmp_path}']) == 2
  captured = capsys.readouterr()
  assert captured.out == '' and captured.err.count('\n') == 1
  assert 'is not a workdir' in captured.err
  assert main([]) == 2
  assert '--workdir=runs/digits_at' in capsys.readouterr().err


def test_help_has_an_example():
  command = [sys.executable, '-W', 'error', '-m', 'at_jax.report', '--help']
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  assert 'python -m at_jax.report --workdir=runs/digits_at' in done.stdout
  assert done.stderr == ''

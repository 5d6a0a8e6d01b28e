"""The table of heads: medians over seeds, in a fixed order."""

from report_workdir import amend, workdir

from at_jax.report import branches, write_report


def test_medians_over_seeds(tmp_path):
  path = workdir(tmp_path / 'work', teacher='')
  for seed, error in ((0, 10.0), (1, 50.0), (2, 20.0)):
    amend(
      path / f'at/seed{seed}/result.json',
      branches={'attention': error, 'master_shared': error / 2},
    )
  write_report(path)
  text = (path / 'report.md').read_text()
  section = text[text.index('## Branches') :]
  lines = [line.split('|')[1:-1] for line in section.splitlines()[2:5]]
  cells = [[cell.strip() for cell in line] for line in lines]
  assert cells[0] == ['', 'attention', 'master shared']
  assert cells[2] == ['student + AT', '20.00', '10.00']


def test_rows_may_have_other_heads_and_none():
  rows = {
    'a': dict(label='a', branches={'attention': 1.0}),
    'b': dict(label='b', branches={'part': 2.0}),
    'c': dict(label='c', branches=None),
  }
  text = branches.section(rows)
  assert '| a | 1.00      | –    |' in text
  assert '| b | –         | 2.00 |' in text and '| c' not in text
  assert branches.section({'c': rows['c']}) == ''

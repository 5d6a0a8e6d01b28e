"""Makes at_colab.ipynb from its source, at_colab.py.

python notebooks/make.py
"""

import pathlib

import jupytext
import nbformat

SOURCE = pathlib.Path(__file__).with_name('at_colab.py')


def notebook(text):
  """The text of the notebook: no outputs, and always the same one.

  Args:
    text: of a percent script.
  """
  made = jupytext.reads(text, fmt='py:percent')
  del made.metadata['jupytext']  # Colab has no use for it
  for number, cell in enumerate(made.cells):
    cell.id = f'cell-{number}'  # jupytext draws them anew each time
  return nbformat.writes(made) + '\n'


if __name__ == '__main__':
  SOURCE.with_suffix('.ipynb').write_text(notebook(SOURCE.read_text()))

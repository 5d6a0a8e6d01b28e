"""The one number by which runs are compared: an error, or an AUROC."""

import dataclasses

SPLITS = ('test', 'validation')


@dataclasses.dataclass(frozen=True)
class Headline:
  """A number in percent.

  Attributes:
    name: of its entries in result.json and metrics.jsonl, `<split>_<name>`.
    label: what tables call it.
    plural: what the report's result.json calls those of all seeds.
    higher_is_better: else the lower one is.
  """

  name: str
  label: str
  plural: str
  higher_is_better: bool

  def entry(self, split):
    """
    >>> ERROR.entry('test')
    'test_error'
    """
    return f'{split}_{self.name}'

  def text(self, split, found):
    """
    >>> ERROR.text('test', {'test_error': 7.929})
    'test error 7.93 %'
    """
    return f'{split} {self.label} {found[self.entry(split)]:.2f} %'


ERROR = Headline('error', 'error', 'errors', higher_is_better=False)
AUROC = Headline('auroc', 'AUROC', 'aurocs', higher_is_better=True)


def headline_of(found):
  """That of a run, by its result or its metrics; None where there is none.

  Args:
    found: a dict, of which the names count.
  """
  for headline in (AUROC, ERROR):  # where there are both, labels are multi-hot
    if any(headline.entry(split) in found for split in SPLITS):
      return headline
  return None

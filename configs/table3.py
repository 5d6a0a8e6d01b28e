"""Table 3 of the paper: gradients against activations, on CIFAR-10.

A NIN-thin without batch norm alone, with small input gradients (min-l2), with
the teacher's (grad-AT), distilled (KD), with gradients that follow a mirrored
image (symmetry), and with the teacher's activations (AT). Ours: not yet
measured.
  python train.py --config=configs/table3.py              # 6 rows, 2 teachers
  python train.py --config=configs/table3.py:rows=alone+grad_at,grad_at=3
  python train.py --config=configs/table3.py:tiny         # seconds, no files
The paper gives no beta. `sweep` trains one method with several; choose by the
error on images that `validation` keeps from training, not by the test set's:
  python train.py \\
    --config=configs/table3.py:sweep=grad_at,betas=0.01+0.1+1,validation=5000
"""

from configs import common, plain

TINY = 'alone+grad_at+symmetry'


def get_config(arg=None):
  arg = common.parse_arg(arg, **plain.PAIR, **plain.STUDY)
  config = plain.setup(arg)
  config.data.validation = arg.validation
  teachers = dict(
    grad_at=arg.teacher,
    kd=arg.teacher,
    activation_at=plain.ACTIVATION_TEACHER,
  )
  settings = plain.PAIR | plain.STUDY | {'rows': arg.rows}
  theirs = common.is_paper(arg, settings)
  if arg.tiny and not (arg.rows or arg.sweep):
    arg.rows = TINY
  plain.fill_rows(config, arg, teachers, theirs=theirs)
  return config

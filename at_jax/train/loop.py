"""The training loop of one row and seed."""

import math
import pathlib
import time

import jax
import numpy as np

from at_jax.train.checkpoint import Checkpoints, read_json
from at_jax.train.finish import finish
from at_jax.train.headline import headline_of
from at_jax.train.mesh import largest, several_hosts
from at_jax.train.program import student_variables
from at_jax.train.snapshot import save_snapshot
from at_jax.train.stopping import Stopped
from at_jax.train.unfinished import describe_student
from at_jax.train.workdir import check_origin
from at_jax.train.writer import Writer

AGREE = 10  # steps: hosts wait for each other where they agree to stop


def train(program, *, seed, folder, title, console, stop, teacher_hash=None):
  """Trains to the end, from wherever the folder's last checkpoint is.

  Args:
    program: a `Program`.
    seed: int.
    folder: `<workdir>/<row>/seed<k>`.
    title: what to call the run.
    console: a `Console`.
    stop: a `StopFlag`.
    teacher_hash: digest of the teacher's weights, for the record.

  Returns:
    The result, a dict, as in `result.json`.

  Raises:
    Stopped: on a signal, after a checkpoint.
    FloatingPointError: a metric is not finite.
    OSError: a file cannot be written; the last checkpoint is whole.
  """
  folder = pathlib.Path(folder)
  done = read_json(folder / 'result.json')
  if done is not None:
    return done
  run = _Run(program, seed, folder, title, console, stop, teacher_hash)
  try:
    run.resume()
    with stop.deferred():
      run.steps()
      run.save_last()
    return run.finish()
  finally:
    run.close()


class _Run:
  """The loop's variables. `state` is always at `step`, a plain int.

  `held` are the metrics of every step since the last row was written; they go
  into checkpoints, so that rows do not depend on where a run was interrupted.
  """

  def __init__(self, program, seed, folder, title, console, stop, teacher_hash):
    # What a run must not change between its parts.
    self.origin = {
      'data_fingerprint': program.bench.dataset.fingerprint,
      'teacher_hash': teacher_hash,
      'start_hashes': program.start.digests,
    }
    self.program, self.folder, self.seed = program, folder, seed
    self.title, self.console, self.stop = title, console, stop
    self.validated = program.bench.dataset.validation is not None
    self.checkpoints = Checkpoints(folder / 'checkpoints')
    self.held, self.pending, self.writer, self.feed = [], None, None, None
    self.seconds, self.rate, self.last_row = 0.0, 0.0, {}
    self.evaluated = {}  # {step: {split: evaluation}} of the last time

  def resume(self):
    """The state of the last whole checkpoint, or of step 0."""
    if not self.program.compiled:
      self.console.say(f'{self.title}: compiling')
      self.program.compiled = True
    self.state = self.program.init(self.seed)
    restored = self.checkpoints.restore(self.state, say=self.console.say)
    if restored is not None:
      self.state, meta = restored
      self.held, self.seconds = meta['held'], meta['seconds']
      check_origin(self.folder, meta['origin'], self.origin)
      self.compare_devices(meta['devices'])
    elif (self.folder / 'metrics.jsonl').exists():
      self.console.say(f'{self.title}: no checkpoint yet, starting again')
    self.step = int(self.state.step)
    if self.step:
      self.console.say(f'{self.title}: resuming from step {self.step}')
    self.writer = Writer(self.folder, step=self.step)
    self.begin = self.saved = time.monotonic()
    self.clock, self.clock_step, self.agreed = None, self.step, self.step
    if self.step == 0:
      variables = student_variables(self.state)
      save_snapshot(self.folder, 'before', self.program, variables)

  def compare_devices(self, before):
    """Says that a run goes on elsewhere: it is not bitwise the same then."""
    now = self.program.bench.mesh.size
    if now != before:
      self.console.say(
        f'{self.title}: on {now} device(s) now, {before} before; numbers will '
        'differ by rounding from those of an uninterrupted run'
      )

  def steps(self):
    """From the present step to the last."""
    program = self.program
    total, epoch_steps = program.total_steps, program.steps_per_epoch
    self.console.start(self.title, total=total, done=self.step)
    self.feed = program.feed(self.seed, self.step)
    while self.step < total:
      first = self.step
      with jax.transfer_guard('disallow'):
        self.state, metrics, length = program.advance(
          self.state, self.feed, self.step
        )
      self.step += length
      # The device works on this chunk while the one before it is fetched.
      self.absorb()
      self.pending = (first, metrics)
      if self.step % epoch_steps == 0:
        self.end_epoch(self.step // epoch_steps)
      self.save_if_due()
    self.absorb()

  def absorb(self):
    """Fetches the pending metrics, checks them, writes rows that are full."""
    if self.pending is None:
      return
    first, metrics = self.pending
    self.pending = None
    metrics = jax.device_get(metrics)
    for index in range(len(metrics['loss'])):
      row = {name: float(values[index]) for name, values in metrics.items()}
      step = first + index + 1
      self.check_finite(step, row)
      self.held.append(row)
      if step == self.program.next_boundary(step - 1):
        self.write_row(step)

  def check_finite(self, step, row):
    bad = [name for name, value in row.items() if not math.isfinite(value)]
    if not bad:
      return
    last = self.checkpoints.latest_step()
    kept = f'step {last} in {self.folder / "checkpoints"}' if last else 'none'
    raise FloatingPointError(
      f'{self.title}: {", ".join(bad)} not finite at step {step} '
      f'(learning rate {row["lr"]:g}). Last good checkpoint: {kept}. Lower '
      'config.optimizer.lr or the weight of the largest term (see the last '
      f'rows of {self.folder / "metrics.jsonl"}).'
    )

  def write_row(self, step):
    held, self.held = self.held, []
    row = {
      name: float(np.mean([r[name] for r in held], dtype=np.float64))
      for name in held[0]
    }
    row['lr'] = held[-1]['lr']
    now = time.monotonic()
    if self.clock is not None:  # the first interval would count compilation
      images = (step - self.clock_step) * self.program.config.batch_size
      self.rate = images / max(now - self.clock, 1e-9)
      row['images_per_second'] = self.rate
    self.clock, self.clock_step = now, step
    self.last_row = row
    epoch = step / self.program.steps_per_epoch
    self.writer.write(step, {'epoch': epoch, **row})
    self.console.advance(
      step, rate=self.rate, batch_size=self.program.config.batch_size
    )

  def end_epoch(self, epoch):
    """Evaluates where it is due, and says how far the run is."""
    config = self.program.config
    if epoch % config.eval_every and epoch != config.epochs:
      return
    self.absorb()
    split = 'validation' if self.validated else 'test'
    result = self.program.evaluate(self.state, split)
    self.evaluated = {self.step: {split: result}}
    measured = {'epoch': epoch, **result.as_dict(split)}
    self.writer.write(self.step, measured)
    self.clock, self.clock_step = time.monotonic(), self.step
    row = self.last_row
    rate = f', {self.rate:,.0f} images/s' if self.rate else ''
    self.console.epoch(
      f'{self.title}: epoch {epoch}/{config.epochs}, train loss '
      f'{row["loss"]:.3f}, train error {row["train_error"]:.2f} %, '
      f'{result.headline.text(split, measured)}, lr {row["lr"]:g}{rate}'
    )

  def save_if_due(self):
    """A checkpoint when enough time has passed, and one when asked to stop."""
    if several_hosts() and self.step < self.agreed + AGREE:
      return
    self.agreed = self.step
    late = time.monotonic() - self.saved
    due = late >= self.program.config.checkpoint_seconds
    number, due = largest(self.stop.number or 0, due)
    if not (number or due):
      return
    self.save()
    self.leave_if_asked(number)

  def save_last(self):
    """A checkpoint of the last step, which a signal does not interrupt."""
    self.save()
    number, _ = largest(self.stop.number or 0, False)
    self.leave_if_asked(number)

  def leave_if_asked(self, number):
    if number:
      raise Stopped(
        number,
        f'{self.title}: stopped and saved at step {self.step} of '
        f'{self.program.total_steps}. Run the same command again to go on.',
      )

  def save(self):
    """Only after every metric up to here was fetched and found finite."""
    self.absorb()
    meta = {
      'held': self.held,
      'seconds': self.elapsed(),
      'origin': self.origin,
      'devices': self.program.bench.mesh.size,
      'student': describe_student(self.program, self.state),
    }
    self.checkpoints.save(self.state, meta)
    self.saved = time.monotonic()

  def elapsed(self):
    return self.seconds + time.monotonic() - self.begin

  def finish(self):
    """Measures the last step, and writes what others read."""
    result = finish(
      self.program,
      self.state,
      self.folder,
      {
        'row': self.folder.parent.name,
        'seed': self.seed,
        'steps': self.step,
        'epochs': self.program.config.epochs,
        'seconds': round(self.elapsed(), 2),
        'images_per_second': round(self.rate, 1) or None,
        **self.origin,
      },
      self.evaluated.get(self.step, {}),
    )
    self.console.say(
      f'{self.title}: {headline_of(result).text("test", result)} after '
      f'{result["epochs"]} epochs, {result["seconds"]:.0f} s'
    )
    return result

  def close(self):
    self.console.stop()
    if self.feed:
      self.feed.close()
    self.checkpoints.close()
    if self.writer:
      self.writer.close()

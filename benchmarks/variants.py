"""The ways of running a step that `benchmarks.step` compares."""


def at_jax(name, *, devices=1, huge_pages=False, dtype='float32', extra=False):
  """A way to run our step; `extra` ones are measured with --all."""
  return dict(
    engine='at_jax',
    name=f'at_jax, {name}',
    devices=devices,
    huge_pages=huge_pages,
    dtype=dtype,
    extra=extra,
  )


def pytorch(name, *, huge_pages=False, bf16=False, compiled='', extra=False):
  """A way to run PyTorch's step; `compiled` is a mode of torch.compile."""
  return dict(
    engine='torch',
    name=f'PyTorch, {name}',
    channels_last='channels_last' in name,
    huge_pages=huge_pages,
    bf16=bf16,
    compiled=compiled,
    extra=extra,
  )


VARIANTS = {
  'cpu': [
    # As train.py runs. PyTorch gets huge pages too: they are no merit of ours.
    at_jax('2 devices, huge pages', devices=2, huge_pages=True),
    at_jax('2 devices', devices=2, extra=True),
    at_jax('1 device, huge pages', huge_pages=True, extra=True),
    at_jax('1 device', extra=True),
    pytorch('NCHW'),
    pytorch('channels_last'),
    pytorch('NCHW, huge pages', huge_pages=True),
    pytorch('channels_last, huge pages', huge_pages=True),
    pytorch(
      'channels_last, huge pages, compiled',
      huge_pages=True,
      compiled='default',
      extra=True,
    ),
  ],
  'gpu': [
    at_jax('float32'),
    at_jax('bfloat16', dtype='bfloat16'),
    pytorch('NCHW'),
    pytorch('channels_last'),
    pytorch('channels_last, bf16', bf16=True),
    pytorch('channels_last, compiled', compiled='default', extra=True),
    pytorch('channels_last, bf16, compiled', bf16=True, compiled='default'),
    pytorch(
      'channels_last, bf16, CUDA graphs', bf16=True, compiled='reduce-overhead'
    ),
  ],
}


def is_bfloat16(variant):
  return variant.get('bf16') or variant.get('dtype') == 'bfloat16'

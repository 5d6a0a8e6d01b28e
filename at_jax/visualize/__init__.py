"""Shows where trained weights look: pictures, raw arrays, numbers.

  python -m at_jax.visualize --workdir=runs/ran_digits --what=masks
  python -m at_jax.visualize --workdir=runs/ran_cifar --images='photos/*.jpg'
  python -m at_jax.visualize --workdir=FOLDER --channels=mean,top3,12

`masks`: of residual attention networks, every module's features before its
mask, the mask, the image under it, and the features after it. For each image a
PNG and an .npz with the arrays [h, w, C], in OUT (default: <run>/visualize).
"""

"""Experiments, one file each: `python train.py --config=configs/NAME.py`."""

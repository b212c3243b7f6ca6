"""With which parameters it happened: variational inference and what it leaves behind."""

from counterlog.inference.arviz_export import to_arviz
from counterlog.inference.chains import cost, polish
from counterlog.inference.display import plot_losses
from counterlog.inference.files import load_fit
from counterlog.inference.fit import Draw, Fit, fit
from counterlog.inference.response import lean

__all__ = ["Draw", "Fit", "cost", "fit", "lean", "load_fit", "plot_losses", "polish", "to_arviz"]

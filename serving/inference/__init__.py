"""On-demand inference: processes of their own, so that a model can be killed and never holds a look-up up."""

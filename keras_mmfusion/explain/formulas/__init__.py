"""The formulas of the methods, as functions of NumPy arrays that know no model."""

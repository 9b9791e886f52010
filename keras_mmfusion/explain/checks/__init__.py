"""Measures of the accuracy and cost of methods, and data whose causes are known."""

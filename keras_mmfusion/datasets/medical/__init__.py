"""Patients: survival with genes and clinical records, and skin lesions."""

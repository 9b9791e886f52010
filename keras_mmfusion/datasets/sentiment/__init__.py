"""CMU-MOSI and CMU-MOSEI: sentiment of utterances in videos."""

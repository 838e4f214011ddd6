"""A flight as one page that needs nothing else: of a backtest, or of the rig by its state file. Both are drawn by the same hand."""

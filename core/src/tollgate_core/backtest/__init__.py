"""Backtest: recorded usage rated under other prices. Pure and streaming: of events nothing is kept but sums.

``call`` is a usage event as rating sees it, ``sides`` say who is subscribed to what, ``rating`` adds events up,
``report`` turns the sums of two sides into revenue with the code that makes statements.
"""

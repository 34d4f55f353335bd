"""Message text in, Verdict out: phrases, language, a small trained spaCy model, and how rules and model add up.

`phrases` finds fixed phrases, `language` tells the language, `model` loads and runs the trained pipeline,
`verdict` weighs model and rules into calibrated scores, `train` makes a model, `evaluate` measures verdicts.
Only this room imports spaCy, and late: importing these modules costs nothing, the first use about 1.5 s.
"""

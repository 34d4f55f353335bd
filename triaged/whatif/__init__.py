"""Past mail, and rules or a model of another kind, in; what would have been decided otherwise out; touches nothing.

`otherwise` decides every mail of the log twice, `difference` says in what two decisions differ and by which rule,
`consequences` counts it and puts it into sentences, `page` makes an HTML page of it.
"""

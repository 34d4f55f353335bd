"""The pure room between octets and `Message`: parse, new text, automatic mail, identity, composing answers."""

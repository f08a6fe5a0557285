"""The dialogs over a screen: confirming a change, and the questions."""

from cel_expr_python.cel import CelExtensionBase

class ExtMath(CelExtensionBase):
    def __init__(self) -> None: ...

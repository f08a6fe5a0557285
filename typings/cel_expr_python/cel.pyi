from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

class Type:
    BOOL: ClassVar[Type]
    DOUBLE: ClassVar[Type]
    DYN: ClassVar[Type]
    INT: ClassVar[Type]
    STRING: ClassVar[Type]
    @staticmethod
    def List(element_type: Type) -> Type: ...
    @staticmethod
    def Map(key_type: Type, value_type: Type) -> Type: ...
    def name(self) -> str: ...

class Value:
    def plain_value(self) -> object: ...
    def type(self) -> Type: ...

class Expression:
    def eval(self, *, data: Mapping[str, object]) -> Value: ...

class Env:
    def compile(self, expression: str) -> Expression: ...

class Overload:
    def __init__(
        self,
        id: str,
        *,
        return_type: Type,
        parameters: Sequence[Type],
        is_member: bool,
        impl: Callable[..., object],
    ) -> None: ...

class FunctionDecl:
    def __init__(self, name: str, overloads: Sequence[Overload]) -> None: ...

class CelExtensionBase: ...

def NewEnv(
    *,
    variables: Mapping[str, Type],
    extensions: Sequence[CelExtensionBase],
    functions: Sequence[FunctionDecl],
) -> Env: ...

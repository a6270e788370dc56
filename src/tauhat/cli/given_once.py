"""Commands that refuse an option given twice, of which the parser would keep the last."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperOption

from tauhat.errors import TrialError


class OnceCommand(TyperCommand):
    """A command each of whose options takes one value; lists may come in several parts."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words, and raise a `TrialError` where one value would hide another."""
        words = list(args)
        # First, so that help is given and other faults are told as ever.
        rest = super().parse_args(ctx, args)
        if ctx.resilient_parsing:
            return rest
        *_, found = self.make_parser(ctx).parse_args(words)
        for option in self.params:
            if not isinstance(option, TyperOption) or option.multiple or option.is_flag:
                continue
            if sum(one is option for one in found) > 1:
                name = next(word for word in option.opts if word.startswith("--"))
                raise TrialError(f"{name} is given more than once; give it once")
        return rest

"""What signatures may be made of the same files: each has a name of its own, and one at most goes into a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hsmpub.errors import Invalid
from hsmpub.formats.registry import FORMATS

_MOST_NAMED = 20


class NameOfASignature(Invalid):
    advice = "Rename one of the files, or leave one out: signatures are made here, and lie beside their files."

    def __init__(self, detail: str, output: str) -> None:
        """output: the name that is taken."""
        super().__init__(detail)
        self.output = output

    @classmethod
    def of(cls, several: Sequence[NameOfASignature]) -> NameOfASignature:
        """One refusal that names all of them."""
        if len(several) == 1:
            return several[0]
        names = ", ".join(repr(one.output) for one in several[:_MOST_NAMED])
        more = f" and {len(several) - _MOST_NAMED} more" if len(several) > _MOST_NAMED else ""
        return cls(f"Each of these is a signature's name, and taken: {names}{more}.", several[0].output)


class TwoSignaturesInOneFile(Invalid):
    advice = (
        "Sign once for each: what the one writes, the other then signs. For releases, the policy says by 'files' which "
        "files a format is for."
    )


def check_one_inside(file: str, formats: Iterable[str]) -> None:
    """Each signature that goes into a file is over the file without it. Raises TwoSignaturesInOneFile."""
    into = [name for name in formats if name in FORMATS and FORMATS[name].embedded]
    if len(into) > 1:
        raise TwoSignaturesInOneFile(f"{' and '.join(into)} would both change {file!r}.")


class OutputNames:
    """Names that are taken: those of `files`, and those of the signatures of each file that was `take`n."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        self._taken = {name: f"the file {name!r}" for name in files}

    def take(self, file: str, formats: Iterable[str]) -> None:
        """The names of a file's signatures, all or none.

        Args:
            formats: names; what is no format is left to whoever knows them.

        Raises:
            NameOfASignature: one is taken.
        """
        outputs = dict.fromkeys(FORMATS[name].output_name(file) for name in formats if name in FORMATS)
        for output in outputs:
            if output in self._taken:
                told = f"{output!r} would be {self._taken[output]} and a signature of {file!r}."
                raise NameOfASignature(told, output)
        self._taken.update(dict.fromkeys(outputs, f"a signature of {file!r}"))

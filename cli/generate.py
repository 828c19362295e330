"""`seqlab generate`: text out of a trained language model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import JsonFlag, check_run, load_torch, print_json, say, unescaped
from .flags import FILES, PANELS, CacheFlag, CountsOnlyFlag, NetworkOnlyFlag, member_of

if TYPE_CHECKING:
    from seqlab.generation import TextGenerator
    from seqlab.run import Run

SHOWN = 10
"""Lines that a sentence lists."""
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def generate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a trained language model.")],
    prompt: Annotated[
        str | None,
        typer.Option(
            help=r"Text to continue (\n: a newline, \\: a backslash); '-' reads it from stdin, less one final newline. "
            "Left out, the text begins as a paragraph.",
            rich_help_panel=FILES,
        ),
    ] = None,
    length: Annotated[int | None, typer.Option()] = None,
    num: Annotated[int | None, typer.Option()] = None,
    items: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Print N different items of a list (names, headlines), one a line, at temperature 0.6 if you name no "
            "rule; stderr tells which of them the training text has.",
            rich_help_panel=FILES,
        ),
    ] = None,
    new: Annotated[
        bool,
        typer.Option("--new", help="With --items: only items that the training text lacks.", rich_help_panel=FILES),
    ] = False,
    from_prior: Annotated[
        bool,
        typer.Option(
            "--from-prior",
            help="Of a variational autoencoder: the lines at --num points drawn from the prior, one a line; stderr "
            "tells which of them the training text has.",
            rich_help_panel=FILES,
        ),
    ] = False,
    temperature: Annotated[
        str | None,
        typer.Option(metavar="T[,T...]"),
    ] = None,
    top_k: Annotated[int | None, typer.Option()] = None,
    top_p: Annotated[float | None, typer.Option()] = None,
    min_p: Annotated[float | None, typer.Option()] = None,
    seed: Annotated[int | None, typer.Option()] = None,
    stop: Annotated[
        list[str] | None, typer.Option(help=r"Stop before this text (\n is a newline); repeatable.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="A decoding rule such as repetition_penalty=1.2 or no_repeat_ngram=4; repeatable. Applied in this "
            "order, before temperature and the like. All of them: seqlab settings rules.",
        ),
    ] = None,
    best_of: Annotated[int | None, typer.Option(metavar="N")] = None,
    beam: Annotated[int | None, typer.Option(metavar="B")] = None,
    length_penalty: Annotated[float | None, typer.Option()] = None,
    ignore_eos: Annotated[
        bool,
        typer.Option("--ignore-eos", help="Continue after the end of a document.", rich_help_panel=PANELS["internal"]),
    ] = False,
    allow_unknown: Annotated[bool, typer.Option("--allow-unknown")] = False,
    network_only: NetworkOnlyFlag = False,
    counts_only: CountsOnlyFlag = False,
    cache: CacheFlag = False,
    interactive: Annotated[
        bool,
        typer.Option("--interactive", help="Continue one line of stdin after the other.", rich_help_panel=FILES),
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    as_json: JsonFlag = False,
) -> None:
    """Generate text from a language model, or lines from a variational autoencoder.

    Example: seqlab generate runs/shakespeare --prompt "ROMEO:" --temperature 0.8

    Items of a list, one a line: seqlab generate runs/names --items 10 --new

    Lines of an autoencoder: seqlab generate runs/headlines --from-prior --num 10

    Compare temperatures, with one seed: --temperature 0.5,0.8,1.1
    """
    from seqlab.base.errors import InputError
    from seqlab.base.kinds import kind_of
    from seqlab.config import FLAGS, GenerationConfig
    from seqlab.config.checks import check_generation

    if interactive and (prompt is not None or as_json):
        raise InputError(f"--interactive reads prompts by itself; leave out --{'json' if as_json else 'prompt'}.")
    temperatures = _numbers(temperature)
    if len(temperatures) > 1 and (interactive or items is not None):
        raise InputError(f"--temperature {temperature}: --{'interactive' if interactive else 'items'} takes one.")
    given: dict[str, Any] = {
        "length": length,
        "num": num,
        "temperature": temperatures[0] if temperatures else None,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "rules": rule,
        "best_of": best_of,
        "beam": beam,
        "length_penalty": length_penalty,
        "seed": seed,
        "stop": [unescaped(text) for text in stop or ()],
        "stop_at_eos": False if ignore_eos else None,
        "allow_unknown": allow_unknown,
    }
    options = {name: value for name, value in given.items() if value is not None}
    if new and items is None:
        raise InputError("--new leaves out the known items of a list; say how many to print, such as --items 10.")
    if items is not None and interactive:
        raise InputError("--items prints whole items; leave out --interactive.")
    sweep = [{**options, "temperature": one} for one in temperatures] or [options]
    for one in sweep:
        check_generation(GenerationConfig.build(one, FLAGS))
    member = member_of(network_only, counts_only, cache)
    if from_prior or kind_of(run) == "autoencoder":
        if items is not None or interactive or member or cache or len(temperatures) > 1:
            raise InputError("an autoencoder writes --num lines, each from a point; leave the other options out.")
        if not from_prior:
            raise InputError(f"{run}: is an autoencoder's run; its lines come from points: --from-prior draws some.")
        _print_points(run, _read_prompt(prompt or ""), options, device, as_json)
        return
    check_run(run)
    load_torch(whole=False)
    from seqlab.generation import TextGenerator
    from seqlab.run import Run

    opened = Run.open(run)
    counted = opened.has_counts and member != "network"
    members = opened.load_members(device, counts=counted)._replace(only=member)
    if cache:
        from seqlab.evaluation import cached_members

        members = cached_members(opened, members, quiet=False)
    generator = TextGenerator(members.model(), opened.tokenizer, opened.lead_ins)
    if items is not None:
        _print_items(opened, generator, items, new, _read_prompt(prompt or ""), options, as_json)
        return
    if interactive:
        _converse(generator, options)
        return
    text = _read_prompt(prompt or "")
    if opened.lines:  # an item begins where a line does
        text = text.rpartition("\n")[2]
        if sys.stderr.isatty():
            say(f"this model writes items of a list; several at once: seqlab generate {run} --items 10")
    if len(sweep) > 1 and "seed" not in options:
        from seqlab.generation.generator import new_seed

        seed = new_seed()
        say(f"seed {seed}")
        sweep = [{**one, "seed": seed} for one in sweep]
    if as_json:
        print_json(_swept(generator, text, sweep))
        return
    for one in sweep:
        if len(sweep) > 1:
            print(f"--- temperature {one['temperature']:g} ---")
        _print_texts(generator, text, one)


def _numbers(text: str | None) -> list[float]:
    """Numbers with commas between them."""
    from seqlab.base.errors import InputError

    try:
        return [float(number) for number in text.split(",")] if text is not None else []
    except ValueError:
        raise InputError(f"--temperature {text}: not a number, or several with commas, such as 0.5,0.8,1.1.") from None


def _swept(generator: TextGenerator, prompt: str, sweep: list[dict[str, Any]]) -> dict[str, Any]:
    """The samples of every temperature; of several each says which was its own."""
    found: list[dict[str, Any]] = []
    seed = None
    for options in sweep:
        samples = generator.generate(prompt, **options)
        own = {"temperature": options["temperature"]} if len(sweep) > 1 else {}
        found += [{**one, **own} for one in samples.to_json()]
        seed = samples[0].seed
    return {"prompt": prompt, "seed": seed, "samples": found}


def _read_prompt(prompt: str) -> str:
    """The prompt of the command line, or all of stdin for `-`."""
    from seqlab.base.errors import InputError
    from seqlab.base.storage.streams import parked

    if prompt != "-":
        return unescaped(prompt)
    try:
        text = parked(prompt).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"stdin: not UTF-8 at byte {error.start}; give the prompt as UTF-8.") from None
    return text.replace("\r\n", "\n").removesuffix("\n")


def _print_items(
    run: Run, generator: TextGenerator, count: int, new: bool, prompt: str, options: dict[str, Any], as_json: bool
) -> None:
    """Print items, one a line and nothing else on stdout; what is to be said of them goes to stderr."""
    from seqlab.generation.items import write_items

    options = {name: value for name, value in options.items() if name != "stop" or value}
    found = write_items(generator, count, prompt, known=run.items, separate=run.lines, new=new, **options)
    if as_json:
        print_json(found.to_json())
        return
    if "seed" not in options and options.get("temperature") != 0:
        say(f"seed {found.seed}")
    with _whole_lines() as write:
        for item in found:
            write(f"{item.text}\n")
    _say_seen(found.seen, len(found), " (--new leaves them out)")
    if len(found) < count:
        say(f"only {len(found)} of {count} different{' new' * new} items in {found.drawn:,} texts drawn")


def _print_points(run: str, prompt: str, options: dict[str, Any], device: str, as_json: bool) -> None:
    """Print the lines at points of the prior, one a line and nothing else on stdout."""
    from .autoencoders.lines import open_autoencoder

    unset = {"stop": [], "allow_unknown": False}
    options = {name: value for name, value in options.items() if name not in unset or value != unset[name]}
    found = open_autoencoder(run, device).sample(options.pop("num", 1), prompt=prompt, **options)
    if as_json:
        print_json(found.to_json())
        return
    if "seed" not in options:
        say(f"seed {found.seed}")
    with _whole_lines() as write:
        for item in found:
            write(f"{item.text}\n")
    _say_seen(found.seen, len(found))


def _say_seen(seen: Sequence[str], count: int, hint: str = "") -> None:
    """Which of so many lines the training text has; all of them need no list."""
    if seen:
        more = ", ..." if len(seen) > SHOWN else ""
        known = "" if len(seen) == count else f": {', '.join(seen[:SHOWN])}{more}"
        say(f"{len(seen)} of {count} are in the training text{known}{hint}")


def _print_texts(generator: TextGenerator, prompt: str, options: dict[str, Any]) -> None:
    """Generate and print; a single drawn text appears while it is made."""
    request = generator.request(prompt, **options)
    config = request.config
    if request.seed is not None and config.temperature != 0 and config.seed is None:
        say(f"seed {request.seed}")
    if config.beam or config.best_of or config.num > 1:
        samples = generator.write(request)
        for number, sample in enumerate(samples, 1):
            if len(samples) > 1:
                print(f"--- {number} of {len(samples)} ---")
            with _whole_lines() as write:
                write(str(sample))
    else:
        with _whole_lines() as write:
            write(request.prompt.shown)
            generator.write(request, stream=write)


@contextmanager
def _whole_lines() -> Iterator[Callable[[str], None]]:
    """A function that writes text to stdout at once; a newline is added at the end where there is none.

    On a terminal, control characters other than newline and tab become visible escapes and steer nothing.
    """
    terminal = sys.stdout.isatty()
    last = "\n"

    def write(text: str) -> None:
        nonlocal last
        last = text[-1:] or last
        sys.stdout.write(text.translate(_ESCAPES) if terminal else text)
        sys.stdout.flush()

    try:
        yield write
    finally:
        if last != "\n":
            write("\n")


def _converse(generator: TextGenerator, options: dict[str, Any]) -> None:
    """Continue every line of stdin until it ends. A seed given is the first line's and grows by 1 a line."""
    from seqlab.base.errors import InputError

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    for number, line in enumerate(_lines(terminal)):
        try:
            seeded = {"seed": options["seed"] + number} if "seed" in options else {}
            _print_texts(generator, line, {**options, **seeded})
        except InputError as error:
            say(f"seqlab: {error}")
        except KeyboardInterrupt:
            if not terminal:
                raise


def _lines(terminal: bool) -> Iterator[str]:
    """Lines of stdin, edited with readline on a terminal."""
    if not terminal:
        for line in sys.stdin:
            yield line.rstrip("\r\n")
        return
    with suppress(ImportError):
        import readline  # noqa: F401
    say("Type a beginning and press Enter; Ctrl-D ends.")
    while True:
        try:
            yield input("> ")
        except EOFError:
            print()
            return

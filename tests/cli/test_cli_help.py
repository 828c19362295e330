"""Help pages come from the configuration and its tables; what contradicts itself is refused before any work."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys

import pytest
import typer.main
from seqlab_cli import console
from seqlab_cli.flags import FILES, ORDER, PANELS, SettingsCommand, Verbs
from seqlab_cli.main import app, run

from seqlab.config.book import settings


def commands() -> dict[str, typer.core.TyperCommand]:
    """The verbs by their place."""
    found = {}

    def walk(group, place):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, f"{place}{name} ")
            else:
                found[place + name] = command

    walk(typer.main.get_command(app), "")
    return found


VERBS = commands()
COMMANDS = {name: command for name, command in VERBS.items() if isinstance(command, SettingsCommand)}
"""Those whose flags are settings."""
for command in COMMANDS.values():
    command.document()


def test_the_verbs_with_flags_of_settings():
    assert set(COMMANDS) == {
        *("train lm", "train embeddings", "train autoencoder", "check", "tune", "generate", "evaluate", "visualize"),
        *("reconstruct", "interpolate"),
    }


def test_a_verb_alone_is_the_one_among_all(capsys):
    whole = typer.main.get_command(app)
    for name in whole.commands:
        pages = []
        for program in (app, whole):
            program([name, "--help"], standalone_mode=False, prog_name="seqlab")
            pages.append(capsys.readouterr().out)
        assert pages[0] == pages[1]


@pytest.mark.parametrize("words", [[], ["--help"], ["--help", "convert"], ["--debug", "-h", "convert"]], ids=str)
def test_where_no_verb_comes_first_all_are_listed(words, capsys):
    assert run(["--debug", "convert", "--help"]) == 0
    assert "neighbors" not in capsys.readouterr().out
    assert run(words) == (0 if words else 2)
    page = capsys.readouterr().out
    assert all(f"\n  {name} " in page for name in ("train", "convert", "neighbors"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_explained_in_its_panel(name):
    places = []
    for param in COMMANDS[name].params:
        assert param.help, param.name
        if param.param_type_name == "option":
            assert param.rich_help_panel in ORDER, param.name
            places.append(ORDER.index(param.rich_help_panel))
    assert places == sorted(places)


@pytest.mark.parametrize("name", ["train lm", "train embeddings", "generate"])
def test_every_essential_setting_has_a_flag_in_the_first_panel_of_settings(name):
    flags = {param.name: param for param in COMMANDS[name].params}
    sections = COMMANDS[name].sections if name != "train embeddings" else ("embeddings",)
    for setting in settings():
        if setting.section in sections and setting.tier == "essential":
            assert flags[setting.name].rich_help_panel == PANELS["essential"], setting.key


@pytest.mark.parametrize("name", COMMANDS)
def test_the_names_a_flag_lists_are_those_of_its_table(name):
    for param in COMMANDS[name].params:
        listed = re.search(r"One of ([\w ,-]+)\.", param.help)
        if listed:
            found = next(s for s in settings() if s.section in COMMANDS[name].sections and s.name == param.name)
            assert listed[1].split(", ") == list(found.names)
    if name == "train lm":
        helped = {param.name: param.help for param in COMMANDS[name].params}
        for table, flag in (("cells", "cell"), ("optimizers", "optimizer"), ("schedules", "schedule")):
            assert all(one.name in helped[flag] for one in settings(table).names)


@pytest.mark.parametrize(
    "name", ["train lm", "train embeddings", "train autoencoder", "check", "tune", "data prepare", "data inspect"]
)
def test_flags_that_sentences_about_a_text_advise_exist_wherever_one_is_read(name):
    flags = {param.name for param in VERBS[name].params}
    wanted = {"field"} if name == "data inspect" else {"field", "errors", "strip_ebook_header", "unwrap"}
    assert wanted <= flags


def test_help_pages_show_panels_and_the_essential_ones_first(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["train", "lm", "--help"]) == 0
    page = capsys.readouterr().out
    places = [page.index(f"\n{panel}:\n") for panel in ("Arguments", FILES, *PANELS.values(), "Program")]
    assert places == sorted(places)
    assert run(["--help"]) == 0
    page = capsys.readouterr().out
    places = [page.index(f"\n{panel}:\n") for panel in (*Verbs.panels, "Options")]
    assert places == sorted(places)


def test_help_pages_fit_the_terminal_and_leave_nothing_out(capsys, monkeypatch):
    for columns in (60, 100, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        for name, command in COMMANDS.items():
            assert run([*name.split(), "--help"]) == 0
            lines = capsys.readouterr().out.splitlines()
            assert max(len(line) for line in lines) <= min(columns, 100)
            page = " ".join(" ".join(lines).split())
            for param in command.params:
                assert " ".join(param.help.split()) in page
                if param.param_type_name == "option":
                    assert all(flag in page for flag in param.opts)


@pytest.mark.parametrize("name", VERBS)
def test_a_page_speaks_of_no_python_and_puts_options_without_a_panel_last(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*name.split(), "--help"]) == 0
    page = capsys.readouterr().out
    assert not re.search(r"<(str|int|float|path|list)|\bNone\b|range>|x>=|<=x|[{}]|\[\[", page)
    assert "Options:" not in page or "\n\n" not in page[page.index("Options:") :].rstrip()


@pytest.mark.parametrize("name", VERBS)
def test_an_example_of_several_lines_is_one_command_for_a_shell(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert run([*name.split(), "--help"]) == 0
    found = [
        found[1]
        for found in re.finditer(r": (seqlab (?:.*\\\n)*.*)", capsys.readouterr().out.partition("\n\nArguments:")[0])
    ]
    text = " ".join(VERBS[name].help.split())
    assert found
    for command in found:
        in_one_line = " ".join(command.replace("\\\n", " ").split())
        assert shlex.split(command.replace("\\\n", "")) == shlex.split(in_one_line)
        assert in_one_line in text


def test_a_long_name_has_a_line_to_itself_and_a_command_stays_in_one():
    from seqlab_cli import pages

    assert pages._row("--name", "what it is", 10, 40) == "  --name      what it is"
    assert pages._row("--a-long-name <str>", "what it is", 10, 40) == (f"  --a-long-name <str>\n{' ' * 14}what it is")
    text = "One sentence that is\ncontinued.\n\nSeveral processes:\ntorchrun -m seqlab_cli.main"
    assert pages._paragraphs(text, 80) == [
        "One sentence that is continued.",
        "Several processes:\ntorchrun -m seqlab_cli.main",
    ]


@pytest.mark.parametrize(("terminal", "no_color", "bold"), [(True, "", True), (True, "1", False), (False, "", False)])
def test_headings_are_bold_on_a_terminal_only(terminal, no_color, bold, monkeypatch):
    out = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("NO_COLOR", no_color)
    assert run(["--help"]) == 0
    assert ("\x1b[1mTrain:\x1b[0m\n" in out.getvalue()) == bold
    assert ("\x1b" in out.getvalue()) == bold


@pytest.mark.parametrize("arguments", ["--help", "data", "train lm --help", "neighbors --help", "nonsense"])
def test_a_page_waits_for_nothing_heavy(arguments):
    done = subprocess.run([sys.executable, "-c", LIGHT, *arguments.split()], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1].endswith(" []")


LIGHT = """
import sys, time
import seqlab_cli.main as main
code = main.run(sys.argv[1:])
heavy = [name for name in ("torch", "numba", "sklearn", "tokenizers", "numpy", "rich") if name in sys.modules]
print(code, heavy, file=sys.stderr)
"""


REFUSED = {
    "train lm TEXT -o x --epochs 1 --minutes 2": "epochs and minutes both limit training; give one of them.",
    "train lm TEXT -o x --cell lsmt": "Did you mean 'lstm'?",
    "train lm TEXT -o x --preset chra": "Did you mean 'char'?",
    "train lm TEXT -o x --schedule step --set final_lr=0": "must be above 0 for the step schedule.",
    "train lm TEXT -o x --init nowhere": "nowhere: no such run folder.",
    "train lm TEXT -o x --embeddings nowhere": "nowhere: no such file or folder of word vectors.",
    "train lm TEXT -o FOLDER": "exists and is a folder that seqlab did not write, not a language-model run;",
    "train lm TEXT": "name the run folder to write with -o, such as -o runs/book.",
    "train lm TEXT -o x --lr fast": "--lr must be a number. See",
    "train lm TEXT -o x --layers two": "--layers must be a whole number. See",
    "convert a b --words 0": "--words must be at least 1.",
    "check TEXT --cell lsmt": "Did you mean 'lstm'?",
    "check TEXT --epochs 1 --steps 2": "epochs and steps both limit training; give one of them.",
    "check TEXT --init nowhere": "nowhere: no such run folder.",
    "train embeddings TEXT -o x --loss softmax --engine cpu": "the full softmax needs --engine torch",
    "train embeddings TEXT -o x --epochs 2 --minutes 1": "--epochs and --minutes both limit training",
    "train embeddings TEXT -o x --tokenizer bpe": "bpe does not make words; use word or whitespace.",
    "train embeddings TEXT -o x --set max_ngram=3": "min_ngram must not be above max_ngram.",
    "generate nowhere": "nowhere: no such run folder.",
    "generate FOLDER": "is a folder that seqlab did not write, not a language-model run.",
    "generate nowhere --beam 4 --top-k 3": "so top_k cannot apply; leave out one of the two.",
    "evaluate nowhere --text TEXT": "nowhere: no such run folder.",
    "evaluate nowhere --text TEXT --dynamic --dynamic-rule adam": "'adam' is not one of rms, sgd.",
    "compare nowhere": "nowhere: name another model to compare it with.",
    "tune TEXT -o x": "say how long to search: --minutes 10, or --trials 20.",
    "tune TEXT -o x --vectors": "say how long to search: --minutes 10, or --trials 20.",
    "settings lsmt": "Did you mean 'lstm'?",
}
"""Command lines and what is said of them."""
LIGHT_EACH = """
import contextlib, io, json, sys
import seqlab_cli.main as main
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        code = main.run(arguments.split())
    heavy = [name for name in ("torch", "numba", "sklearn", "tokenizers", "numpy", "rich") if name in sys.modules]
    print(json.dumps([code, heavy, said.getvalue()]))
"""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What a program that gets all of these lines one after the other says of each."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "text.txt").write_text("some words\n")
    (folder / "folder").mkdir()
    (folder / "folder" / "file").write_text("")
    lines = [line.replace("TEXT", "text.txt").replace("FOLDER", "folder") for line in REFUSED]
    command = [sys.executable, "-c", LIGHT_EACH, json.dumps(lines)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert sorted(path.name for path in folder.iterdir()) == ["folder", "text.txt"]
    return dict(zip(REFUSED, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.xdist_group("refused")
@pytest.mark.parametrize("arguments", REFUSED)
def test_what_cannot_be_is_refused_before_anything_heavy_is_loaded(arguments, refusals):
    code, heavy, said = refusals[arguments]
    assert REFUSED[arguments] in " ".join(said.strip().splitlines())
    assert (code, heavy) == (2, [])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("terminal", "as_json"), [(False, False), (True, True), (True, False)])
def test_a_summary_is_a_table_on_a_terminal_and_json_elsewhere(terminal, as_json, monkeypatch):
    out = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    summary = {"run": "runs/book", "steps": 1200, "valid": {"perplexity": 41.25, "network": {"perplexity": 50.0}}}
    console.print_summary(summary, as_json)
    if terminal and not as_json:
        assert out.getvalue().splitlines() == [
            "run               runs/book",
            "steps             1,200",
            "valid perplexity  41.250",
        ]
    else:
        assert json.loads(out.getvalue()) == summary


@pytest.mark.parametrize(("typed", "text"), [(r"a\nb", "a\nb"), (r"a\\nb", r"a\nb"), (r"\t", r"\t"), ("é\\", "é\\")])
def test_a_newline_can_be_typed(typed, text):
    assert console.unescaped(typed) == text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("neighbors", "VECTORS is missing. For example: seqlab neighbors vectors king queen -k 5"),
        ("neighbors vectors", "WORD is missing. For example: seqlab neighbors vectors king queen -k 5"),
        ("visualize vectors", "-o FILE is missing. For example: seqlab visualize vectors -o map.html"),
        ("compare", "RUN|VECTORS is missing. For example: seqlab compare"),
        ("evalute", "evalute'. Did you mean 'evaluate'? See"),
        ("train ml text.txt", "Choose one of: lm, embeddings, autoencoder. See"),
        ("train lm text -o run --resume", "there is no option --resume: the same command resumes, --more N goes on"),
        ("generate run --lenght 3", "there is no option --lenght. Did you mean '--length'? See"),
        ("generate run --temp 0.5", "there is no option --temp. Did you mean '--temperature'? See"),
        ("evaluate run --text text -q", "there is no option -q. See"),
        ("generate run --top 5", "there is no option --top. Did you mean '--top-k' or '--top-p'? See"),
        ("train lm text -o run --batch_size 8", "there is no option --batch_size. Did you mean '--batch-size'? See"),
        ("train lm text -o run --verbose", "there is no option --verbose. See"),
        ("train lm text -out run", "-out: write --out, with two dashes. See"),
        ("train lm text -o run -epochs=3", "-epochs=3: write --epochs, with two dashes. See"),
        ("inspect text", "data inspect'? See"),
        ("lm text -o run", "train lm'? See"),
        ("generate run --length", "--length needs a value."),
        ("neighbors vectors word --json=3", "--json takes no value."),
        ("generate run to be", "'to be' is more than this command takes; put words that belong together in quotes."),
        ("neighbors vectors word -k 0", "-k must be at least 1. See"),
        ("analogy vectors a b c --method dot", "--method: 'dot' is not one of 'add', 'mul'. See"),
    ],
)
def test_a_command_line_that_cannot_be_is_answered_in_our_words(arguments, sentence, capsys):
    assert run(arguments.split()) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert not re.search("Missing|No such|Got |Invalid|requires", printed.err)


@pytest.mark.parametrize("name", VERBS)
def test_what_a_verb_cannot_do_without_has_an_example(name, capsys):
    needed = [param for param in VERBS[name].params if param.required]
    if not needed:
        return
    assert run(name.split()) == 2
    assert " is missing. For example: seqlab " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", ["", "train", "data"])
def test_a_group_of_verbs_alone_answers_with_its_page(arguments, capsys):
    assert run(arguments.split()) == 2
    assert capsys.readouterr().out.startswith("Usage: ")

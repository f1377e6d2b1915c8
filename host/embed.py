"""Puts cloud-init.yaml, with the files that it names, into template.yaml as the instance's user data.

    python3 host/embed.py           writes template.yaml
    python3 host/embed.py --check   says whether it is as it should be (wire/host/ asks the same)

EC2 takes 16 KB: comments and Python's docstrings stay behind here. They are in the files.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE / "template.yaml"
BEGIN, END = "          Fn::Sub: | # from cloud-init.yaml, by embed.py\n", "          # end of the user data\n"
DOCSTRING = re.compile(r'^ *"""[^"]*"""\n', re.MULTILINE)


def without_comments(text):
    """The text without lines that are a comment, and without empty ones; the first line may be #!."""
    text = DOCSTRING.sub("", text)
    lines = text.rstrip("\n").split("\n")
    return [line for n, line in enumerate(lines) if line.strip() and (n == 0 or not re.match(r"\s*#", line))]


def user_data():
    """The cloud-config, with CloudFormation's parameters still to be put in."""
    out = []
    for line in without_comments((HERE / "cloud-init.yaml").read_text()):
        named = re.fullmatch(r"( *)content: <(.+)>", line)
        if not named:
            out.append(line)
            continue
        out.append(f"{named[1]}content: |")
        text = (HERE / named[2]).read_text().replace("${", "${!")  # the shell's, not CloudFormation's
        first, *rest = without_comments(text)
        kept = ([] if first.startswith("#") and not first.startswith("#!") else [first]) + rest
        out.extend(f"{named[1]} {kept_line}" for kept_line in kept)
    return "".join(line + "\n" for line in out)


def embedded(template):
    before, rest = template.split(BEGIN)
    _, after = rest.split(END)
    indented = "".join("            " + line + "\n" for line in user_data().splitlines())
    return before + BEGIN + indented + END + after


def main():
    template = TEMPLATE.read_text()
    if "--check" in sys.argv:
        sys.exit(embedded(template) != template and "template.yaml is not as cloud-init.yaml says: run host/embed.py")
    TEMPLATE.write_text(embedded(template))


if __name__ == "__main__":
    main()

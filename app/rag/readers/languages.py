"""Programming and configuration languages by the ends of their files' names."""

LANGUAGES = {
    "ada": "adb ads", "asm": "asm s", "basic": "bas vb vbs", "batch": "bat cmd", "c": "c h", "clojure": "clj cljs edn",
    "cobol": "cbl cob", "cmake": "cmake", "cpp": "cc cpp cxx hh hpp hxx ino", "csharp": "cs csx",
    "css": "css less sass scss",
    "d": "d", "dart": "dart", "diff": "diff patch", "dockerfile": "dockerfile", "elixir": "ex exs", "elm": "elm",
    "erlang": "erl hrl", "fortran": "f f77 f90 f95 f03 for", "fsharp": "fs fsi fsx", "glsl": "frag glsl vert",
    "go": "go mod", "graphql": "gql graphql", "groovy": "gradle groovy", "haskell": "hs lhs", "hcl": "hcl tf tfvars",
    "ini": "cfg cnf conf desktop editorconfig env ini properties service", "java": "java",
    "javascript": "cjs js jsx mjs",
    "julia": "jl", "kotlin": "kt kts", "latex": "bib cls ltx sty tex", "lisp": "cl el lisp lsp", "lua": "lua",
    "makefile": "mak makefile mk", "matlab": "m", "nim": "nim", "nix": "nix", "ocaml": "ml mli", "pascal": "dpr pas",
    "perl": "pl pm", "php": "php phtml", "powershell": "ps1 psd1 psm1", "prolog": "pro", "proto": "proto",
    "python": "py pyi pyw pyx", "r": "r rmd", "ruby": "gemspec rake rb", "rust": "rs", "scala": "sbt sc scala",
    "scheme": "rkt scm ss", "shell": "bash fish ksh sh zsh", "solidity": "sol", "sql": "ddl psql sql",
    "svelte": "svelte",
    "swift": "swift", "tcl": "tcl", "toml": "toml", "typescript": "cts mts ts tsx", "verilog": "sv v vh",
    "vhdl": "vhd vhdl", "vue": "vue", "xslt": "xsl xslt", "yaml": "yaml yml", "zig": "zig",
}  # fmt: skip
SUFFIXES = {f".{end}": language for language, ends in LANGUAGES.items() for end in ends.split()}
# Files that are known by their whole name.
WHOLE_NAMES = {
    "dockerfile": "dockerfile", "makefile": "makefile", "gnumakefile": "makefile", "cmakelists.txt": "cmake",
    "gemfile": "ruby", "rakefile": "ruby", "jenkinsfile": "groovy", "vagrantfile": "ruby", ".bashrc": "shell",
    ".profile": "shell", ".env": "ini", ".gitconfig": "ini", "go.sum": "go",
}  # fmt: skip


def language_of(name: str) -> str | None:
    """The language of a file called `name`; None when that does not tell."""
    lower = name.lower()
    return WHOLE_NAMES.get(lower) or SUFFIXES.get("." + lower.rpartition(".")[2] if "." in lower else "")


def code_type(language: str) -> str:
    """The media type of a language's files."""
    return f"text/x-{language}"

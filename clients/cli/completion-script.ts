/**
 * Scripts with which shells complete command lines of `xs`.
 *
 * Owns both of them, made from the commands and options that the program has, and what is completed where: commands, options,
 * choices, files, and what is asked of the daemon that the line names, such as nodes and revisions. What takes a number or a
 * pattern is left alone.
 */
import type { Argument, Command, Option } from "commander";
import { SPECIAL_PATHS } from "../../protocol/path.js";
import { FAULT_NAMES } from "../../protocol/predicate/faults.js";

/** The shells that there is a script for. */
export const COMPLETED_SHELLS = ["bash", "zsh"] as const;

/** One of them. */
export type CompletedShell = (typeof COMPLETED_SHELLS)[number];

/** The script of a shell for a program. */
export function completionScript(program: Command, shell: CompletedShell): string {
  const lines = shell === "bash" ? bashLines(program) : zshLines(program);
  return `${lines.join("\n")}\n`;
}

/** What a word may be. */
type Kind = AskedKind | "node" | "file" | "directory" | "nothing" | `choice ${string}`;

/** What a daemon is asked for by commands, and how the words are told from the rest of what these print. */
const ASKED = {
  // The lines about forks are indented.
  revision: { commands: ["branches", "tags"], filter: "s/^\\([^ ][^ ]*\\)  .*/\\1/p" },
  fork: { commands: ["branches"], filter: "/^[^ ]/h; /^ *fork of/{ g; s/  .*//p; }" },
  domid: { commands: ["list /local/domain"], filter: "/^[0-9]*$/p" },
  control: { commands: ["control help"], filter: "s/^\\([a-z][a-z-]*\\).*/\\1/p" },
} as const;
type AskedKind = keyof typeof ASKED;

function isAsked(kind: string): kind is AskedKind {
  return Object.hasOwn(ASKED, kind);
}

const ASKED_KINDS: readonly AskedKind[] = Object.keys(ASKED).filter(isAsked);

const ARGUMENT_KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["path", "node"],
  ["path_value", "node"],
  ["from", "revision"],
  ["to", "revision"],
  ["revision", "revision"],
  ["fork", "fork"],
  ["file", "file"],
  ["predicate", `choice ${FAULT_NAMES.join(" ")}`],
  ["command", "control"],
]);
const VALUE_KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["path", "file"],
  ["script", "file"],
  ["dir", "directory"],
  ["revision", "revision"],
  ["fork", "fork"],
  ["node", "node"],
  ["domid", "domid"],
]);

function kindOfArgument(argument: Argument): Kind {
  return kindOf(argument.argChoices, ARGUMENT_KINDS.get(argument.name()));
}

function kindOfValue(option: Option): Kind {
  return kindOf(option.argChoices, VALUE_KINDS.get(/[<[]([a-z]+)/.exec(option.flags)?.[1] ?? ""));
}

function kindOf(choices: readonly string[] | undefined, kind: Kind = "nothing"): Kind {
  return choices === undefined ? kind : `choice ${choices.join(" ")}`;
}

/** The commands that the help lists. */
function commandsOf(program: Command): readonly Command[] {
  return program.createHelp().visibleCommands(program);
}

function namesOf(commands: readonly Command[]): string {
  return commands.map((command) => command.name()).join(" ");
}

function flagsOf({ short, long }: Option): string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function optionsOf(command: Command): readonly Option[] {
  return command.createHelp().visibleOptions(command);
}

/** Without the help's, which the program has too. */
function ownOptionsOf(command: Command): readonly Option[] {
  return optionsOf(command).filter(({ long }) => long !== "--help");
}

/** For each option with a value, `--socket` and `--fork` first: `COMMAND:FLAG` as patterns, and what its value may be. */
function* valuePatterns(program: Command): Generator<readonly [patterns: string, kind: Kind]> {
  const withValue = (command: Command): Option[] =>
    optionsOf(command).filter((option) => option.required || option.optional);
  for (const option of withValue(program)) {
    yield [
      flagsOf(option)
        .map((flag) => `*:${flag}`)
        .join(" | "),
      kindOfValue(option),
    ];
  }
  for (const command of commandsOf(program)) {
    for (const option of withValue(command)) {
      const patterns = flagsOf(option).map((flag) => `${command.name()}:${flag}`);
      yield [patterns.join(" | "), kindOfValue(option)];
    }
  }
}

/** For each argument: `COMMAND:POSITION` as a pattern, and what it may be. */
function* argumentPatterns(program: Command): Generator<readonly [pattern: string, kind: Kind]> {
  const commands = commandsOf(program);
  for (const command of commands) {
    if (command.name() === "help") {
      yield ["help:0", `choice ${namesOf(commands)}`];
      continue;
    }
    for (const [index, argument] of command.registeredArguments.entries()) {
      yield [`${command.name()}:${argument.variadic ? "*" : String(index)}`, kindOfArgument(argument)];
    }
  }
}

/** Where special paths stand too: they have perms, are watched, and have events that did not come. */
const SPECIAL_LINE = `        @*:perms:* | @*:chmod:0 | @*:watch:* | @*:why-not:0) kind=choice choices='${SPECIAL_PATHS.join(" ")}' ;;`;

/**
 * What both shells share: `words` from `first` up to `last`, which is being typed, become `kind` (and `choices`, `options`
 * and `daemon`, the options that name its socket and the fork, unless the name is what is being typed). Of `--option=value` the
 * value is what is being typed.
 */
function scanLines(program: Command, { first, last }: { readonly first: string; readonly last: string }): string[] {
  const commands = commandsOf(program);
  const values = [...valuePatterns(program)];
  return [
    `  for ((i = ${first}; i < ${last}; i++)); do`,
    "    word=${words[i]}",
    "    case $command:$word in",
    "      *:--socket | *:--fork)",
    `        ((i + 1 == ${last})) || daemon+=("$word" "\${words[i+1]}")`,
    "        ((i++)) ;;",
    '      *:--socket=* | *:--fork=*) daemon+=("$word") ;;',
    ...values.slice(2).map(([patterns]) => `      ${patterns}) ((i++)) ;;`),
    "      *:-*) ;;",
    "      :*) command=$word ;;",
    "      *) ((position++)) ;;",
    "    esac",
    "  done",
    "  case $command in",
    ...commands.map((command) => `    ${command.name()}) options='${flagsText(ownOptionsOf(command))}' ;;`),
    "  esac",
    `  options="$options ${flagsText(optionsOf(program))}"`,
    "  case $current in --*=*) previous=${current%%=*} current=${current#*=} equals=1 ;; esac",
    "  case $command:$previous in",
    ...values.map(([patterns, kind]) => `    ${patterns}) ${kindText(kind)} ;;`),
    "    *)",
    "      case $current:$command:$position in",
    "        -*) kind=option ;;",
    SPECIAL_LINE,
    `        *::*) ${kindText(`choice ${namesOf(commands)}`)} ;;`,
    ...[...argumentPatterns(program)].map(([pattern, kind]) => `        *:${pattern}) ${kindText(kind)} ;;`),
    "      esac ;;",
    "  esac",
  ];
}

function flagsText(options: readonly Option[]): string {
  return options.map(({ long, short }) => long ?? short).join(" ");
}

function kindText(kind: Kind): string {
  return kind.startsWith("choice ") ? `kind=choice choices='${kind.slice("choice ".length)}'` : `kind=${kind}`;
}

/** The node above the one that is being typed, in `parent`; the root where that has no slash. */
const PARENT_LINES = ["      parent=${current%/*}", "      case $current in */*) ;; *) parent= ;; esac"] as const;

/** What prints the words of a kind; `program` is the place of the program's name among the words. */
function askingLine(program: string, kind: AskedKind): string {
  const { commands, filter } = ASKED[kind];
  const asks = commands.map((command) => `"\${words[${program}]}" "\${daemon[@]}" ${command};`);
  const first = kind === "revision" ? "echo HEAD; " : "";
  return `${first}{ ${asks.join(" ")} } 2>/dev/null | sed -n '${filter}'`;
}

function bashLines(program: Command): string[] {
  return [
    "# Completion of xs for bash: put this into ~/.bashrc:",
    "#   source <(xs completion bash)",
    "_xs() {",
    "  local current previous command= kind= choices= options= parent word line=$COMP_LINE prefix",
    "  local -i position=0 equals=0 i",
    "  local -a words=() daemon=()",
    "  # Bash splits at @ and : too, where no blank stands.",
    "  for ((i = 0; i <= COMP_CWORD; i++)); do",
    "    word=${COMP_WORDS[i]}",
    '    if ((i == 0)) || [[ $line == "" || $line == [[:space:]]* ]]; then words+=("$word")',
    "    else words[${#words[@]}-1]+=$word; fi",
    '    line=${line#"${line%%[![:space:]]*}"}',
    '    line=${line#"$word"}',
    "  done",
    "  current=${words[${#words[@]}-1]}",
    "  previous=${words[${#words[@]}-2]}",
    ...scanLines(program, { first: "1", last: "${#words[@]} - 1" }),
    "  COMPREPLY=()",
    "  case $kind in",
    '    choice) COMPREPLY=($(compgen -W "$choices" -- "$current")) ;;',
    '    option) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;',
    `    ${ASKED_KINDS.join(" | ")})`,
    "      while IFS= read -r word; do",
    '        [[ $word != "$current"* ]] || COMPREPLY+=("$word")',
    "      done < <(",
    "        case $kind in",
    ...ASKED_KINDS.map((kind) => `          ${kind}) ${askingLine("0", kind)} ;;`),
    "        esac",
    "      ) ;;",
    '    file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")) ;;',
    '    directory) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")) ;;',
    "    node)",
    ...PARENT_LINES,
    "      compopt -o nospace 2>/dev/null",
    "      # Not compgen, which would expand what a daemon says.",
    "      while IFS= read -r word; do",
    '        [[ $word != "$current"* ]] || COMPREPLY+=("$word")',
    '      done < <("${words[0]}" "${daemon[@]}" list -p "${parent:-/}" 2>/dev/null) ;;',
    "  esac",
    "  word=${COMP_WORDS[COMP_CWORD]}",
    "  # Bash splits at = too, unless it is told not to.",
    '  if ((equals)) && [[ $word == --*=* ]]; then COMPREPLY=("${COMPREPLY[@]/#/${word%%=*}=}")',
    '  else prefix=${current%"$word"}; COMPREPLY=("${COMPREPLY[@]#"$prefix"}"); fi',
    "}",
    "complete -F _xs xs",
  ];
}

function zshLines(program: Command): string[] {
  return [
    "#compdef xs",
    "# Completion of xs for zsh: put this into ~/.zshrc, behind compinit:",
    "#   source <(xs completion zsh)",
    "compdef _xs xs",
    "_xs() {",
    "  local current=${words[CURRENT]} previous=${words[CURRENT-1]} command= kind= choices= options= parent word",
    "  local -i position=0 equals=0 i",
    "  local -a daemon",
    ...scanLines(program, { first: "2", last: "CURRENT" }),
    "  ((equals)) && compset -P '*='",
    "  case $kind in",
    "    choice) compadd -- ${=choices} ;;",
    "    option) compadd -- ${=options} ;;",
    ...ASKED_KINDS.map((kind) => `    ${kind}) compadd -- \${(f)"$(${askingLine("1", kind)})"} ;;`),
    "    file) _files ;;",
    "    directory) _files -/ ;;",
    "    node)",
    ...PARENT_LINES,
    '      compadd -S \'\' -- ${(f)"$("${words[1]}" "${daemon[@]}" list -p "${parent:-/}" 2>/dev/null)"} ;;',
    "  esac",
    "}",
    "# Where this file is on the fpath, it is the function's body.",
    'if [ "$funcstack[1]" = "_xs" ]; then _xs "$@"; fi',
  ];
}

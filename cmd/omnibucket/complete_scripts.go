package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// bashFallback defines what the generated script needs of the package bash-completion, if that
// is not installed: words that are not split at colons.
const bashFallback = `if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref()
    {
        local line="${COMP_LINE:0:COMP_POINT}"
        IFS=$' \t' read -ra words <<<"$line"
        [[ $line == *[[:space:]] ]] && words+=("")
        cword=$((${#words[@]} - 1))
        cur="${words[cword]}"
        prev="${words[cword-1]}"
    }
    __ltrim_colon_completions()
    {
        local i folder="${1%"${1##*:}"}"
        for i in "${!COMPREPLY[@]}"; do
            COMPREPLY[i]="${COMPREPLY[i]#"$folder"}"
        done
    }
fi

`

// scriptMends has, for each shell, texts of the generated script and what they become.
var scriptMends = map[string][][2]string{
	"bash": {{ // readline inserts what several completions have in common as it is
		"        if (( ${#COMPREPLY[@]} == 1 )); then\n            COMPREPLY[0]=$(printf \"%q\" \"${COMPREPLY[0]}\")\n        fi\n",
		"        if (( ${#COMPREPLY[@]} == 1 )); then\n            COMPREPLY[0]=$(printf \"%q\" \"${COMPREPLY[0]}\")\n" +
			"        else\n            COMPREPLY=(\"${COMPREPLY[@]// /\\\\ }\")\n        fi\n",
	}},
	"zsh": {{`=~ '-.*='`, `=~ '^--?[a-z-]+='`}}, // what stands before the "=" is evaluated
	"fish": {
		{
			"set -l args (commandline -opc)",
			"set -l args (commandline -opc)\n    set -l command $args[1]\n    set args (string escape -- $args) # they are evaluated\n    set args[1] $command",
		},
		{`string match -r -- '-.*='`, `string match -r -- '^--?[a-z-]+='`},
	},
}

// prepareScripts makes "completion" print scripts that evaluate no name of a store and, in bash,
// need no package.
func prepareScripts(p *program.Program, root *cobra.Command) {
	var script bytes.Buffer
	root.SetOut(&script) // the command reads it now
	root.InitDefaultCompletionCmd()
	root.SetOut(p.Out)
	parent, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	parent.RunE = func(c *cobra.Command, _ []string) error { return c.Help() } // so that it refuses an unknown shell
	for _, c := range parent.Commands() {
		generate := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			if err := generate(c, args); err != nil {
				return err
			}
			return printScript(p, c.Name(), script.String())
		}
	}
}

// printScript prints the generated script of a shell with its mends.
func printScript(p *program.Program, shell, script string) error {
	if shell == "bash" {
		script = bashFallback + script
	}
	for _, mend := range scriptMends[shell] {
		if strings.Count(script, mend[0]) != 1 {
			return fmt.Errorf("script for %s must have this text once: %s", shell, mend[0])
		}
		script = strings.Replace(script, mend[0], mend[1], 1)
	}
	_, err := io.WriteString(p.Out, script)
	return err
}

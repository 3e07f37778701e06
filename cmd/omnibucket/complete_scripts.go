package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// bashFallback defines functions of the package bash-completion. The script that cobra generates
// calls them. The definitions take effect only if the package is not installed. They do not split
// words at colons.
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

// A scriptMend is a text of cobra's completion script, and what replaces it.
type scriptMend struct {
	old         string
	replacement string
}

// scriptMends lists the mends of each shell's script.
var scriptMends = map[string][]scriptMend{
	"bash": {{
		// If there are several completions, the script must also escape spaces, because readline does
		// not.
		old: "        if (( ${#COMPREPLY[@]} == 1 )); then\n" +
			"            COMPREPLY[0]=$(printf \"%q\" \"${COMPREPLY[0]}\")\n" +
			"        fi\n",
		replacement: "        if (( ${#COMPREPLY[@]} == 1 )); then\n" +
			"            COMPREPLY[0]=$(printf \"%q\" \"${COMPREPLY[0]}\")\n" +
			"        else\n" +
			"            COMPREPLY=(\"${COMPREPLY[@]// /\\\\ }\")\n" +
			"        fi\n",
	}},
	"zsh": {{
		// The script evaluates the text before "=", so the text must be a flag.
		old:         `=~ '-.*='`,
		replacement: `=~ '^--?[a-z-]+='`,
	}},
	"fish": {
		{
			old: "set -l args (commandline -opc)",
			replacement: "set -l args (commandline -opc)\n" +
				"    set -l command $args[1]\n" +
				"    set args (string escape -- $args) # they are evaluated\n" +
				"    set args[1] $command",
		},
		{
			old:         `string match -r -- '-.*='`,
			replacement: `string match -r -- '^--?[a-z-]+='`,
		},
	},
}

// prepareScripts makes the command "completion" print scripts that never evaluate names from a store,
// and one for bash that does not need the package bash-completion. Cobra generates the scripts, and
// printScript mends them.
func prepareScripts(p *program.Program, root *cobra.Command) {
	// Cobra creates a command for each shell. They keep the output that root has at this moment, and so
	// write their scripts to the buffer.
	var script bytes.Buffer
	root.SetOut(&script)
	root.InitDefaultCompletionCmd()
	root.SetOut(p.Out)

	parent, _, err := root.Find([]string{"completion"})
	if err != nil {
		// Cobra has not added the command, so there are no scripts to mend.
		return
	}
	// With RunE set, cobra rejects the name of an unknown shell.
	parent.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	// After a command has written its script to the buffer, print what the buffer has.
	for _, c := range parent.Commands() {
		writeScript := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			if err := writeScript(c, args); err != nil {
				return err
			}
			return printScript(p, c.Name(), script.String())
		}
	}
}

// printScript prints the completion script that cobra has generated for a shell, with the replacements
// that make it safe.
func printScript(p *program.Program, shell, script string) error {
	if shell == "bash" {
		script = bashFallback + script
	}
	for _, mend := range scriptMends[shell] {
		if strings.Count(script, mend.old) != 1 {
			return fmt.Errorf("script for %s must have this text once: %s", shell, mend.old)
		}
		script = strings.Replace(script, mend.old, mend.replacement, 1)
	}

	_, err := io.WriteString(p.Out, script)
	return err
}

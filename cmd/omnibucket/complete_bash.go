package main

import (
	"io"

	"github.com/spf13/cobra"
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

// completeInPlainBash makes "completion bash" print the fallback, too.
func (p *program) completeInPlainBash(root *cobra.Command) {
	root.SetOut(p.out) // it is read now
	root.InitDefaultCompletionCmd()
	c, _, err := root.Find([]string{"completion", "bash"})
	if err != nil {
		return
	}
	c.Parent().RunE = func(c *cobra.Command, _ []string) error { return c.Help() } // so that it refuses an unknown shell
	generate := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := io.WriteString(p.out, bashFallback); err != nil {
			return err
		}
		return generate(c, args)
	}
}

//go:build man

package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// init adds the hidden command man, which writes the manual pages, to a program with the build tag
// man. Cobra dates the pages with SOURCE_DATE_EPOCH, or else with today.
func init() {
	addBuildCommands = func(root *cobra.Command) {
		root.AddCommand(&cobra.Command{
			Use:    "man DIRECTORY",
			Hidden: true,
			Args:   cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				if err := os.MkdirAll(args[0], 0o777); err != nil {
					return err
				}
				root.DisableAutoGenTag = true
				asMarkdown(root)
				header := &doc.GenManHeader{Section: "1", Source: "omnibucket", Manual: "omnibucket"}
				return doc.GenManTree(root, header, args[0])
			},
		})
	}
}

// asMarkdown converts the help of a command and its subcommands to Markdown, because the generator
// of manual pages reads Markdown.
func asMarkdown(c *cobra.Command) {
	c.Short = markdownOf(c.Short)
	c.Long = markdownOf(c.Long)
	for _, flags := range []*pflag.FlagSet{c.LocalNonPersistentFlags(), c.PersistentFlags()} {
		flags.VisitAll(func(flag *pflag.Flag) {
			flag.Usage = markdownOf(flag.Usage)
		})
	}
	for _, subcommand := range c.Commands() {
		asMarkdown(subcommand)
	}
}

var markdownCharacters = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "<", `\<`, "#", `\#`)

// markdownOf converts plain text to Markdown that is shown as the text is. Indented lines become code
// blocks.
func markdownOf(text string) string {
	const fence = "```"
	var lines []string
	inFence := false
	for line := range strings.SplitSeq(text, "\n") {
		indented := strings.HasPrefix(line, "  ")
		if indented != inFence {
			lines = append(lines, fence)
			inFence = indented
		}
		if !indented {
			line = markdownCharacters.Replace(line)
		}
		lines = append(lines, line)
	}
	if inFence {
		lines = append(lines, fence)
	}
	return strings.Join(lines, "\n")
}

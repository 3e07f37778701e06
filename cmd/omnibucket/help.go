package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// helpCommand returns the command help. Unlike that of cobra, it fails if the named command is unknown.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about a command",
		Long:  "Prints what a command does, its flags and examples.",
		Example: `  omnibucket help cp
  omnibucket help config add`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(_ *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			return completeCommands(root, args, text), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			command, _, err := root.Find(args)
			if err != nil {
				return argument.Invalid("argument must be a command", `"omnibucket help" lists the commands`)
			}
			command.InitDefaultHelpFlag()
			return command.Help()
		},
	}
}

// completeCommands returns the subcommands of the command that args name whose names begin with text, each with a tab
// and a description.
func completeCommands(root *cobra.Command, args []string, text string) (names []string) {
	parent, _, err := root.Find(args)
	if err != nil {
		return nil
	}

	for _, c := range parent.Commands() {
		if c.IsAvailableCommand() && strings.HasPrefix(c.Name(), text) {
			names = append(names, c.Name()+"\t"+c.Short)
		}
	}
	return names
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
)

// dryRunByLetter are the commands whose -n is --dry-run, as in rsync and rclone. The -n of cp and mv
// means no clobber elsewhere, and the -n of head is a number.
var dryRunByLetter = []string{"bucket", "expire", "finish", "rb", "repair", "restore", "rewrap", "rm", "sync", "tag",
	"undelete"}

// addLetters adds letters to a command that people know from other programs. Help does not show them.
func addLetters(c *cobra.Command) {
	flags := c.Flags()
	if recursive := flags.Lookup("recursive"); recursive != nil {
		addLetter(flags, "R", recursive.Value)
	}
	if slices.Contains(dryRunByLetter, c.Name()) {
		addLetter(flags, "n", c.Root().PersistentFlags().Lookup("dry-run").Value)
	}
}

func addLetter(flags *pflag.FlagSet, letter string, value pflag.Value) {
	alias := flags.VarPF(value, letter, letter, "")
	alias.NoOptDefVal, alias.Hidden = "true", true
}

// otherLetters has hints about what to do in place of a letter of another program, by the command and
// the letter.
var otherLetters = map[string]string{
	"cp -n": "use --ignore-existing to keep what is there, or --dry-run to change nothing",
	"mv -n": "use --ignore-existing to keep what is there, or --dry-run to change nothing",
	"cp -a": "use -r",
}

// checkLeading refuses an unknown flag before the name of a command, because cobra would take the name
// for the value of the flag.
func checkLeading(root *cobra.Command, args []string) error {
	for i := 0; i < len(args) && strings.HasPrefix(args[i], "-"); i++ {
		flag, known := rootFlag(root, args[i])
		switch {
		case !known && commandOf(args[i:]) == "": // cobra's own error says enough
			return nil
		case !known:
			return &storage.Error{
				Code: storage.InvalidArgument, Err: fmt.Errorf("unknown flag %s before a command", args[i]),
				Hint: leadingHint(args[i]),
			}
		case flag != nil && flag.NoOptDefVal == "" && !strings.Contains(args[i], "="):
			i++
		}
	}
	return nil
}

// rootFlag returns the flag that an argument sets, and whether the root command has it. The flag is
// nil for -h and for several letters.
func rootFlag(root *cobra.Command, arg string) (flag *pflag.Flag, known bool) {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if strings.HasPrefix(arg, "--") {
		if flag = root.PersistentFlags().Lookup(name); flag == nil {
			flag = root.Flags().Lookup(name)
		}
		return flag, flag != nil || name == "help" || name == ""
	}
	for _, letter := range name {
		if letter != 'h' && root.PersistentFlags().ShorthandLookup(string(letter)) == nil {
			return nil, false
		}
	}
	return nil, true
}

func leadingHint(arg string) string {
	if arg == "-m" { // of gsutil
		return "leave -m out: requests are made in parallel, and --concurrency sets how many"
	}
	return "write the flags of a command after its name"
}

// explainLetter adds a hint to the error of an unknown letter that another program has.
func explainLetter(c *cobra.Command, unknown *pflag.NotExistError) error {
	hint := otherLetters[c.Name()+" -"+unknown.GetSpecifiedName()]
	if hint == "" {
		return unknown
	}
	return &storage.Error{Code: storage.InvalidArgument, Err: unknown, Hint: hint}
}

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
)

// dryRunByLetter lists the commands for which -n means --dry-run, as in rsync and rclone. It leaves
// out cp and mv, whose -n means "no clobber" in other programs, and head, whose -n is a number of
// lines.
var dryRunByLetter = []string{"bucket", "expire", "finish", "rb", "repair", "restore", "rewrap", "rm", "sync", "tag",
	"undelete"}

// addShortFlags adds -R for --recursive and -n for --dry-run, which users know from other programs.
// The help does not show them.
func addShortFlags(c *cobra.Command) {
	flags := c.Flags()
	if recursive := flags.Lookup("recursive"); recursive != nil {
		addShortFlag(flags, "R", recursive.Value)
	}
	if slices.Contains(dryRunByLetter, c.Name()) {
		addShortFlag(flags, "n", c.Root().PersistentFlags().Lookup("dry-run").Value)
	}
}

// addShortFlag adds a hidden one-letter flag that sets the Boolean value of another flag.
func addShortFlag(flags *pflag.FlagSet, letter string, value pflag.Value) {
	alias := flags.VarPF(value, letter, letter, "")
	alias.NoOptDefVal = "true"
	alias.Hidden = true
}

// otherShortFlags maps a one-letter flag of another program to a hint. A key names one command and
// the flag, or only the flag, for all other commands.
var otherShortFlags = map[string]string{
	"cp -n":   "use --ignore-existing to keep what is there, or --dry-run to change nothing",
	"mv -n":   "use --ignore-existing to keep what is there, or --dry-run to change nothing",
	"cp -a":   "use -r",
	"sync -c": "use --checksum",
	"diff -c": "use --checksum",
	"mb -p":   "leave it out: omnibucket mb fails if the bucket exists, and changes nothing",
	"-P":      "leave it out: a terminal shows the progress",
	"-u":      "leave it out: sync and cp -r copy what differs; --ignore-existing keeps what is there",
}

// checkLeadingFlags refuses an unknown flag before the command, because cobra would take the name of
// the command for the value of that flag.
func checkLeadingFlags(root *cobra.Command, args []string) error {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		arg := args[0]
		flag, known := rootFlag(root, arg)
		if !known {
			if commandOf(args) == "" {
				// Without a command, cobra's error is clear enough.
				return nil
			}
			return &storage.Error{
				Code: storage.InvalidArgument,
				Err:  fmt.Errorf("unknown flag %s before a command", arg),
				Hint: leadingFlagHint(root, arg),
			}
		}

		args = args[1:]
		takesValue := flag != nil && flag.NoOptDefVal == ""
		hasValue := strings.Contains(arg, "=")
		if takesValue && !hasValue && len(args) > 0 {
			// The next argument is the value of the flag.
			args = args[1:]
		}
	}
	return nil
}

// rootFlag returns the flag of root that arg sets, such as --json. known is false if root has no such
// flag. For --help and one-letter flags, none of which takes a value, flag is nil although known is true.
func rootFlag(root *cobra.Command, arg string) (flag *pflag.Flag, known bool) {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if strings.HasPrefix(arg, "--") {
		flag = root.PersistentFlags().Lookup(name)
		if flag == nil {
			flag = root.Flags().Lookup(name)
		}
		// Cobra adds --help itself, and "--" only ends the flags.
		isOfCobra := name == "help" || name == ""
		return flag, flag != nil || isOfCobra
	}

	// One argument may have several flags of one letter, such as -nv. Cobra adds -h itself.
	for _, letter := range name {
		if letter != 'h' && root.PersistentFlags().ShorthandLookup(string(letter)) == nil {
			return nil, false
		}
	}
	return nil, true
}

// leadingFlagHint returns a hint for the unknown flag arg before a command. The flag may be that of
// another program, such as -m of gsutil.
func leadingFlagHint(root *cobra.Command, arg string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	flag := strings.TrimPrefix(otherFlags[name], "--")
	if flag != "" && root.PersistentFlags().Lookup(flag) != nil {
		return "use --" + flag
	}
	if arg == "-m" {
		return "leave -m out: requests are made in parallel, and --concurrency sets how many"
	}
	return "write the flags of a command after its name"
}

// explainShortFlag adds a hint to the error of an unknown one-letter flag if another program has it.
func explainShortFlag(c *cobra.Command, unknown *pflag.NotExistError) error {
	hint := otherShortFlags[c.Name()+" -"+unknown.GetSpecifiedName()]
	if hint == "" {
		// The flag has no hint of this command, but perhaps one of all commands.
		hint = otherShortFlags["-"+unknown.GetSpecifiedName()]
	}
	if hint == "" {
		return unknown
	}
	return &storage.Error{Code: storage.InvalidArgument, Err: unknown, Hint: hint}
}

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
)

func (p *program) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config COMMAND",
		Short: "Keep names of locations and settings in a file",
		Long: `Keeps names of locations, and settings, in a configuration file: that of --config, of
OMNIBUCKET_CONFIG, or omnibucket/config.yaml in $XDG_CONFIG_HOME or the system's directory
of configurations. "omnibucket ls photos:" then lists the location photos.

A setting is the value of a global flag. A flag on the command line comes first, then the
environment (OMNIBUCKET_FLAG_BWLIMIT is --bwlimit, OMNIBUCKET_PHOTOS the location photos),
and then the file. The file never has credentials: they stay in each provider's own
environment variables and files.`,
		Example: `  omnibucket config add photos 's3://photos?region=eu-west-1'
  omnibucket config set bwlimit '08:00,512K 19:00,off'
  omnibucket config list`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var replace bool
	add := &cobra.Command{
		Use:     "add [flags] NAME ADDRESS",
		Short:   "Add a named location",
		Long:    `Adds a name for an address, or for a directory of this machine.`,
		Example: "  omnibucket config add photos 's3://photos?region=eu-west-1'\n  omnibucket config add disk ./files",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return p.configAdd(c.Context(), args[0], args[1], replace)
		},
	}
	add.Flags().BoolVar(&replace, "replace", false, "replace the address of a name that exists")
	c.AddCommand(
		add,
		&cobra.Command{
			Use: "list", Short: "List the named locations", Long: "Lists names and addresses: those of the environment, too, if a name of the file has one.",
			Example: "  omnibucket config list\n  omnibucket config list --json", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return p.configList() },
		},
		&cobra.Command{
			Use: "remove NAME...", Short: "Remove named locations", Long: "Removes names from the file. Their buckets and directories stay.",
			Example: "  omnibucket config remove photos\n  omnibucket config remove photos disk", Args: cobra.MinimumNArgs(1),
			ValidArgsFunction: p.completeConfigNames,
			RunE:              func(c *cobra.Command, args []string) error { return p.configRemove(c.Context(), "locations", args) },
		},
		&cobra.Command{
			Use: "set FLAG VALUE", Short: "Set the value of a global flag for every command", Long: "Sets the value of a global flag for every command that does not have it.",
			Example: "  omnibucket config set concurrency 64\n  omnibucket config set bwlimit 10M", Args: cobra.ExactArgs(2),
			ValidArgsFunction: p.completeSettings,
			RunE:              func(c *cobra.Command, args []string) error { return p.configSet(c.Context(), args[0], args[1]) },
		},
		&cobra.Command{
			Use: "unset FLAG...", Short: "Remove settings", Long: "Removes settings from the file.",
			Example: "  omnibucket config unset bwlimit\n  omnibucket config unset bwlimit concurrency", Args: cobra.MinimumNArgs(1),
			ValidArgsFunction: p.completeSettings,
			RunE:              func(c *cobra.Command, args []string) error { return p.configRemove(c.Context(), "settings", args) },
		},
		&cobra.Command{
			Use: "show", Short: "Show the file and the settings in effect", Long: "Shows the path of the file, and each setting in effect.",
			Example: "  omnibucket config show\n  omnibucket config show --json", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return p.configShow() },
		},
	)
	return c
}

func (p *program) configAdd(ctx context.Context, name, address string, replace bool) error {
	if !addressForm.MatchString(address) {
		l, err := p.locate(address)
		if err == nil && l.kind != localPath {
			err = invalid("address must be an address or a path", addressHint)
		}
		if err == nil {
			l, err = l.asBucket()
		}
		if err != nil {
			return err
		}
		address = l.addressWithKey()
	}
	if err := checkLocation(name, address); err != nil {
		return err
	}
	return p.changeConfig(ctx, func(f *configFileText) error {
		for was, other := range f.config.Locations {
			if variableOf(was) == variableOf(name) && (other != address || was != name) && !replace {
				return invalid("name "+was+" must not exist already", "to replace its address, use --replace")
			}
		}
		f.set("locations", name, address)
		return nil
	})
}

func (p *program) configSet(ctx context.Context, name, value string) error {
	flag, err := p.setting(name)
	if err != nil {
		return err
	}
	was := flag.Value.String()
	if err := flag.Value.Set(value); err != nil {
		return invalid("value must be valid for --"+name, "")
	}
	given := flag.Changed
	flag.Changed = true
	err = p.checkGlobals(p.command)
	_, flag.Changed = flag.Value.Set(was), given
	if err != nil {
		return err
	}
	return p.changeConfig(ctx, func(f *configFileText) error {
		f.set("settings", name, value)
		return nil
	})
}

// setting returns a flag that the file may set.
func (p *program) setting(name string) (*pflag.Flag, error) {
	flag := p.command.Root().PersistentFlags().Lookup(name)
	if flag == nil || !isSetting(name) {
		return nil, invalid(printable(name)+" must be a global flag without its dashes", "\"omnibucket config show\" lists the settings")
	}
	return flag, nil
}

func (p *program) configRemove(ctx context.Context, section string, names []string) error {
	return p.changeConfig(ctx, func(f *configFileText) error {
		for _, name := range names {
			if !f.remove(section, name) {
				return &storage.Error{Code: storage.ObjectNotFound, Err: fmt.Errorf("the configuration has no %s", printable(name)), Hint: "\"omnibucket config show\" shows the file"}
			}
		}
		return nil
	})
}

// changeConfig changes the file, or with --dry-run only checks the change. Missing directories are
// created, for the user only.
func (p *program) changeConfig(ctx context.Context, change func(*configFileText) error) error {
	path := p.configFile()
	if path == "" {
		return invalid("the system must have a directory of configurations, such as that of HOME", "use --config to name a file")
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link to a file under version control stays
	}
	if !p.global.dryRun {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		unlock, err := lockBeside(ctx, path)
		if err != nil {
			return err
		}
		defer unlock()
	}
	f, err := readConfigFile(path)
	if err == nil {
		err = change(f)
	}
	if err != nil || p.global.dryRun {
		return err
	}
	return f.write()
}

// A configLine is a named location in JSON.
type configLine struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

func (p *program) configList() error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(p.config.Locations)) {
		address, _ := p.lookupLocation(variableOf(name))
		if p.global.json {
			if err := p.json(configLine{name, address}); err != nil {
				return err
			}
			continue
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\n", name, p.printable(address))
	}
	return w.Flush()
}

// A settingsLine is the configuration in effect in JSON.
type settingsLine struct {
	File      string            `json:"file"`
	Settings  map[string]string `json:"settings"`
	Locations map[string]string `json:"locations"`
}

func (p *program) configShow() error {
	line := settingsLine{File: p.configFile(), Settings: map[string]string{}, Locations: p.config.Locations}
	rows := [][2]string{{"file", line.File}}
	settings(p.command.Root(), func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "json" {
			line.Settings[flag.Name] = flag.Value.String()
		}
		value := flag.Value.String()
		if value == "" {
			value = "-"
		}
		rows = append(rows, [2]string{flag.Name, value})
	})
	if p.global.json {
		return p.json(line)
	}
	return p.table(rows)
}

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/config"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/locations"
)

// configCommand returns the command config, whose subcommands change and show the configuration file.
func configCommand(p *program.Program) *cobra.Command {
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
		Use:     "add [flags] NAME LOCATION",
		Short:   "Add a named location",
		Long:    `Adds a name for a location: an address, or a directory of this machine.`,
		Example: "  omnibucket config add photos 's3://photos?region=eu-west-1'\n  omnibucket config add disk ./files",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return configAdd(c.Context(), p, args[0], args[1], replace)
		},
	}
	add.Flags().BoolVar(&replace, "replace", false, "replace the address of a name that exists")
	c.AddCommand(
		add,
		&cobra.Command{
			Use:     "list",
			Short:   "List the named locations",
			Long:    "Lists names and addresses: those of the environment, too, if a name of the file has one.",
			Example: "  omnibucket config list\n  omnibucket config list --json",
			Args:    cobra.NoArgs,
			RunE:    func(*cobra.Command, []string) error { return configList(p) },
		},
		&cobra.Command{
			Use:               "remove NAME...",
			Short:             "Remove named locations",
			Long:              "Removes names from the file. Their buckets and directories stay.",
			Example:           "  omnibucket config remove photos\n  omnibucket config remove photos disk",
			Args:              cobra.MinimumNArgs(1),
			ValidArgsFunction: completion(p, completeConfigNames),
			RunE:              func(c *cobra.Command, args []string) error { return configRemove(c.Context(), p, "locations", args) },
		},
		&cobra.Command{
			Use:               "set FLAG VALUE",
			Short:             "Set the value of a global flag for every command",
			Long:              "Sets the value of a global flag for every command that does not have it.",
			Example:           "  omnibucket config set concurrency 64\n  omnibucket config set bwlimit 10M",
			Args:              cobra.ExactArgs(2),
			ValidArgsFunction: completion(p, completeSettings),
			RunE:              func(c *cobra.Command, args []string) error { return configSet(c.Context(), p, args[0], args[1]) },
		},
		&cobra.Command{
			Use:               "unset FLAG...",
			Short:             "Remove settings",
			Long:              "Removes settings from the file.",
			Example:           "  omnibucket config unset bwlimit\n  omnibucket config unset bwlimit concurrency",
			Args:              cobra.MinimumNArgs(1),
			ValidArgsFunction: completion(p, completeSettings),
			RunE:              func(c *cobra.Command, args []string) error { return configRemove(c.Context(), p, "settings", args) },
		},
		&cobra.Command{
			Use:     "check",
			Short:   "Check the whole file",
			Long:    "Checks names, addresses and layers of all locations, and their second stores. It opens nothing.",
			Example: "  omnibucket config check\n  omnibucket config check --config ./config.yaml",
			Args:    cobra.NoArgs,
			RunE:    func(*cobra.Command, []string) error { return p.Stores.Config.Check() },
		},
		&cobra.Command{
			Use:     "show",
			Short:   "Show the file and the settings in effect",
			Long:    "Shows the path of the file, and each setting in effect.",
			Example: "  omnibucket config show\n  omnibucket config show --json",
			Args:    cobra.NoArgs,
			RunE:    func(*cobra.Command, []string) error { return configShow(p) },
		},
	)
	return c
}

// configAdd stores an address, or the path of a directory, under a name. If the name has another address
// already, it fails unless replace is true.
func configAdd(ctx context.Context, p *program.Program, name, address string, replace bool) error {
	if !locations.IsAddress(address) {
		directoryAddress, err := addressOfPath(p, address)
		if err != nil {
			return err
		}
		address = directoryAddress
	}

	// Refuse what the configuration could not have.
	added := locations.Config{Locations: map[string]locations.Location{name: {Address: address}}, Lookup: noVariables}
	if err := added.Check(); err != nil {
		return err
	}
	if err := checkOpens(address); err != nil {
		return err
	}

	return changeConfig(ctx, p, func(f *config.File) error {
		if !replace {
			if err := checkNewName(f, name, address); err != nil {
				return err
			}
		}
		f.Set("locations", name, address)
		return nil
	})
}

// checkNewName fails if the file has the name already, unless with the same address. Names that share an environment
// variable count as one name.
func checkNewName(f *config.File, name, address string) error {
	for other, l := range f.Config.Locations {
		if locations.Variable(other) != locations.Variable(name) {
			continue
		}
		isUnchanged := other == name && l.Address == address
		if !isUnchanged {
			return argument.Invalid("name "+other+" must not exist already", "to replace its address, use --replace")
		}
	}
	return nil
}

// addressOfPath returns the address of a local directory.
func addressOfPath(p *program.Program, path string) (string, error) {
	l, err := p.Stores.Locate(path)
	if err != nil {
		return "", err
	}
	if l.Kind != location.LocalPath {
		return "", argument.Invalid("location must be an address or a path", location.AddressHint)
	}

	directory, err := l.AsBucket()
	if err != nil {
		return "", err
	}
	return directory.AddressWithKey(), nil
}

// noVariables is an environment without variables.
func noVariables(string) (string, bool) { return "", false }

// checkOpens refuses an address with an unknown scheme or parameter, which no command could open.
func checkOpens(address string) error {
	l, err := location.ParseAddress(address)
	if err != nil {
		return err
	}
	if l.Prefix != "" {
		l = l.WithDefault("prefix", l.Prefix)
	}
	return storage.CheckAddress(l.Address())
}

// configSet stores the value of a global flag in the configuration file, and fails if the flag does not
// accept it.
func configSet(ctx context.Context, p *program.Program, name, value string) error {
	flag, err := setting(p, name)
	if err != nil {
		return err
	}
	if err := checkValue(p, flag, value); err != nil {
		return err
	}

	return changeConfig(ctx, p, func(f *config.File) error {
		f.Set("settings", name, value)
		return nil
	})
}

// checkValue fails if a global flag does not accept a value, alone or together with the values of other flags. The flag
// has the value only during the check.
func checkValue(p *program.Program, flag *pflag.Flag, value string) error {
	oldValue := flag.Value.String()
	wasChanged := flag.Changed
	if err := flag.Value.Set(value); err != nil {
		return argument.Invalid("value must be valid for --"+flag.Name, "")
	}

	// The other flags are checked together with the new value.
	flag.Changed = true
	err := p.CheckGlobals(p.Command)

	// The flag has had the old value before, so Set does not fail.
	_ = flag.Value.Set(oldValue)
	flag.Changed = wasChanged
	return err
}

// setting returns the global flag with this name, and fails if the configuration file may not set it.
func setting(p *program.Program, name string) (*pflag.Flag, error) {
	flag := p.Command.Root().PersistentFlags().Lookup(name)
	if flag == nil || !program.IsSetting(name) {
		return nil, argument.Invalid(
			console.Printable(name)+" must be a global flag without its dashes",
			"\"omnibucket config show\" lists the settings",
		)
	}
	return flag, nil
}

// configRemove removes names from a section of the configuration file. If some of them are not there, it
// removes the others and fails with ObjectNotFound.
func configRemove(ctx context.Context, p *program.Program, section string, names []string) error {
	var missing []string
	err := changeConfig(ctx, p, func(f *config.File) error {
		for _, name := range names {
			if !f.Remove(section, name) {
				missing = append(missing, console.Printable(name))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	return &storage.Error{
		Code: storage.ObjectNotFound,
		Err:  fmt.Errorf("the configuration has no %s", strings.Join(missing, " and no ")),
		Hint: "\"omnibucket config show\" shows the file",
	}
}

// changeConfig changes the configuration file or, with --dry-run, only checks the change. A missing directory is
// created with permissions for the user only.
func changeConfig(ctx context.Context, p *program.Program, change func(*config.File) error) error {
	path := p.ConfigFile()
	if path == "" {
		return argument.Invalid("the system must have a directory of configurations, such as that of HOME",
			"use --config to name a file")
	}

	// The target of a link is replaced, so that the link stays.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}

	if !p.Global.DryRun {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		unlock, err := config.LockBeside(ctx, path)
		if err != nil {
			return err
		}
		defer unlock()
	}

	f, err := config.ReadFile(path)
	if err != nil {
		return err
	}
	if err := change(f); err != nil {
		return err
	}
	if p.Global.DryRun {
		return nil
	}
	return f.Write()
}

// A configLine is a named location in JSON.
type configLine struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// Layers are the names of its layers, from the store outwards.
	Layers []string `json:"layers,omitempty"`
}

// configList prints the locations of the configuration with their addresses and layers.
func configList(p *program.Program) error {
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(p.Stores.Config.Locations)) {
		address := p.Stores.AddressOf(name)
		// The output has only the names of the layers, and not their settings.
		var layers []string
		for _, layer := range p.Stores.Config.Locations[name].Layers {
			layers = append(layers, layer.Name)
		}
		if p.Global.JSON {
			if err := p.Out.JSON(configLine{Name: name, Address: address, Layers: layers}); err != nil {
				return err
			}
			continue
		}

		row := name + "\t" + p.Out.Printable(address)
		if len(layers) > 0 {
			row += "\t" + strings.Join(layers, ", ")
		}
		// The output keeps a write error, which Flush also returns.
		_, _ = fmt.Fprintln(w, row)
	}
	return w.Flush()
}

// A settingsLine is the configuration in effect in JSON.
type settingsLine struct {
	File      string            `json:"file"`
	Settings  map[string]string `json:"settings"`
	Locations map[string]string `json:"locations"`
}

// configShow prints the path of the configuration file and the settings in effect.
func configShow(p *program.Program) error {
	line := settingsLine{
		File:      p.ConfigFile(),
		Settings:  map[string]string{},
		Locations: map[string]string{},
	}
	for _, name := range p.Stores.Config.Names() {
		line.Locations[name] = p.Stores.Config.Locations[name].Address
	}

	// The table has all settings, and the JSON only those that were set.
	rows := [][2]string{{"file", line.File}}
	program.Settings(p.Command.Root(), func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "json" {
			line.Settings[flag.Name] = flag.Value.String()
		}
		rows = append(rows, [2]string{flag.Name, settingText(flag)})
	})

	if p.Global.JSON {
		return p.Out.JSON(line)
	}
	return p.Out.Table(rows)
}

// settingText returns the value of a setting as configShow prints it, or "-" if it has none.
func settingText(flag *pflag.Flag) string {
	value := flag.Value.String()
	if value == "" {
		return "-"
	}

	// In a flag that nobody has set, 0 means the library's default.
	isZero := value == "0" || value == "0s"
	if isZero && !flag.Changed {
		return "-"
	}
	return value
}

package program

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/config"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// ConfigFile returns the path of the configuration file: of --config, of the environment, or
// the default place of the system. It is "" if the system has none, as without HOME: a file in
// the current directory may be another user's.
func (p *Program) ConfigFile() string {
	if p.Global.config != "" {
		return p.Global.config
	}
	if path, set := p.Around.Lookup(config.PathVariable); set && path != "" {
		return path
	}
	dir := p.configDir()
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "omnibucket", "config.yaml")
}

// configDir returns the directory of configuration files: $XDG_CONFIG_HOME on every system,
// otherwise that of the system.
func (p *Program) configDir() string {
	if dir, set := p.Around.Lookup("XDG_CONFIG_HOME"); set && filepath.IsAbs(dir) {
		return dir
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return dir
}

// LoadConfig reads the configuration file. It may be missing, unless the user named it.
func (p *Program) LoadConfig() error {
	p.Stores.Config = config.Content{}
	path := p.ConfigFile()
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !p.namesConfig():
		return nil
	case errors.Is(err, fs.ErrNotExist) && p.Command != nil && p.Command.Parent() != nil && p.Command.Parent().Name() == "config":
		return nil // "config add" creates it
	case err != nil:
		return &storage.Error{
			Code: storage.InvalidArgument, Err: fmt.Errorf("configuration file must be readable: %w", err),
			Hint: "check --config and " + config.PathVariable,
		}
	}
	p.Stores.Config, err = config.Parse(path, text)
	if err != nil {
		return err
	}
	return p.checkConfig(path)
}

// namesConfig reports whether the user named the configuration file.
func (p *Program) namesConfig() bool {
	path, set := p.Around.Lookup(config.PathVariable)
	return p.Global.config != "" || set && path != ""
}

// checkConfig refuses names and addresses that no command could use.
func (p *Program) checkConfig(path string) error {
	names := map[string]string{} // by variable
	for _, name := range slices.Sorted(maps.Keys(p.Stores.Config.Locations)) {
		if err := config.CheckLocation(name, p.Stores.Config.Locations[name]); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if other, taken := names[location.VariableOf(name)]; taken {
			return argument.Invalid(
				path+" must not have both "+other+" and "+name+", which are one name",
				"remove one of them, or give it another name",
			)
		}
		names[location.VariableOf(name)] = name
	}
	known := map[string]bool{}
	Settings(p.Command.Root(), func(flag *pflag.Flag) { known[flag.Name] = true })
	for name := range p.Stores.Config.Settings {
		if !known[name] {
			return argument.Invalid(
				path+" must have only settings that are global flags, but has "+console.Printable(name),
				"\"omnibucket config show\" lists the settings",
			)
		}
	}
	return nil
}

// LookupLocation returns the address for a name's variable: that of the environment or,
// without one, of the configuration file.
func (s *Stores) LookupLocation(variable string) (address string, set bool) {
	if variable == config.PathVariable || strings.HasPrefix(variable, config.FlagPrefix) {
		return "", false
	}
	if address, set = s.Lookup(variable); set {
		return address, true
	}
	for name, address := range s.Config.Locations {
		if location.VariableOf(name) == variable {
			return address, true
		}
	}
	return "", false
}

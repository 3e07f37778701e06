package program

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/locations"
)

// ConfigFile returns the path of the configuration file. It is the value of --config, else the
// environment variable, else the default of the system. Without a default, for example without
// HOME, it is "". The current directory is never searched, because another user may own a file
// there.
func (p *Program) ConfigFile() string {
	if p.Global.config != "" {
		return p.Global.config
	}
	if path, set := p.Around.Lookup(locations.PathVariable); set && path != "" {
		return path
	}
	return locations.DefaultPath(p.Around.Lookup)
}

// CacheDir returns the user's directory for a cache with this name. It fails if the system has no
// directory for caches.
func (p *Program) CacheDir(name string) (string, error) {
	dir, _ := p.Around.Lookup("XDG_CACHE_HOME")
	if !filepath.IsAbs(dir) {
		var err error
		if dir, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "omnibucket", name), nil
}

// LoadConfig reads the configuration file. A missing file is an error only if the user named it.
func (p *Program) LoadConfig() error {
	p.Stores.Config = &locations.Config{}
	path := p.ConfigFile()
	if path == "" {
		return nil
	}
	cfg, err := locations.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !p.namesConfig() {
			return nil
		}
		if p.Command != nil && isConfigCommand(p.Command) {
			// "config add" creates the file.
			return nil
		}
	}
	if err != nil {
		return err
	}
	p.Stores.Config = cfg
	return p.checkSettings(path)
}

// isConfigCommand reports whether a command is a subcommand of config.
func isConfigCommand(c *cobra.Command) bool {
	return c.HasParent() && c.Parent().Name() == "config"
}

// namesConfig reports whether the user named the configuration file.
func (p *Program) namesConfig() bool {
	if p.Global.config != "" {
		return true
	}
	path, set := p.Around.Lookup(locations.PathVariable)
	return set && path != ""
}

// checkSettings refuses settings in the configuration file that are not names of flags.
func (p *Program) checkSettings(path string) error {
	names := map[string]bool{}
	Settings(p.Command.Root(), func(flag *pflag.Flag) {
		names[flag.Name] = true
	})
	for name := range p.Stores.Config.Settings {
		if !names[name] {
			return argument.Invalid(
				path+" must have only settings that are global flags, but has "+console.Printable(name),
				"\"omnibucket config show\" lists the settings",
			)
		}
	}
	return nil
}

// AddressOf returns the address of a configured location, from the environment if that has one. It
// returns "…" for an address that seems to hold a secret.
func (s *Stores) AddressOf(name string) string {
	l := s.Config.Locations[name]
	one := locations.Config{Locations: map[string]locations.Location{name: l}, Lookup: s.Lookup}
	address, err := one.Address(name)
	if err != nil {
		return "…"
	}
	return address
}

// LookupLocation returns the address that an environment variable sets for a location. If the
// variable is not set, LookupLocation returns the address from the configuration file.
func (s *Stores) LookupLocation(variable string) (address string, set bool) {
	if variable == locations.PathVariable || strings.HasPrefix(variable, locations.FlagPrefix) {
		return "", false
	}
	address, set = s.Lookup(variable)
	if set {
		return address, true
	}
	address, err := s.Config.Address(strings.TrimPrefix(variable, locations.Variable("")))
	return address, err == nil
}

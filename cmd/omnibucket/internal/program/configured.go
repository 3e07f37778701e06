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

// ConfigFile returns the path of the configuration file: the value of --config or of the environment
// variable, or else the default of the system, which is "" if the user has no home directory. The
// current directory is never searched, because another user may own a file there.
func (p *Program) ConfigFile() string {
	if p.Global.config != "" {
		return p.Global.config
	}
	if path, set := p.Around.Lookup(locations.PathVariable); set && path != "" {
		return path
	}
	return locations.DefaultPath(p.Around.Lookup)
}

// CacheDir returns the directory of this user for a cache with this name. It fails if the system has
// no directory for caches.
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

// LoadConfig reads the configuration file. A missing file is an error only if the user named it, and
// not for the commands that create it.
func (p *Program) LoadConfig() error {
	p.Stores.Config = &locations.Config{}
	path := p.ConfigFile()
	if path == "" {
		return nil
	}

	cfg, err := locations.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		createsFile := p.Command != nil && isConfigCommand(p.Command)
		mustExist := p.namesConfig() && !createsFile
		if !mustExist {
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

// namesConfig reports whether the user named the configuration file, with --config or the environment.
func (p *Program) namesConfig() bool {
	if p.Global.config != "" {
		return true
	}
	path, set := p.Around.Lookup(locations.PathVariable)
	return set && path != ""
}

// checkSettings refuses settings that are not names of global flags. path is the configuration file that
// has the settings.
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

// AddressOf returns the address of a location: that in its environment variable or, if the variable is
// not set, that in the configuration file. An address that seems to hold a secret becomes "…".
func (s *Stores) AddressOf(name string) string {
	cfg := locations.Config{
		Locations: map[string]locations.Location{name: s.Config.Locations[name]},
		Lookup:    s.Lookup,
	}
	address, err := cfg.Address(name)
	if err != nil {
		return "…"
	}
	return address
}

// LookupLocation returns the address of the location that has this environment variable: the value of
// the variable or, if it is not set, the address in the configuration file. set is false if neither has one.
func (s *Stores) LookupLocation(variable string) (address string, set bool) {
	// These variables configure the program itself, so no location has them.
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

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/omnibucket/storage"
)

// A configuration is the content of the configuration file.
type configuration struct {
	Locations map[string]string `yaml:"locations"` // addresses by name
	Settings  map[string]string `yaml:"settings"`  // values by the name of a flag
}

// configFile returns the path of the configuration file: of --config, of the environment, or
// the default place of the system. It is "" if the system has none, as without HOME: a file in
// the current directory may be another user's.
func (p *program) configFile() string {
	if p.global.config != "" {
		return p.global.config
	}
	if path, set := p.lookup(configVariable); set && path != "" {
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
func (p *program) configDir() string {
	if dir, set := p.lookup("XDG_CONFIG_HOME"); set && filepath.IsAbs(dir) {
		return dir
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return dir
}

// loadConfig reads the configuration file. It may be missing, unless the user named it.
func (p *program) loadConfig() error {
	p.config = configuration{}
	path := p.configFile()
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !p.namesConfig():
		return nil
	case errors.Is(err, fs.ErrNotExist) && p.command != nil && p.command.Parent() != nil && p.command.Parent().Name() == "config":
		return nil // "config add" creates it
	case err != nil:
		return &storage.Error{Code: storage.InvalidArgument, Err: fmt.Errorf("configuration file must be readable: %w", err), Hint: "check --config and " + configVariable}
	}
	p.config, err = parseConfig(path, text)
	if err != nil {
		return err
	}
	return p.checkConfig(path)
}

// namesConfig reports whether the user named the configuration file.
func (p *program) namesConfig() bool {
	path, set := p.lookup(configVariable)
	return p.global.config != "" || set && path != ""
}

// parseConfig parses a configuration file. Errors name its lines and do not quote them.
func parseConfig(path string, text []byte) (configuration, error) {
	var c configuration
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return configuration{}, &storage.Error{
			Code: storage.InvalidArgument, Err: fmt.Errorf("%s must have only locations and settings, each with names and text: %s", path, yamlPlace(err)),
			Hint: "correct the file, or write it with \"omnibucket config add\"",
		}
	}
	return c, nil
}

// yamlPlace returns where a file is wrong. The text of the parser may quote an address, which
// may have credentials by mistake.
func yamlPlace(err error) string {
	var places []string
	for word := range strings.FieldsSeq(err.Error()) {
		if number, ok := strings.CutSuffix(word, ":"); ok && number != "" && strings.Trim(number, "0123456789") == "" {
			places = append(places, "line "+number)
		}
	}
	if len(places) == 0 {
		return "it is not YAML"
	}
	return strings.Join(slices.Compact(places), ", ")
}

// checkConfig refuses names and addresses that no command could use.
func (p *program) checkConfig(path string) error {
	names := map[string]string{} // by variable
	for _, name := range slices.Sorted(maps.Keys(p.config.Locations)) {
		if err := checkLocation(name, p.config.Locations[name]); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if other, taken := names[variableOf(name)]; taken {
			return invalid(path+" must not have both "+other+" and "+name+", which are one name", "remove one of them, or give it another name")
		}
		names[variableOf(name)] = name
	}
	known := map[string]bool{}
	settings(p.command.Root(), func(flag *pflag.Flag) { known[flag.Name] = true })
	for name := range p.config.Settings {
		if !known[name] {
			return invalid(path+" must have only settings that are global flags, but has "+printable(name), "\"omnibucket config show\" lists the settings")
		}
	}
	return nil
}

// checkLocation checks a name and an address of the configuration. Errors do not quote the
// address.
func checkLocation(name, address string) error {
	switch {
	case !nameForm.MatchString(name):
		return invalid("name of a location must have letters, digits, \"-\" and \"_\", and begin with a letter", "")
	case isReserved(name):
		return invalid(name+" must not be the name of a location, because "+variableOf(name)+" has another meaning", "choose another name")
	case !addressForm.MatchString(address):
		return invalid("location "+name+" must have an address", addressHint)
	}
	l, err := parseAddress(address)
	if err == nil && holdsSecret(l.query) {
		err = invalid("location "+name+" must not hold credentials in its parameters", "set the provider's own environment variables, or use its files")
	}
	return err
}

var secretName = regexp.MustCompile(`(?i)secret|password|token|credential|signature|access_?key|account_?key|^sig$`)

// holdsSecret reports whether parameters seem to have credentials, which no address may have.
func holdsSecret(query string) bool {
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return false // opening the address fails
	}
	for name, values := range parameters {
		if secretName.MatchString(name) {
			return true
		}
		for _, value := range values {
			if u, err := url.Parse(value); err == nil && u.User != nil {
				return true
			}
		}
	}
	return false
}

// isReserved reports whether the variable of a name is one of the program's own.
func isReserved(name string) bool {
	variable := variableOf(name)
	return variable == configVariable || strings.HasPrefix(variable, flagVariable)
}

// lookupLocation returns the address for a name's variable: that of the environment or,
// without one, of the configuration file.
func (p *program) lookupLocation(variable string) (address string, set bool) {
	if variable == configVariable || strings.HasPrefix(variable, flagVariable) {
		return "", false
	}
	if address, set = p.lookup(variable); set {
		return address, true
	}
	for name, address := range p.config.Locations {
		if variableOf(name) == variable {
			return address, true
		}
	}
	return "", false
}

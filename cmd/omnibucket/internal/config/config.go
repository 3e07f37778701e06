// Package config reads and changes the configuration file.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// A Content is the content of the configuration file.
type Content struct {
	Locations map[string]string  // addresses by name
	Layers    map[string][]Layer // by the name of a location, from the store outwards
	Settings  map[string]string  // values by the name of a flag
}

// Parse parses a configuration file. Errors name its lines and do not quote them.
func Parse(path string, text []byte) (Content, error) {
	var file struct {
		Locations map[string]configured `yaml:"locations"`
		Settings  map[string]string     `yaml:"settings"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return Content{}, &storage.Error{
			Code: storage.InvalidArgument,
			Err: fmt.Errorf(
				"%s must have only locations and settings, each with names and text; a location may have an address, credentials and layers: %s",
				path, yamlPlace(err),
			),
			Hint: "correct the file, or write it with \"omnibucket config add\"; layers are " + knownLayers,
		}
	}
	c := Content{Locations: map[string]string{}, Layers: map[string][]Layer{}, Settings: file.Settings}
	for name, l := range file.Locations {
		c.Locations[name] = l.address()
		for _, layer := range l.Layers {
			if err := layer.check(); err != nil {
				return Content{}, fmt.Errorf("%s: location %s: %w", path, name, err)
			}
		}
		c.Layers[name] = l.Layers
	}
	for name := range c.Layers {
		if err := c.checkStores(name); err != nil {
			return Content{}, fmt.Errorf("%s: location %s: %w", path, name, err)
		}
	}
	return c, nil
}

// checkStores refuses two layers of a location with the same other store, because one layer would remove what the
// other one copies there. A layer whose other store is the location itself is refused when the location is opened.
func (c Content) checkStores(name string) error {
	kinds, stores := map[string]bool{}, map[string]bool{}
	for _, layer := range c.Layers[name] {
		other := layer.Other()
		switch {
		case other == "":
			continue
		case kinds[layer.Name()]:
			return argument.Invalid("layers must have "+layer.Name()+" only once", "remove one of them")
		case stores[c.storeOf(other)]:
			return argument.Invalid("mirror and overlay must name different stores",
				"name another location in one of them, or remove one")
		}
		kinds[layer.Name()], stores[c.storeOf(other)] = true, true
	}
	return nil
}

// storeOf returns the address of a location of the file, or else its variable.
func (c Content) storeOf(name string) string {
	for own, address := range c.Locations {
		if location.VariableOf(own) == location.VariableOf(name) {
			return address
		}
	}
	return location.VariableOf(name)
}

// yamlPlace returns the place of an error in a file. The text of the parser may quote an
// address, which may have credentials by mistake.
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

// CheckLocation checks a name and an address of the configuration. Errors do not quote the
// address.
func CheckLocation(name, address string) error {
	switch {
	case !location.NameForm.MatchString(name):
		return argument.Invalid(
			"name of a location must have letters, digits, \"-\" and \"_\", and begin with a letter", "",
		)
	case isReserved(name):
		return argument.Invalid(
			name+" must not be the name of a location, because "+location.VariableOf(name)+" has another meaning",
			"choose another name",
		)
	case !location.AddressForm.MatchString(address):
		return argument.Invalid("location "+name+" must have an address", location.AddressHint)
	}
	l, err := location.ParseAddress(address)
	if err == nil && holdsSecret(l.Query) {
		err = argument.Invalid(
			"location "+name+" must not hold credentials in its parameters",
			"set the provider's own environment variables, or use its files",
		)
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
		if name != "credentials" && secretName.MatchString(name) { // credentials has a name, which is no secret
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
	variable := location.VariableOf(name)
	return variable == PathVariable || strings.HasPrefix(variable, FlagPrefix)
}

// FlagPrefix begins the names of environment variables that set flags:
// OMNIBUCKET_FLAG_BWLIMIT sets --bwlimit. No location has such a name.
const FlagPrefix = "OMNIBUCKET_FLAG_"

// PathVariable has the path of the configuration file.
const PathVariable = "OMNIBUCKET_CONFIG"

// SettingVariable returns the environment variable that sets a flag.
func SettingVariable(flag string) string {
	return FlagPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

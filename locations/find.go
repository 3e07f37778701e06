package locations

import (
	"fmt"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

// A found is a location together with the address that is used to open it.
type found struct {
	location Location
	name     string
	address  string // address for storage.Open, including the parameters
}

// find returns the location with this name. If the environment has an address for it, that address
// replaces the one in the configuration, with its parameters. The prefix beside the address stays,
// unless the new address has one, so that a location of one tenant does not become the whole bucket.
func (c *Config) find(name string) (*found, error) {
	if !IsName(name) || isReserved(name) {
		// The error does not quote name, which may be an address with a secret.
		return nil, invalid("there must be the name of a location, or an address", addressHint)
	}

	l, isConfigured := c.configuredLocation(name)
	variable := Variable(name)
	if address, isSet := c.lookup(variable); isSet {
		if err := l.replaceAddress(address); err != nil {
			return nil, argument.Within("variable "+variable, err)
		}
		return l, nil
	}
	if !isConfigured {
		return nil, invalid(
			fmt.Sprintf("%s is not set, and the configuration has no location %s; known are: %s",
				variable, name, c.someNames()),
			"add the location to the configuration, or set the variable",
		)
	}

	address, err := l.location.inEffect()
	if err != nil {
		return nil, c.locate(l.name, 0, err, "")
	}
	l.address = address
	return l, nil
}

// replaceAddress replaces the address of l by one from the environment.
func (l *found) replaceAddress(address string) error {
	parameters := map[string]string{}
	prefix, hasOwnPrefix := l.location.Parameters["prefix"]
	if hasOwnPrefix && !hasPrefix(address) {
		parameters["prefix"] = prefix
	}
	l.location.Address = address
	l.location.Parameters = parameters
	l.location.Credentials = ""

	var err error
	l.address, err = l.location.inEffect()
	return err
}

// maxShownNames is the number of names of locations that an error shows.
const maxShownNames = 20

// maxName is the largest length of a location's name, in bytes.
const maxName = 256

// configuredLocation returns the configured location with this name. If there is none, it returns a configured
// location that has the same environment variable. For example, the names a-b and A_B have the same
// environment variable.
func (c *Config) configuredLocation(name string) (l *found, known bool) {
	if location, exact := c.Locations[name]; exact {
		return &found{name: name, location: location}, true
	}
	variable := Variable(name)
	for own, location := range c.Locations {
		if Variable(own) == variable {
			return &found{name: own, location: location}, true
		}
	}
	return &found{name: name}, false
}

// someNames returns up to maxShownNames names of locations, for an error.
func (c *Config) someNames() string {
	names := c.Names()
	if len(names) > maxShownNames {
		names = append(names[:maxShownNames:maxShownNames], "…")
	}
	return strings.Join(names, ", ")
}

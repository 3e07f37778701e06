package locations

import (
	"fmt"
	"strings"

	"github.com/omnibucket/storage/internal/argument"
)

// A namedLocation is a location together with its name and the address that is used to open it.
type namedLocation struct {
	location Location
	name     string
	address  string // address for storage.Open, including the parameters
}

// find returns the location with this name. An address for it in the environment replaces that in the
// configuration, with its parameters. The prefix beside the address stays, unless the new address has
// one, so that a location of one tenant does not become the whole bucket.
func (c *Config) find(name string) (*namedLocation, error) {
	if !IsName(name) || isReserved(name) {
		// The error does not quote name, which may be an address with a secret.
		return nil, invalid("there must be the name of a location, or an address", addressHint)
	}

	loc, isConfigured := c.configuredLocation(name)
	variable := Variable(name)
	if address, isSet := c.lookup(variable); isSet {
		if err := loc.replaceAddress(address); err != nil {
			return nil, argument.Within("variable "+variable, err)
		}
		return loc, nil
	}
	if !isConfigured {
		return nil, invalid(
			fmt.Sprintf("%s is not set, and the configuration has no location %s; known are: %s",
				variable, name, c.someNames()),
			"add the location to the configuration, or set the variable",
		)
	}

	address, err := loc.location.openAddress()
	if err != nil {
		return nil, c.locate(loc.name, 0, err, "")
	}
	loc.address = address
	return loc, nil
}

// replaceAddress replaces the address of loc by one from the environment. The prefix beside the address
// stays, unless the new address has one. The other parameters and the credentials belong to the old
// address, so they go.
func (loc *namedLocation) replaceAddress(address string) error {
	parameters := map[string]string{}
	prefix, isConfigured := loc.location.Parameters["prefix"]
	if isConfigured && !hasPrefix(address) {
		parameters["prefix"] = prefix
	}
	loc.location.Address = address
	loc.location.Parameters = parameters
	loc.location.Credentials = ""

	var err error
	loc.address, err = loc.location.openAddress()
	return err
}

// maxShownNames is the number of names of locations that an error shows.
const maxShownNames = 20

// maxName is the largest length of a location's name, in bytes.
const maxName = 256

// configuredLocation returns the configured location with this name, or one with the same environment
// variable: the names a-b and A_B have the same.
func (c *Config) configuredLocation(name string) (loc *namedLocation, known bool) {
	if location, exact := c.Locations[name]; exact {
		return &namedLocation{name: name, location: location}, true
	}
	variable := Variable(name)
	for own, location := range c.Locations {
		if Variable(own) == variable {
			return &namedLocation{name: own, location: location}, true
		}
	}
	return &namedLocation{name: name}, false
}

// someNames returns up to maxShownNames names of locations, for an error.
func (c *Config) someNames() string {
	names := c.Names()
	if len(names) > maxShownNames {
		names = append(names[:maxShownNames:maxShownNames], "…")
	}
	return strings.Join(names, ", ")
}

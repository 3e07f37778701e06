package locations

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/serving"
)

var (
	nameForm    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	addressForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	secretName  = regexp.MustCompile(
		`(?i)secret|passw|token|credential|signature|(access|account|api|private|shared)[_-]?key|^(sig|sas|key|pass|pwd|auth)$`,
	)
)

const addressHint = "write scheme://bucket, or file:///absolute/directory"

// IsAddress reports whether text begins like an address, with a scheme. [Open] uses any other text
// as a name.
func IsAddress(text string) bool { return addressForm.MatchString(text) }

// IsName reports whether text has the form of a location's name.
func IsName(text string) bool { return len(text) <= maxName && nameForm.MatchString(text) }

// Variable returns the name of the environment variable that can set the address of a location. For
// a-b, it is OMNIBUCKET_A_B.
func Variable(name string) string {
	return "OMNIBUCKET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// isReserved reports whether the environment variable of this name already has another meaning.
func isReserved(name string) bool {
	variable := Variable(name)
	return variable == PathVariable || strings.HasPrefix(variable, FlagPrefix)
}

// Check checks the names, addresses, features and layers of all locations, and the second stores of
// layers, without opening a location. It fails with InvalidArgument if an error in the configuration
// would prevent opening a location. The error names the line if the configuration was read from a file.
func (c *Config) Check() error {
	if err := c.checkForms(); err != nil {
		return err
	}
	const withOthers = true
	for _, name := range c.Names() {
		loc, err := c.find(name)
		if err != nil {
			return err
		}
		if _, err := c.configure(loc, withOthers); err != nil {
			return err
		}
		if err := storage.CheckAddress(loc.address); err != nil {
			return c.locate(name, 0, err, "")
		}
	}
	return nil
}

// checkForms refuses locations that no program could open. It does not check whether a location fits
// the others.
func (c *Config) checkForms() error {
	variables := map[string]string{} // names of locations by their variables
	for _, name := range c.Names() {
		if err := c.checkName(name); err != nil {
			return err
		}
		variable := Variable(name)
		if other, exists := variables[variable]; exists {
			return c.wrong(c.Locations[name].line,
				"there must not be both "+other+" and "+name+", which are one name", "give one of them another name")
		}
		variables[variable] = name
		if err := c.checkLocation(name); err != nil {
			return err
		}
	}
	return nil
}

// checkLocation checks the address, the features and the layers of one location, alone: it does not
// look at other locations that the layers name. It skips a layer of this library that the program does
// not import, because another program may import the layer and open the location.
func (c *Config) checkLocation(name string) error {
	loc := &namedLocation{location: c.Locations[name], name: name}
	if _, err := loc.location.openAddress(); err != nil {
		return c.locate(name, 0, err, "")
	}
	if err := loc.location.checkRequire(); err != nil {
		return c.locate(name, 0, err, "")
	}

	// The clone keeps the layers of the configuration unchanged.
	loc.location.Layers = slices.DeleteFunc(slices.Clone(loc.location.Layers), func(layer Layer) bool {
		registered, isOurs := driver.KnowsLayer(layer.Name)
		return isOurs && !registered
	})

	const withOthers = false
	_, err := c.configure(loc, withOthers)
	return err
}

// checkRequire refuses names that are not features. Its error does not quote them, because a secret may
// have been written in the wrong place.
func (loc *Location) checkRequire() error {
	for _, name := range loc.Require {
		if _, ok := featureOf(name); !ok {
			return invalid("require must have only names of features", "storage.Features lists the names")
		}
	}
	return nil
}

// checkName refuses a name that a location must not have.
func (c *Config) checkName(name string) error {
	line := c.Locations[name].line
	if !IsName(name) {
		return c.wrong(line, `name of a location must have letters, digits, "-" and "_", and begin with a letter`, "")
	}
	if isReserved(name) {
		return c.wrong(line,
			name+" must not be the name of a location, because "+Variable(name)+" has another meaning",
			"choose another name")
	}
	return nil
}

// Features returns the features that Require names, for [storage.Require]. It leaves out names that are
// not features.
func (loc *Location) Features() (features storage.Features) {
	for _, name := range loc.Require {
		feature, _ := featureOf(name)
		features |= feature
	}
	return features
}

// featureOf returns the feature with this name, or false if there is none.
func featureOf(name string) (storage.Features, bool) {
	// A number is not the name of a feature, although String returns one for a bit without a feature.
	if !nameForm.MatchString(name) {
		return 0, false
	}

	// Each feature is one bit, which only its method String can name.
	for bit := range 64 {
		feature := storage.Features(1) << bit
		if feature.String() == name {
			return feature, true
		}
	}
	return 0, false
}

// locate adds the place of a location to an error: the file, the line and the location's name. If line
// is 0, it is the line at which the location begins. The error gets the given hint if it has none.
func (c *Config) locate(name string, line int, err error, hint string) error {
	located := withoutCall(err)
	if name != "" {
		line = cmp.Or(line, c.Locations[name].line)
		// The position ends with a separator.
		located.Err = fmt.Errorf("%slocation %s: %w", c.position(line), name, located.Err)
	}
	located.Hint = cmp.Or(located.Hint, hint)
	return located
}

// withoutCall returns a copy of an error without its operation and key. An error without a Code gets
// InvalidArgument, and Err of the result is never nil.
func withoutCall(err error) *storage.Error {
	inner, ok := errors.AsType[*storage.Error](err)
	if !ok {
		return &storage.Error{Code: storage.InvalidArgument, Err: err}
	}
	clone := *inner
	clone.Op = ""
	clone.Key = ""
	if clone.Err == nil {
		clone.Err = errors.New(string(clone.Code))
	}
	return &clone
}

// overlaps reports whether two directories are the same, or one contains the other.
func overlaps(one, other string) bool {
	return driver.Overlap(serving.Directory(one), serving.Directory(other))
}

// invalid returns an error with the code InvalidArgument.
func invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(rule), Hint: hint}
}

// repeatedName returns the name of the first layer that has the name of an earlier one, or "" if all
// names differ.
func repeatedName(layers []Layer) string {
	for i, layer := range layers {
		if slices.ContainsFunc(layers[:i], func(other Layer) bool { return other.Name == layer.Name }) {
			return layer.Name
		}
	}
	return ""
}

package locations

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/omnibucket/storage"
)

// Parse reads a configuration in YAML or JSON. Errors name the file and the line, but quote no address
// and no value of a parameter, because a secret may have been written in the wrong place.
//
// Parse fails with InvalidArgument if the text is not YAML, or has an unknown field, a field twice, an
// anchor or an alias, or if a name, an address or a layer is wrong. It checks neither second stores nor
// layers that are not compiled into the program. [Config.Check] and every opening of a location also
// check these.
func Parse(file string, text []byte) (*Config, error) {
	c := &Config{Locations: map[string]Location{}, Settings: map[string]string{}, file: file}
	if len(text) > maxFile {
		return nil, c.wrong(0, "it must have at most 1 MiB", "")
	}

	document, err := c.document(text)
	if err != nil {
		return nil, err
	}
	if document == nil {
		return c, nil
	}
	if err := c.eachField(document, c.addSection); err != nil {
		return nil, err
	}
	if err := c.checkForms(); err != nil {
		return nil, err
	}
	return c, nil
}

// addSection adds the locations or the settings of the file to c.
func (c *Config) addSection(key, value *yaml.Node) error {
	switch key.Value {
	case "locations":
		return c.eachField(value, c.addLocation)
	case "settings":
		return c.eachField(value, c.addSetting)
	default:
		return c.wrong(key.Line, "the file must have only locations and settings", "")
	}
}

// addSetting adds a setting to c.
func (c *Config) addSetting(name, value *yaml.Node) error {
	text, err := c.text(value, "setting")
	if err != nil {
		return err
	}
	c.Settings[name.Value] = text
	return nil
}

// document returns the top-level mapping of the YAML text, or nil if the text is empty.
func (c *Config) document(text []byte) (*yaml.Node, error) {
	var node, next yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	err := decoder.Decode(&node)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, c.notYAML(err)
	}
	if err := decoder.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, c.wrong(next.Line, "the file must have one document", "")
	}
	if len(node.Content) == 0 || isNull(node.Content[0]) {
		return nil, nil
	}
	return node.Content[0], nil
}

// addLocation adds a location to c. In YAML, it is an address, or a mapping with an address.
func (c *Config) addLocation(name, value *yaml.Node) error {
	loc := Location{line: name.Line}
	if value.Kind == yaml.ScalarNode {
		address, err := c.text(value, "address")
		if err != nil {
			return err
		}
		loc.Address = address
	} else {
		err := c.eachField(value, func(key, value *yaml.Node) error { return c.setField(&loc, key, value) })
		if err != nil {
			return err
		}
	}
	c.Locations[name.Value] = loc
	return nil
}

// setField sets the field of a location that key names. Any other name is that of a parameter of the
// address.
func (c *Config) setField(loc *Location, key, value *yaml.Node) (err error) {
	switch key.Value {
	case "address":
		loc.Address, err = c.text(value, "address")
	case "credentials":
		loc.Credentials, err = c.text(value, "credentials")
	case "require":
		err = c.eachItem(value, "require", func(item *yaml.Node) error { return c.addFeature(loc, item) })
	case "layers":
		err = c.eachItem(value, "layers", func(item *yaml.Node) error { return c.addLayer(loc, item) })
	default:
		if loc.Parameters == nil {
			loc.Parameters = map[string]string{}
		}
		loc.Parameters[key.Value], err = c.text(value, "parameter")
	}
	return err
}

// addFeature adds a required feature to a location.
func (c *Config) addFeature(loc *Location, item *yaml.Node) error {
	feature, err := c.text(item, "feature")
	if err != nil {
		return err
	}
	loc.Require = append(loc.Require, feature)
	return nil
}

// addLayer adds a layer to a location. In YAML, it is a mapping of the layer's name to its settings.
func (c *Config) addLayer(loc *Location, item *yaml.Node) error {
	const nodesOfOneField = 2 // its name and its value
	if item.Kind != yaml.MappingNode || len(item.Content) != nodesOfOneField {
		return c.wrong(item.Line, "each of the layers must have one name", `write "- readonly: {}"`)
	}
	return c.eachField(item, func(name, settings *yaml.Node) error {
		if err := c.checkPlain(settings); err != nil {
			return err
		}
		loc.Layers = append(loc.Layers, Layer{Name: name.Value, Settings: parsed{settings}, line: item.Line})
		return nil
	})
}

// eachField calls do for each key and value of a mapping. It fails if a key occurs twice.
func (c *Config) eachField(mapping *yaml.Node, do func(key, value *yaml.Node) error) error {
	if isNull(mapping) {
		return nil
	}
	if mapping.Kind != yaml.MappingNode || mapping.Anchor != "" {
		return c.wrong(mapping.Line, "there must be names and values, without anchors", "")
	}

	keys := map[string]bool{}
	// The content of a mapping has each key and then its value.
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key := mapping.Content[i]
		value := mapping.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || key.Anchor != "" {
			return c.wrong(key.Line, "a name must be text, without anchors", "")
		}
		if keys[key.Value] {
			return c.wrong(key.Line, "a name must not be there twice", "remove one of them")
		}
		keys[key.Value] = true
		if err := do(key, value); err != nil {
			return err
		}
	}
	return nil
}

// eachItem calls do for each item of a list. name is that of the list, for the error.
func (c *Config) eachItem(node *yaml.Node, name string, do func(item *yaml.Node) error) error {
	if isNull(node) {
		return nil
	}
	if node.Kind != yaml.SequenceNode || node.Anchor != "" {
		return c.wrong(node.Line, name+" must be a list", `begin each item with "- "`)
	}
	for _, item := range node.Content {
		if err := do(item); err != nil {
			return err
		}
	}
	return nil
}

// checkPlain refuses anchors and aliases, because with them a small file can expand to a huge one.
func (c *Config) checkPlain(node *yaml.Node) error {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		return c.wrong(node.Line, "there must be no anchors and no aliases", "write the value again")
	}
	for _, inner := range node.Content {
		if err := c.checkPlain(inner); err != nil {
			return err
		}
	}
	return nil
}

// text returns a YAML value as text, which may be a string, a number or a boolean. The error names what
// must be text.
func (c *Config) text(node *yaml.Node, name string) (string, error) {
	if node.Kind != yaml.ScalarNode || node.Anchor != "" || isNull(node) || node.Tag == "!!binary" {
		return "", c.wrong(node.Line, name+" must be text", "")
	}
	return node.Value, nil
}

// isNull reports whether a node is null, which an empty value is.
func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// wrong returns an InvalidArgument error that names the file and the line.
func (c *Config) wrong(line int, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(c.position(line) + rule), Hint: hint}
}

// notYAML returns the error for a text that is not YAML. It uses only the line number of the parser's
// error, because that error may quote a secret.
func (c *Config) notYAML(err error) error {
	const rule = "the file must be YAML"
	var line int
	if _, scanErr := fmt.Sscanf(err.Error(), "yaml: line %d: ", &line); scanErr != nil {
		// The parser gave no line.
		return c.wrong(0, rule, "")
	}
	return c.wrong(0, fmt.Sprintf("line %d: %s", line, rule), "")
}

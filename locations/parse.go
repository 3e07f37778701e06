package locations

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/omnibucket/storage"
)

// Parse reads a configuration in YAML or JSON. Errors name the file and the line. They quote no
// address and no value of a parameter, because a secret may have been written in the wrong place.
//
// Parse fails with InvalidArgument if the text is not YAML, or has an unknown field, a field twice,
// an anchor or an alias. It also fails if a name, an address or a layer is wrong. It does not check
// second stores, nor layers that are not compiled into the program. [Config.Check] and every
// opening of a location also check these.
func Parse(file string, text []byte) (*Config, error) {
	c := &Config{Locations: map[string]Location{}, Settings: map[string]string{}, file: file}
	if len(text) > maxFile {
		return nil, c.wrong(0, "it must have at most 1 MiB", "")
	}

	document, err := c.document(text)
	if err != nil || document == nil {
		return c, err
	}

	err = c.each(document, func(key, value *yaml.Node) error {
		switch key.Value {
		case "locations":
			return c.each(value, c.addLocation)
		case "settings":
			return c.each(value, func(name, value *yaml.Node) (err error) {
				c.Settings[name.Value], err = c.text(value, "setting")
				return err
			})
		}
		return c.wrong(key.Line, "the file must have only locations and settings", "")
	})

	if err == nil {
		err = c.checkForms()
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// document returns the top-level mapping of the YAML text, or nil if the text is empty.
func (c *Config) document(text []byte) (*yaml.Node, error) {
	var node, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	err := decoder.Decode(&node)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, c.notYAML(err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, c.wrong(more.Line, "the file must have one document", "")
	}
	if len(node.Content) == 0 || isNull(node.Content[0]) {
		return nil, nil
	}
	return node.Content[0], nil
}

// addLocation adds a location to c. In YAML, it is an address, or a mapping with an address.
func (c *Config) addLocation(name, value *yaml.Node) error {
	l := Location{line: name.Line}

	if value.Kind == yaml.ScalarNode {
		var err error
		l.Address, err = c.text(value, "address")
		c.Locations[name.Value] = l
		return err
	}

	err := c.each(value, func(key, value *yaml.Node) (err error) {
		switch key.Value {
		case "address":
			l.Address, err = c.text(value, "address")
		case "credentials":
			l.Credentials, err = c.text(value, "credentials")
		case "require":
			err = c.list(value, "require", func(item *yaml.Node) error {
				feature, err := c.text(item, "feature")
				l.Require = append(l.Require, feature)
				return err
			})
		case "layers":
			err = c.list(value, "layers", func(item *yaml.Node) error {
				if item.Kind != yaml.MappingNode || len(item.Content) != 2 {
					return c.wrong(item.Line, "each of the layers must have one name", `write "- readonly: {}"`)
				}
				return c.each(item, func(name, settings *yaml.Node) error {
					l.Layers = append(l.Layers, Layer{Name: name.Value, Settings: parsed{settings}, line: item.Line})
					return c.plain(settings)
				})
			})
		default:
			if l.Parameters == nil {
				l.Parameters = map[string]string{}
			}
			l.Parameters[key.Value], err = c.text(value, "parameter")
		}
		return err
	})
	c.Locations[name.Value] = l
	return err
}

// This method calls do for each key and value of a mapping. If a key occurs twice, it
// fails.
func (c *Config) each(mapping *yaml.Node, do func(key, value *yaml.Node) error) error {
	if isNull(mapping) {
		return nil
	}
	if mapping.Kind != yaml.MappingNode || mapping.Anchor != "" {
		return c.wrong(mapping.Line, "there must be names and values, without anchors", "")
	}
	keys := map[string]bool{}
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

// This method calls do for each item of a list.
func (c *Config) list(node *yaml.Node, name string, do func(item *yaml.Node) error) error {
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

// text returns a single YAML value as text. The value may be a string, a number or a boolean.
func (c *Config) text(node *yaml.Node, name string) (string, error) {
	if node.Kind != yaml.ScalarNode || node.Anchor != "" || isNull(node) || node.Tag == "!!binary" {
		return "", c.wrong(node.Line, name+" must be text", "")
	}
	return node.Value, nil
}

// plain refuses anchors and aliases, because with them a small file can expand to a huge one.
func (c *Config) plain(node *yaml.Node) error {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		return c.wrong(node.Line, "there must be no anchors and no aliases", "write the value again")
	}
	for _, inner := range node.Content {
		if err := c.plain(inner); err != nil {
			return err
		}
	}
	return nil
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// wrong returns an InvalidArgument error that names the file and the line.
func (c *Config) wrong(line int, rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(c.place(line) + rule), Hint: hint}
}

// notYAML returns the error for a text that is not YAML. It takes only the line number from the
// parser's error, because that error may quote a secret.
func (c *Config) notYAML(err error) error {
	rule := "the file must be YAML"
	words := strings.Fields(err.Error())
	if i := slices.Index(words, "line"); i >= 0 && i+1 < len(words) {
		if number := strings.TrimSuffix(words[i+1], ":"); number != "" && strings.Trim(number, "0123456789") == "" {
			rule = fmt.Sprintf("line %s: the file must be YAML", number)
		}
	}
	return c.wrong(0, rule, "")
}

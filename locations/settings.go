package locations

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// settings returns the function with which a layer decodes its settings.
func (c *Config) settings(layer Layer) driver.LayerSettings {
	return func(dst any) error {
		node, err := nodeOf(layer.Settings)
		if err != nil {
			return err
		}
		if err := checkForm(node, dst); err != nil {
			return err
		}
		if isNull(node) {
			return nil
		}
		if err := node.Decode(dst); err != nil {
			// Omit err, which may quote a secret.
			return form("each field must have a value of its type")
		}
		return nil
	}
}

// parsed contains the settings of a layer that Parse has read. Parse has also checked the
// form of the settings.
type parsed struct{ node *yaml.Node }

// nodeOf returns settings as a YAML node. It encodes settings that do not come from Parse.
func nodeOf(settings any) (*yaml.Node, error) {
	if p, isOurs := settings.(parsed); isOurs {
		return p.node, nil
	}
	if settings == nil {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	}
	node := &yaml.Node{}
	if err := encode(node, settings); err != nil {
		return nil, form("settings must be text, a map[string]any, or a struct with yaml tags")
	}
	return node, nil
}

// encode writes settings into a YAML node. It returns an error for values such as functions, for which
// the YAML library panics.
func encode(node *yaml.Node, settings any) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("no YAML")
		}
	}()
	return node.Encode(settings)
}

// checkForm checks that the YAML in node fits the value to which dst points. For a struct, node must be
// null or have only fields of the struct. For any other value, it must be text.
func checkForm(node *yaml.Node, dst any) error {
	target := reflect.TypeOf(dst).Elem()
	if target.Kind() != reflect.Struct {
		if node.Kind != yaml.ScalarNode {
			return form("there must be one text")
		}
		return nil
	}
	if isNull(node) {
		return nil
	}

	names := fieldNames(target)
	if node.Kind != yaml.MappingNode {
		return form("there must be fields: " + joinNames(names))
	}

	seen := map[string]bool{}
	// The content of a mapping has each key and then its value.
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		if !slices.Contains(names, key) {
			// The error does not quote the name, which may be a secret in the wrong place.
			return form("there must be no other fields than " + joinNames(names))
		}
		if seen[key] {
			return form("field " + key + " must not be there twice")
		}
		seen[key] = true
	}
	return nil
}

// fieldNames returns the names that the fields of a struct have in YAML.
func fieldNames(target reflect.Type) []string {
	var names []string
	for field := range target.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		names = append(names, name)
	}
	return names
}

// joinNames returns the names as one text, or "none" if there are none.
func joinNames(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// form returns the error for settings that break a rule.
func form(rule string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(rule)}
}

package agents

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"
)

// maxInteger is the largest integer that all clients can represent, because many of them have only float64.
const maxInteger = 1<<53 - 1

// decode decodes the arguments of a call. Its errors name the argument and the violated rule, but
// quote no values. The SDK's errors quote them, and could be longer than the call.
func decode(tool string, schema *jsonschema.Schema, raw json.RawMessage, in any) error {
	var given map[string]json.RawMessage
	if len(raw) > 0 && json.Unmarshal(raw, &given) != nil {
		return refusal("arguments must be an object")
	}
	changed := false
	for _, name := range slices.Sorted(maps.Keys(given)) {
		property, known := schema.Properties[name]
		if !known {
			return refusal(tool + " has no argument " + strconv.Quote(name[:min(len(name), maxNameInError)]))
		}
		value, rule := conforming(property, given[name])
		if rule != "" {
			return refusal(name + " " + rule)
		}
		changed = changed || len(value) != len(given[name])
		given[name] = value
	}
	for _, name := range schema.Required {
		if _, found := given[name]; !found {
			return refusal(name + " must be given")
		}
	}
	if changed {
		raw, _ = json.Marshal(given) // cannot fail, because all values were decoded from JSON
	}
	if len(raw) > 0 && json.Unmarshal(raw, in) != nil {
		return refusal("arguments must fit the schema of the tool")
	}
	return nil
}

const maxNameInError = 64 // bytes

// conforming returns the value of an argument, or the rule that the value breaks. An integer such
// as 1.0 becomes 1.
func conforming(property *jsonschema.Schema, value json.RawMessage) (json.RawMessage, string) {
	types := property.Types
	if property.Type != "" {
		types = []string{property.Type}
	}
	switch c := value[0]; {
	case c == 'n' && slices.Contains(types, "null"):
		return value, ""
	case slices.Contains(types, "string"):
		if c != '"' {
			return nil, "must be a string"
		}
	case slices.Contains(types, "boolean"):
		if c != 't' && c != 'f' {
			return nil, "must be true or false"
		}
	case slices.Contains(types, "integer"):
		if len(value) > maxNameInError { // a valid integer is never that long
			return nil, "must be an integer"
		}
		number, err := strconv.ParseFloat(string(value), 64)
		switch {
		case err != nil || number != math.Trunc(number):
			return nil, "must be an integer"
		case math.Abs(number) > maxInteger:
			return nil, "must be at most " + strconv.Itoa(maxInteger)
		}
		return strconv.AppendInt(nil, int64(number), 10), ""
	}
	return value, ""
}

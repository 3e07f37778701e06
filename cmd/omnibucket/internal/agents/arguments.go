package agents

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
)

// maxInteger is the largest integer that all clients can represent, because many of them have only float64.
const maxInteger = 1<<53 - 1

// decode decodes the arguments of a call. Unlike those of the SDK, its errors do not quote values, which
// may be long: they name the argument and the rule that it breaks.
func decode(tool string, schema *jsonschema.Schema, raw json.RawMessage, input any) error {
	if !isUnicode(raw) {
		return refusal("arguments must have only whole characters of Unicode")
	}

	var arguments map[string]json.RawMessage
	if len(raw) > 0 && json.Unmarshal(raw, &arguments) != nil {
		return refusal("arguments must be an object")
	}

	isChanged, err := conformArguments(tool, schema, arguments)
	if err != nil {
		return err
	}
	for _, name := range schema.Required {
		if _, ok := arguments[name]; !ok {
			return refusal(name + " must be given")
		}
	}

	if isChanged {
		// This cannot fail, because all values were decoded from JSON.
		raw, _ = json.Marshal(arguments)
	}
	if len(raw) > 0 && json.Unmarshal(raw, input) != nil {
		return refusal("arguments must fit the schema of the tool")
	}
	return nil
}

// conformArguments replaces each value in arguments by the form that its type needs. It reports whether any
// value has changed.
func conformArguments(
	tool string, schema *jsonschema.Schema, arguments map[string]json.RawMessage,
) (isChanged bool, err error) {
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		property, ok := schema.Properties[name]
		if !ok {
			return false, refusal(tool + " has no argument " + strconv.Quote(name[:min(len(name), maxNameInError)]))
		}

		value, brokenRule := conformValue(property, arguments[name])
		if brokenRule != "" {
			return false, refusal(name + " " + brokenRule)
		}
		if !bytes.Equal(value, arguments[name]) {
			arguments[name] = value
			isChanged = true
		}
	}
	return isChanged, nil
}

// isUnicode reports whether JSON is UTF-8, and its escapes have no half of a surrogate pair, such as
// \ud800. encoding/json would replace both.
func isUnicode(raw json.RawMessage) bool {
	if !utf8.Valid(raw) {
		return false
	}

	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			i++
			continue
		}
		length, ok := escapeLength(raw[i:])
		if !ok {
			return false
		}
		i += length
	}
	return true
}

// escapeLength returns the length of the escape with which raw begins: one such as \n, one such as \u00e4, or
// a surrogate pair. If it is only half of a pair, ok is false.
func escapeLength(raw []byte) (length int, ok bool) {
	const shortLength = len(`\n`)
	first, isUnit := escapedUnit(raw)
	if !isUnit {
		return shortLength, true
	}
	if !utf16.IsSurrogate(first) {
		return unitLength, true
	}

	second, isUnit := escapedUnit(raw[unitLength:])
	isPair := isUnit && utf16.DecodeRune(first, second) != utf8.RuneError
	return 2 * unitLength, isPair
}

const unitLength = len(`\u0000`)

// escapedUnit decodes the escape of a unit of UTF-16, such as \u00e4, with which raw begins. If raw does
// not begin with one, ok is false.
func escapedUnit(raw []byte) (unit rune, ok bool) {
	if len(raw) < unitLength || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:unitLength]), 16, 16)
	return rune(n), err == nil
}

const (
	// maxNameInError limits the name of an argument in an error, in bytes.
	maxNameInError = 64
	// maxIntegerText is above the length of each valid integer, in bytes.
	maxIntegerText = 64
)

// conformValue returns the value of an argument in the form that its type needs, such as 1 for 1.0, or
// the rule that the value breaks.
func conformValue(
	property *jsonschema.Schema, value json.RawMessage,
) (conformed json.RawMessage, brokenRule string) {
	types := property.Types
	if property.Type != "" {
		types = []string{property.Type}
	}

	// The value is valid JSON, so its first character tells its type.
	first := value[0]
	isNull := first == 'n'
	if isNull && slices.Contains(types, "null") {
		return value, ""
	}
	switch {
	case slices.Contains(types, "string"):
		if first != '"' {
			return nil, "must be a string"
		}
	case slices.Contains(types, "boolean"):
		if first != 't' && first != 'f' {
			return nil, "must be true or false"
		}
	case slices.Contains(types, "integer"):
		return conformInteger(value)
	}
	return value, ""
}

// conformInteger returns an integer in decimal digits, or the rule that value breaks.
func conformInteger(value json.RawMessage) (json.RawMessage, string) {
	if len(value) > maxIntegerText {
		return nil, "must be an integer"
	}

	// An integer may have another form in JSON, such as 1e3 or 2.0.
	number, err := strconv.ParseFloat(string(value), 64)
	if err != nil || number != math.Trunc(number) {
		return nil, "must be an integer"
	}
	if math.Abs(number) > maxInteger {
		return nil, "must be at most " + strconv.Itoa(maxInteger)
	}
	return strconv.AppendInt(nil, int64(number), 10), ""
}

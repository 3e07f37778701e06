// Package bucketrules reads and writes CORS and lifecycle rules as JSON, in the forms of this
// program and of S3.
package bucketrules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// An age is a duration in JSON with its units, such as "1h0m0s".
type age time.Duration

// MarshalText implements encoding.TextMarshaler.
func (a age) MarshalText() ([]byte, error) { return []byte(time.Duration(a).String()), nil }

// UnmarshalJSON refuses a bare number, which could be seconds or nanoseconds.
func (a *age) UnmarshalJSON(text []byte) error {
	var body string
	if json.Unmarshal(text, &body) != nil {
		return errors.New(`maxAge must be text with a unit, such as "1h"; S3's MaxAgeSeconds is a number`)
	}
	d, err := argument.Duration("maxAge", body)
	*a = age(d)
	return err
}

// A form describes the JSON that S3 uses for one kind of rules, such as CORS rules.
type form struct {
	list  string   // name of the member that holds the array of rules
	names []string // names of members that occur only in S3's form of a rule
}

// parse reads an array of rules, or an object of S3 with such an array. It refuses unknown members
// and text after the rules, because a mistake in the input must not remove rules from a bucket.
func parse[Own, S3, Rule any](src io.Reader, f form, fromOwn func(Own) Rule, fromS3 func(S3) (Rule, error)) ([]Rule, error) {
	decoder := json.NewDecoder(argument.WithoutMark(src))
	var document json.RawMessage
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("nothing may follow the rules")
	}

	// The rules may be the only member of an object, as in the documents of AWS.
	var object map[string]json.RawMessage
	if json.Unmarshal(document, &object) == nil && len(object) == 1 {
		for name, list := range object {
			if strings.EqualFold(name, f.list) {
				document = list
			}
		}
	}

	var texts []json.RawMessage
	if err := json.Unmarshal(document, &texts); err != nil || texts == nil {
		return nil, errors.New("it has no array of rules")
	}

	rules := make([]Rule, 0, len(texts))
	for i, text := range texts {
		rule, err := parseRule(text, f, fromOwn, fromS3)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i+1, err)
		}
		rules = append(rules, rule)
	}
	return rules, nil
}

func parseRule[Own, S3, Rule any](text []byte, f form, fromOwn func(Own) Rule,
	fromS3 func(S3) (Rule, error)) (rule Rule, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return rule, err
	}
	for _, name := range f.names {
		for member := range members {
			if strings.EqualFold(name, member) {
				var line S3
				if err := strictly(text, &line); err != nil {
					return rule, err
				}
				return fromS3(line)
			}
		}
	}
	var line Own
	if err := strictly(text, &line); err != nil {
		return rule, err
	}
	return fromOwn(line), nil
}

func strictly(text []byte, line any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(line)
}

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

// UnmarshalJSON decodes text such as "1h". It refuses a bare number, which could mean seconds or nanoseconds.
func (a *age) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return errors.New(`maxAge must be text with a unit, such as "1h"; S3's MaxAgeSeconds is a number`)
	}
	d, err := argument.Duration("maxAge", text)
	if err != nil {
		return err
	}
	*a = age(d)
	return nil
}

// A form describes the JSON that S3 uses for one kind of rules, such as CORS rules.
type form struct {
	list  string   // name of the member that holds the array of rules
	names []string // names of members that occur only in S3's form of a rule
}

// hasMember reports whether a JSON object has a member that occurs only in S3's form of a rule.
func (f form) hasMember(object map[string]json.RawMessage) bool {
	for member := range object {
		for _, name := range f.names {
			if strings.EqualFold(name, member) {
				return true
			}
		}
	}
	return false
}

// parse reads an array of rules, each in one of two forms: Own, that of this program, or S3. It refuses unknown members
// and text after the rules, because a mistake in the input must not remove rules from a bucket.
func parse[Own, S3, Rule any](
	src io.Reader, f form, fromOwn func(Own) Rule, fromS3 func(S3) (Rule, error),
) ([]Rule, error) {
	texts, err := readRules(src, f.list)
	if err != nil {
		return nil, err
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

// readRules reads an array of rules as JSON. The array may also be the only member, with the given name, of an
// object, as in the documents of AWS.
func readRules(src io.Reader, memberName string) ([]json.RawMessage, error) {
	decoder := json.NewDecoder(argument.WithoutMark(src))
	var document json.RawMessage
	// An empty input leaves document nil, and Unmarshal refuses that below.
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("nothing may follow the rules")
	}

	array := document
	var object map[string]json.RawMessage
	isObject := json.Unmarshal(document, &object) == nil
	if isObject && len(object) == 1 {
		// The loop has one round, for the only member.
		for name, value := range object {
			if strings.EqualFold(name, memberName) {
				array = value
			}
		}
	}

	var rules []json.RawMessage
	if err := json.Unmarshal(array, &rules); err != nil || rules == nil {
		return nil, errors.New("it has no array of rules")
	}
	return rules, nil
}

// parseRule parses one rule. The JSON has the members of Own or, if one of them is a member of S3 only, those of S3. The
// functions convert either one to a Rule.
func parseRule[Own, S3, Rule any](
	text []byte, f form, fromOwn func(Own) Rule, fromS3 func(S3) (Rule, error),
) (Rule, error) {
	var none Rule
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return none, err
	}
	if f.hasMember(members) {
		var line S3
		if err := decodeStrictly(text, &line); err != nil {
			return none, err
		}
		return fromS3(line)
	}

	var line Own
	if err := decodeStrictly(text, &line); err != nil {
		return none, err
	}
	return fromOwn(line), nil
}

// decodeStrictly decodes JSON into the struct to which dst points. It refuses unknown members.
func decodeStrictly(text []byte, dst any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(dst)
}

// Package formpolicy implements the policies of form uploads. With a policy, the signer limits the
// fields and files that a browser can send.
package formpolicy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A Policy limits the forms that a browser may post until Expiration. The signer of a form writes
// the policy.
type Policy struct {
	Expiration time.Time
	Conditions []json.RawMessage
}

// Sizes is the minimum and the maximum size of a file, in bytes.
type Sizes struct{ Least, Most int64 }

// A condition is one condition of a policy, such as a value that a field must have.
type condition struct {
	match  string // "eq", "starts-with" or "content-length-range"
	field  string // name of the field, in lower case
	value  string
	sizes  Sizes
	source string
}

// Parse decodes a policy from base64 and JSON.
func Parse(encoded string) (*Policy, error) {
	document, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid base64.")
	}
	var p Policy
	var names map[string]json.RawMessage
	if json.Unmarshal(document, &p) != nil || json.Unmarshal(document, &names) != nil || p.Expiration.IsZero() ||
		p.Conditions == nil {
		return nil, s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid JSON.")
	}
	for name := range names {
		if name != "expiration" && name != "conditions" { // encoding/json would accept other cases of letters
			return nil, s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Unexpected: '%s'.", name)
		}
	}
	return &p, nil
}

// unlisted has the names of fields that a form may have without a condition in the policy.
var unlisted = []string{"policy", "x-amz-signature", "file", "awsaccesskeyid", "signature"}

// Check fails if a condition does not hold, or if a field has no condition. The first argument
// lists the names of the form's fields, in the order of the form. Check returns the given range of
// sizes, reduced to the sizes that the policy permits.
func (p *Policy) Check(names []string, fields map[string]string, bucket string, size Sizes) (Sizes, error) {
	conditionNames := map[string]bool{}
	for _, raw := range p.Conditions {
		c, err := parseCondition(raw)
		if err != nil {
			return size, err
		}
		conditionNames[c.field] = true
		if c.match == "content-length-range" {
			size = Sizes{max(size.Least, c.sizes.Least), min(size.Most, c.sizes.Most)}
			continue
		}
		value, ok := fields[c.field]
		if c.field == "bucket" {
			value = bucket
			ok = true
		}
		if !ok || c.match == "eq" && value != c.value || c.match == "starts-with" && !c.hasPrefix(value) {
			return size, s3error.New("AccessDenied").
				WithMessage("Invalid according to Policy: Policy Condition failed: %s", c.source)
		}
	}
	for _, name := range names {
		if !conditionNames[name] && !slices.Contains(unlisted, name) && !strings.HasPrefix(name, "x-ignore-") {
			return size, s3error.New("AccessDenied").WithMessage("Invalid according to Policy: Extra input fields: %s", name)
		}
	}
	return size, nil
}

// hasPrefix reports whether a value begins with the text of the condition. If a content type is a
// list, every element must begin with the text, because browsers use the last element.
func (c condition) hasPrefix(value string) bool {
	if c.field != "content-type" {
		return strings.HasPrefix(value, c.value)
	}
	return !slices.ContainsFunc(strings.Split(value, ","), func(element string) bool {
		return !strings.HasPrefix(strings.TrimSpace(element), c.value)
	})
}

// parseCondition decodes a condition of the form {"field": "value"} or [match, "$field", "value"].
func parseCondition(raw json.RawMessage) (c condition, err error) {
	invalid := s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid Condition: %s", raw)
	var exact map[string]string
	if json.Unmarshal(raw, &exact) == nil {
		for field, value := range exact {
			c = condition{
				match:  "eq",
				field:  strings.ToLower(field),
				value:  value,
				source: fmt.Sprintf("[\"eq\", \"$%s\", %q]", field, value),
			}
		}
		if len(exact) != 1 {
			err = invalid.WithMessage(
				"Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
			)
		}
		return c, err
	}
	var list []any
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return c, invalid
	}
	match, _ := list[0].(string)
	c.match = strings.ToLower(match)
	if c.match == "content-length-range" {
		lower, ok := list[1].(float64)
		maximum, isNumber := list[2].(float64)
		if !ok || !isNumber || lower < 0 || maximum < lower {
			return c, invalid
		}
		c.sizes = Sizes{int64(lower), int64(maximum)}
		return c, nil
	}
	field, _ := list[1].(string)
	value, isText := list[2].(string)
	field, dollar := strings.CutPrefix(field, "$")
	if c.match != "eq" && c.match != "starts-with" || !dollar || !isText {
		return c, invalid
	}
	c.field = strings.ToLower(field)
	c.value = value
	c.source = fmt.Sprintf("[%q, \"$%s\", %q]", c.match, field, value)
	return c, nil
}

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
type Sizes struct{ Min, Max int64 }

// A condition is one condition of a policy, such as a value that a field must have.
type condition struct {
	match  string // "eq", "starts-with" or "content-length-range"
	field  string // name of the field, in lower case
	value  string
	sizes  Sizes
	source string
}

// Parse decodes the policy of a form, which is JSON in base64.
func Parse(encoded string) (*Policy, error) {
	document, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid base64.")
	}

	errInvalid := s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid JSON.")
	var p Policy
	if err := json.Unmarshal(document, &p); err != nil {
		return nil, errInvalid
	}
	if p.Expiration.IsZero() || p.Conditions == nil {
		return nil, errInvalid
	}

	// The names must have this case of letters, which json.Unmarshal does not demand.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return nil, errInvalid
	}
	for name := range fields {
		if name != "expiration" && name != "conditions" {
			return nil, s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Unexpected: '%s'.", name)
		}
	}
	return &p, nil
}

// unlisted has the names of fields that a form may have without a condition in the policy.
var unlisted = []string{"policy", "x-amz-signature", "file", "awsaccesskeyid", "signature"}

// Check fails if a condition of a form's policy does not hold, or if a field of the form has no condition. names has
// the names of the fields in the form's order. Check returns the sizes of the file that both limits and the policy
// permit.
func (p *Policy) Check(names []string, fields map[string]string, bucket string, limits Sizes) (Sizes, error) {
	permitted := limits
	conditionNames := map[string]bool{}
	for _, raw := range p.Conditions {
		c, err := parseCondition(raw)
		if err != nil {
			return Sizes{}, err
		}
		conditionNames[c.field] = true

		if c.match == "content-length-range" {
			permitted.Min = max(permitted.Min, c.sizes.Min)
			permitted.Max = min(permitted.Max, c.sizes.Max)
			continue
		}
		if !c.holdsFor(fields, bucket) {
			return Sizes{}, s3error.New("AccessDenied").
				WithMessage("Invalid according to Policy: Policy Condition failed: %s", c.source)
		}
	}

	// Each field needs a condition, except some that AWS exempts.
	for _, name := range names {
		isExempt := slices.Contains(unlisted, name) || strings.HasPrefix(name, "x-ignore-")
		if !conditionNames[name] && !isExempt {
			return Sizes{}, s3error.New("AccessDenied").
				WithMessage("Invalid according to Policy: Extra input fields: %s", name)
		}
	}
	return permitted, nil
}

// holdsFor reports whether the condition is true for the fields of a form and for the bucket, which is in the form's
// address.
func (c condition) holdsFor(fields map[string]string, bucket string) bool {
	if c.field == "bucket" {
		return c.holds(bucket)
	}
	value, hasField := fields[c.field]
	return hasField && c.holds(value)
}

// holds reports whether the condition is true for the value of its field.
func (c condition) holds(value string) bool {
	if c.match == "eq" {
		return value == c.value
	}
	return c.hasPrefix(value)
}

// hasPrefix reports whether a value begins with the text of the condition. In a list of content types, every one must
// begin with the text, because browsers use the last one.
func (c condition) hasPrefix(value string) bool {
	if c.field != "content-type" {
		return strings.HasPrefix(value, c.value)
	}
	for contentType := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimSpace(contentType), c.value) {
			return false
		}
	}
	return true
}

// parseCondition decodes a condition of the form {"field": "value"} or [match, "$field", "value"].
func parseCondition(raw json.RawMessage) (condition, error) {
	var exact map[string]string
	if json.Unmarshal(raw, &exact) == nil {
		return exactCondition(exact)
	}

	errInvalid := s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid Condition: %s", raw)

	// The other form is a list of three.
	var list []any
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return condition{}, errInvalid
	}

	// Anything but a string becomes "", which is no match.
	text, _ := list[0].(string)
	match := strings.ToLower(text)
	switch match {
	case "content-length-range":
		sizes, ok := sizesOf(list[1], list[2])
		if !ok {
			return condition{}, errInvalid
		}
		return condition{match: match, sizes: sizes}, nil
	case "eq", "starts-with":
		// Anything but a string becomes "", which has no dollar sign.
		name, _ := list[1].(string)
		field, hasDollar := strings.CutPrefix(name, "$")
		value, isString := list[2].(string)
		if !hasDollar || !isString {
			return condition{}, errInvalid
		}
		return newCondition(match, field, value), nil
	}
	return condition{}, errInvalid
}

// sizesOf returns the range from lower to upper, which are JSON values. It returns false if they are not a range of
// numbers.
func sizesOf(lower, upper any) (Sizes, bool) {
	minSize, isLowerNumber := lower.(float64)
	maxSize, isUpperNumber := upper.(float64)
	isRange := isLowerNumber && isUpperNumber && 0 <= minSize && minSize <= maxSize
	if !isRange {
		return Sizes{}, false
	}
	return Sizes{Min: int64(minSize), Max: int64(maxSize)}, true
}

// exactCondition returns the condition of the form {"field": "value"}.
func exactCondition(exact map[string]string) (condition, error) {
	if len(exact) != 1 {
		return condition{}, s3error.New("InvalidPolicyDocument").WithMessage(
			"Invalid Policy: Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
		)
	}
	var c condition
	for field, value := range exact { // the only entry
		c = newCondition("eq", field, value)
	}
	return c, nil
}

// newCondition returns a condition on the value of a field. match is "eq" or "starts-with".
func newCondition(match, field, value string) condition {
	return condition{
		match:  match,
		field:  strings.ToLower(field),
		value:  value,
		source: fmt.Sprintf("[%q, \"$%s\", %q]", match, field, value),
	}
}

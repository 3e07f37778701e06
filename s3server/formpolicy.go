package s3server

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A formPolicy says which forms the signer allows.
type formPolicy struct {
	Expiration time.Time
	Conditions []json.RawMessage
}

// sizes are limits on a file, in bytes.
type sizes struct{ least, most int64 }

// A formCondition is one condition of a policy.
type formCondition struct {
	match string // "eq", "starts-with", "content-length-range"
	field string // in lower case
	value string
	sizes sizes
	raw   string
}

func parseFormPolicy(encoded string) (*formPolicy, error) {
	document, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid base64.")
	}
	var p formPolicy
	var names map[string]json.RawMessage
	if json.Unmarshal(document, &p) != nil || json.Unmarshal(document, &names) != nil || p.Expiration.IsZero() || p.Conditions == nil {
		return nil, s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid JSON.")
	}
	for name := range names {
		if name != "expiration" && name != "conditions" { // encoding/json ignores case
			return nil, s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Unexpected: '%s'.", name)
		}
	}
	return &p, nil
}

// unlisted fields need no condition.
var unlisted = []string{"policy", "x-amz-signature", "file", "awsaccesskeyid", "signature"}

// check checks that every condition holds and that every field has a condition.
func (p *formPolicy) check(f *form, bucket string, size sizes) (sizes, error) {
	known := map[string]bool{}
	for _, raw := range p.Conditions {
		conditions, err := parseFormCondition(raw)
		if err != nil {
			return size, err
		}
		for _, c := range conditions {
			known[c.field] = true
			if c.match == "content-length-range" {
				size = sizes{max(size.least, c.sizes.least), min(size.most, c.sizes.most)}
				continue
			}
			value, given := f.fields[c.field]
			if c.field == "bucket" {
				value, given = bucket, true
			}
			if !given || c.match == "eq" && value != c.value || c.match == "starts-with" && !strings.HasPrefix(value, c.value) {
				return size, s3error.New("AccessDenied").WithMessage("Invalid according to Policy: Policy Condition failed: %s", c.raw)
			}
		}
	}
	for _, name := range f.names {
		if !known[name] && !slices.Contains(unlisted, name) && !strings.HasPrefix(name, "x-ignore-") {
			return size, s3error.New("AccessDenied").WithMessage("Invalid according to Policy: Extra input fields: %s", name)
		}
	}
	return size, nil
}

// parseFormCondition reads {"field": "value"} or [match, "$field", "value"].
func parseFormCondition(raw json.RawMessage) ([]formCondition, error) {
	wrong := s3error.New("InvalidPolicyDocument").WithMessage("Invalid Policy: Invalid Condition: %s", raw)
	var exact map[string]string
	if json.Unmarshal(raw, &exact) == nil {
		if len(exact) == 0 {
			return nil, wrong
		}
		var all []formCondition
		for field, value := range exact {
			all = append(all, formCondition{
				match: "eq", field: strings.ToLower(field), value: value, raw: fmt.Sprintf("[\"eq\", \"$%s\", %q]", field, value),
			})
		}
		return all, nil
	}
	var list []any
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return nil, wrong
	}
	match, _ := list[0].(string)
	c := formCondition{match: strings.ToLower(match)}
	if c.match == "content-length-range" {
		least, ok := list[1].(float64)
		most, also := list[2].(float64)
		if !ok || !also || least < 0 || most < least {
			return nil, wrong
		}
		c.sizes = sizes{int64(least), int64(most)}
		return []formCondition{c}, nil
	}
	field, _ := list[1].(string)
	value, isText := list[2].(string)
	field, dollar := strings.CutPrefix(field, "$")
	if c.match != "eq" && c.match != "starts-with" || !dollar || !isText {
		return nil, wrong
	}
	c.field, c.value = strings.ToLower(field), value
	c.raw = fmt.Sprintf("[%q, \"$%s\", %q]", c.match, field, value)
	return []formCondition{c}, nil
}

package policy

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// A condition is one condition of a statement, such as {"IpAddress": {"aws:SourceIp":
// "10.0.0.0/8"}}. It compares the values of a key in the request with the values in the policy.
type condition struct {
	key        string // in lower case, except for the name of a tag
	values     []string
	operator   conditionOperator
	ifExists   bool
	quantifier string // "ForAllValues", "ForAnyValue" or ""
	null       bool   // true for the operator Null, which tests whether the request has the key
}

// A conditionOperator compares a value in the request with a value in the policy.
type conditionOperator struct {
	match func(value, wanted string) bool
	// A policy may have variables such as "${*}". For these policies, this function replaces the
	// one in match. It is nil if the operator does not compare with patterns.
	escaped   func(value, wanted string) bool
	valid     func(wanted string) bool
	isNegated bool // true if the condition holds when no value matches
}

var conditionOperators = map[string]conditionOperator{
	"stringequals":              {match: func(v, w string) bool { return v == w }},
	"stringnotequals":           {match: func(v, w string) bool { return v == w }, isNegated: true},
	"stringequalsignorecase":    {match: strings.EqualFold},
	"stringnotequalsignorecase": {match: strings.EqualFold, isNegated: true},
	"stringlike":                {match: like, escaped: escapedLike},
	"stringnotlike":             {match: like, escaped: escapedLike, isNegated: true},
	"arnequals":                 {match: arnLike(like), escaped: arnLike(escapedLike)},
	"arnlike":                   {match: arnLike(like), escaped: arnLike(escapedLike)},
	"arnnotequals":              {match: arnLike(like), escaped: arnLike(escapedLike), isNegated: true},
	"arnnotlike":                {match: arnLike(like), escaped: arnLike(escapedLike), isNegated: true},
	"binaryequals":              {match: func(v, w string) bool { return v == w }},
	"bool":                      {match: strings.EqualFold, valid: isBool},
	"ipaddress":                 {match: inNetwork, valid: isNetwork},
	"notipaddress":              {match: inNetwork, valid: isNetwork, isNegated: true},
	"numericequals":             {match: compareNumbers(func(v, w float64) bool { return v == w }), valid: isNumber},
	"numericnotequals":          {match: compareNumbers(func(v, w float64) bool { return v == w }), valid: isNumber, isNegated: true},
	"numericlessthan":           {match: compareNumbers(func(v, w float64) bool { return v < w }), valid: isNumber},
	"numericlessthanequals":     {match: compareNumbers(func(v, w float64) bool { return v <= w }), valid: isNumber},
	"numericgreaterthan":        {match: compareNumbers(func(v, w float64) bool { return v > w }), valid: isNumber},
	"numericgreaterthanequals":  {match: compareNumbers(func(v, w float64) bool { return v >= w }), valid: isNumber},
	"dateequals":                {match: compareDates(func(c int) bool { return c == 0 }), valid: isDate},
	"datenotequals":             {match: compareDates(func(c int) bool { return c == 0 }), valid: isDate, isNegated: true},
	"datelessthan":              {match: compareDates(func(c int) bool { return c < 0 }), valid: isDate},
	"datelessthanequals":        {match: compareDates(func(c int) bool { return c <= 0 }), valid: isDate},
	"dategreaterthan":           {match: compareDates(func(c int) bool { return c > 0 }), valid: isDate},
	"dategreaterthanequals":     {match: compareDates(func(c int) bool { return c >= 0 }), valid: isDate},
}

// conditions has all conditions of a statement, each of which must hold.
type conditions []condition

// UnmarshalJSON decodes {operator: {key: value or list of values}}. It fails for an unknown operator or
// key, and for an invalid value.
func (cs *conditions) UnmarshalJSON(data []byte) error {
	var blocks map[string]map[string]oneOrMany[any]
	if json.Unmarshal(data, &blocks) != nil || blocks == nil {
		return malformedPolicy("Policies must be valid JSON and the first byte must be '{'")
	}
	for operator, block := range blocks {
		if len(block) == 0 {
			return malformedPolicy("Condition %s has no key", operator)
		}
		for key, values := range block {
			c, err := newCondition(operator, key, values)
			if err != nil {
				return err
			}
			*cs = append(*cs, c)
		}
	}
	return nil
}

// newCondition returns the condition {operator: {key: values}} of a policy.
func newCondition(operator, key string, values []any) (condition, error) {
	c := condition{key: conditionKey(key)}
	if !c.setOperator(operator) {
		return c, malformedPolicy("Invalid Condition type : %s", operator)
	}
	if !knownConditionKey(c.key) {
		return c, malformedPolicy("Policy has an invalid condition key: %s", key)
	}
	if len(values) == 0 {
		return c, malformedPolicy("Condition %s of key %s has no value", operator, key)
	}

	for _, value := range values {
		// A value may be a string, a number or a boolean.
		text, isValid := conditionText(value)
		if isValid && c.operator.valid != nil {
			isValid = c.operator.valid(text)
		}
		if !isValid {
			return c, malformedPolicy("Invalid value of condition %s with key %s", operator, key)
		}

		// A copy source is the same with and without a slash at its start.
		if c.key == "s3:x-amz-copy-source" {
			text = strings.TrimPrefix(text, "/")
		}
		c.values = append(c.values, text)
	}
	return c, nil
}

// setOperator sets the operator of the condition from its name in a policy, such as
// "ForAnyValue:StringLikeIfExists", or returns false if there is no such operator.
func (c *condition) setOperator(text string) bool {
	name := strings.ToLower(text)
	for _, quantifier := range []string{"ForAllValues", "ForAnyValue"} {
		if rest, ok := strings.CutPrefix(name, strings.ToLower(quantifier)+":"); ok {
			c.quantifier = quantifier
			name = rest
		}
	}

	// The operator Null, which asks whether the key is missing, has no variant with IfExists.
	if name == "null" {
		c.null = true
		c.operator.valid = isBool
		return true
	}

	baseName, ifExists := strings.CutSuffix(name, "ifexists")
	operator, ok := conditionOperators[baseName]
	c.operator = operator
	c.ifExists = ifExists
	return ok
}

// conditionText converts a JSON value to a string for comparison, or returns false for a list, an object or
// null.
func conditionText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

// matches reports whether the condition is true for a request. If the request does not have the key, only
// a negated operator and few others are true.
func (c *condition) matches(r *Request) bool {
	values, hasKey := r.values(c.key)
	if c.null {
		return c.matchesNull(hasKey)
	}

	// Without a quantifier, a negated operator must hold for all values, and any other one for one of them.
	isNegatedAlone := c.quantifier == "" && c.operator.isNegated
	needsAll := c.quantifier == "ForAllValues" || isNegatedAlone
	hasValue := hasKey && len(values) > 0
	if !hasValue {
		// An operator that must hold for all values holds for none.
		return c.ifExists || needsAll
	}
	if !needsAll {
		return slices.ContainsFunc(values, c.accepts)
	}
	for _, value := range values {
		if !c.accepts(value) {
			return false
		}
	}
	return true
}

// matchesNull reports whether the operator Null is true: its value "true" demands that the request does not
// have the key, and "false" that it has the key.
func (c *condition) matchesNull(hasKey bool) bool {
	return slices.ContainsFunc(c.values, func(v string) bool {
		needsKey := !strings.EqualFold(v, "true")
		return needsKey == hasKey
	})
}

// accepts reports whether the condition is true for one value of its key.
func (c *condition) accepts(value string) bool {
	matches := slices.ContainsFunc(c.values, func(wanted string) bool { return c.operator.match(value, wanted) })
	return matches != c.operator.isNegated
}

func like(value, pattern string) bool        { return wildcard.Match(pattern, value) }
func escapedLike(value, pattern string) bool { return wildcard.MatchEscaped(pattern, value) }

// arnLike returns an operator that compares an ARN with a pattern. Both have six parts, and the function like
// compares each part with that of the pattern.
func arnLike(like func(value, pattern string) bool) func(value, pattern string) bool {
	const partCount = 6
	return func(value, pattern string) bool {
		values := strings.SplitN(value, ":", partCount)
		patterns := strings.SplitN(pattern, ":", partCount)
		// A text that is not an ARN must be equal, unless the pattern is a star.
		if len(values) != partCount || len(patterns) != partCount {
			return pattern == "*" || value == pattern
		}
		for i := range values {
			if !like(values[i], patterns[i]) {
				return false
			}
		}
		return true
	}
}

// unescape makes "${*}", "${?}" and "${$}" in the values match only the characters "*", "?" and "$". It must be
// called for a policy that may have such variables.
func (cs conditions) unescape() {
	for i := range cs {
		c := &cs[i]
		if c.operator.escaped != nil {
			c.operator.match = c.operator.escaped
			continue
		}

		// The operator does not compare with patterns, so the characters have no other meaning.
		for j, value := range c.values {
			c.values[j] = wildcard.Unescape(value)
		}
	}
}

func isBool(text string) bool {
	return strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// compareNumbers returns an operator that compares two numbers, and is false unless both are numbers.
func compareNumbers(compare func(value, wanted float64) bool) func(value, wanted string) bool {
	return func(value, wanted string) bool {
		number, err := strconv.ParseFloat(value, 64)
		wantedNumber, wantedErr := strconv.ParseFloat(wanted, 64)
		return err == nil && wantedErr == nil && compare(number, wantedNumber)
	}
}

// parseDate parses a date in ISO 8601, or a number of seconds since 1970.
func parseDate(text string) (time.Time, bool) {
	// A number of four digits is a year.
	const yearLength = len("2006")
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err == nil && len(text) > yearLength {
		return time.Unix(seconds, 0), true
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly, "2006-01", "2006"} {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func isDate(text string) bool {
	_, ok := parseDate(text)
	return ok
}

// compareDates returns an operator that compares the date in the request with that in the policy. The operator is true
// if accept returns true for the result of the comparison: -1, 0 or 1.
func compareDates(accept func(order int) bool) func(value, wanted string) bool {
	return func(value, wanted string) bool {
		date, ok := parseDate(value)
		wantedDate, wantedOK := parseDate(wanted)
		return ok && wantedOK && accept(date.Compare(wantedDate))
	}
}

// parseNetwork parses a CIDR block, or an IP address as a block of one address.
func parseNetwork(text string) (netip.Prefix, bool) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return network, true
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(address, address.BitLen()), true
}

func isNetwork(text string) bool {
	_, ok := parseNetwork(text)
	return ok
}

func inNetwork(value, wanted string) bool {
	address, err := netip.ParseAddr(value)
	network, ok := parseNetwork(wanted)
	return err == nil && ok && network.Contains(address.Unmap().WithZone(""))
}

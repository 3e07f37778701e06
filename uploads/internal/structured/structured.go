// Package structured parses the structured fields of RFC 9651 that the IETF's draft of resumable
// uploads uses.
package structured

import (
	"regexp"
	"strconv"
	"strings"
)

const bareItem = `(?:-?[0-9]{1,15}` + // Integer
	`|-?[0-9]{1,12}\.[0-9]{1,3}` + // Decimal
	`|"(?:[ !#-\[\]-~]|\\["\\])*"` + // String
	"|[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*" + // Token
	`|:[A-Za-z0-9+/=]*:` + // Byte Sequence
	`|\?[01]` + // Boolean
	`|@-?[0-9]{1,15}` + // Date
	`|%"(?:[ !#$&-~]|%[0-9a-f]{2})*")` // Display String

var item = regexp.MustCompile(`^ *(` + bareItem + `)(?:; *[a-z*][a-z0-9_.*-]*(?:=` + bareItem + `)?)* *$`)

// itemValue returns the value of an Item without its parameters, or "" if the header lines of the field
// are not one Item.
func itemValue(lines []string) string {
	names := item.FindStringSubmatch(strings.Join(lines, ", "))
	if names == nil {
		return ""
	}
	return names[1]
}

// Integer returns the value of an Item that is an Integer. lines are the values of all header lines
// with the field's name. If they are anything else, ok is false.
func Integer(lines []string) (n int64, ok bool) {
	n, err := strconv.ParseInt(itemValue(lines), 10, 64)
	return n, err == nil
}

// Boolean returns the value of an Item that is a Boolean. lines are the values of all header lines
// with the field's name. If they are anything else, ok is false.
func Boolean(lines []string) (value, ok bool) {
	text := itemValue(lines)
	return text == "?1", text == "?0" || text == "?1"
}

package storage

import (
	"strings"

	"github.com/omnibucket/storage/internal/keyrule"
)

// checkReadKey implements rule K2: objects that other tools wrote can be read.
func (c *core) checkReadKey(key string) *Error {
	if rule := keyrule.Any(key); rule != "" {
		return invalid("key", rule)
	}
	return c.checkLeadingSlash(key)
}

// checkLeadingSlash returns Unsupported for a key or prefix that begins with "/" if the store may
// take another object for it.
func (c *core) checkLeadingSlash(key string) *Error {
	if !strings.HasPrefix(key, "/") {
		return nil
	}
	return c.need(LeadingSlashes, `a key or prefix that begins with "/"`)
}

// checkPrefix implements the part of rule K5 that makes Prefixed safe: "users/1" would reach
// users/10.
func checkPrefix(prefix string) *Error {
	if !strings.HasSuffix(prefix, "/") {
		return invalid("prefix", `must consist of whole segments and end in "/"`)
	}
	if rule := keyrule.Write(prefix[:len(prefix)-1]); rule != "" {
		return invalid("prefix", "must consist of valid segments: key "+rule)
	}
	return nil
}

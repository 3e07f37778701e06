package engine

import (
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/keyrule"
)

// checkReadKey implements rule K2: objects that other tools wrote can be read.
func (c *core) checkReadKey(key string) *storage.Error {
	if rule := keyrule.Any(key); rule != "" {
		return invalid("key", rule)
	}
	return c.checkLeadingSlash(key)
}

// checkLeadingSlash returns Unsupported for a key or prefix that begins with "/" if the store may
// take another object for it.
func (c *core) checkLeadingSlash(key string) *storage.Error {
	if !strings.HasPrefix(key, "/") {
		return nil
	}
	return c.need(storage.LeadingSlashes, `a key or prefix that begins with "/"`)
}

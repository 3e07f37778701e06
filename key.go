package storage

import (
	"strings"

	"github.com/omnibucket/storage/internal/keyrule"
)

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

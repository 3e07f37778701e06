package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/unexported"
)

func (b *bucket) Supports(features storage.Features) bool { return b.core.has(features) }

// has reports whether the features f are in force.
func (c *core) has(f storage.Features) bool { return c.features&f == f }

// need returns Unsupported if the driver does not declare f.
func (c *core) need(f storage.Features, what string) *storage.Error {
	if c.has(f) {
		return nil
	}
	hint := c.desc.FeatureHint
	if hint != "" {
		hint = c.driver.Describe().FeatureHint
	}
	if f == storage.Versioning && c.desc.Features&f != 0 { // the bucket was not opened with versions
		hint = "if the bucket keeps versions, open it with WithVersions or versions=true"
	}
	return unsupported(c.desc.Provider+" does not support "+what+" here", hint)
}

// needVersion returns Unsupported if WithVersion was given and the bucket keeps no versions.
func (c *core) needVersion(s *unexported.Settings) *storage.Error {
	if !s.Version {
		return nil
	}
	return c.need(storage.Versioning, "WithVersion")
}

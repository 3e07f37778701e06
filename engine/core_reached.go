package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/unexported"
)

// Functions of the API that need more of a bucket than its methods call these. Their results have
// types of internal packages, so that nobody else can.

// Narrow returns what outer shows of b.
func (b *bucket) Narrow(outer scope.Scope) storage.Bucket {
	return &bucket{core: b.core, scope: b.scope.In(outer)}
}

func (b *bucket) Scope() *scope.Scope { return &b.scope }

func (b *bucket) Place() (provider, location, bucket string) {
	return b.core.desc.Provider, b.core.desc.Location, b.core.desc.Bucket
}

func (b *bucket) Core() unexported.Core { return b.core }

func (c *core) Stored() (account any, bucket string) {
	ref := c.driver.Locate("")
	return ref.Account, ref.Bucket
}

func (c *core) Places() []evidence.Place {
	if c.desc.Places != nil {
		return c.desc.Places()
	}
	return driver.PlacesOf(c.driver)
}

// Identity names the place of the bucket and the layers on the way there.
func (c *core) Identity() string { return driver.StackIdentity(c.driver) }

func (b *bucket) BufferLimit() *buffer.Limit { return b.core.bufferLimit }

func (c *core) Client() any { return c.driver.Native() }

func (b *bucket) Need(f storage.Features, what string) *storage.Error { return b.core.need(f, what) }

func (c *core) RetryPolicy() *backoff.Policy { return c.retry.policy }

// Served is for package serve: it returns the origin, name and signing address of the bucket.
// Like As it returns nothing for results of Ref and Prefixed, whose holder must not reach the
// rest of the bucket.
func (b *bucket) Served(serving.Token) (origin any, name, baseURL string) {
	if !b.scope.Whole() || b.core.optionError != nil {
		return nil, "", ""
	}
	return b.core.desc.Origin, b.core.desc.Bucket, b.core.signingBaseURL
}

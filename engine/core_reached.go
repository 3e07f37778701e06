package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/evidence"
)

// Package serving calls the functions of this file, for functions of the API that need more of a core
// than storage.Core has.

// Engine returns the core itself.
func (b bucket) Engine() any { return b.core }

// Place names the bucket.
func (b bucket) Place() storage.Place {
	return storage.Place{Provider: b.core.desc.Provider, Bucket: b.core.desc.Bucket}
}

// Located returns Description's Provider, Location and Bucket.
func (c *core) Located() (provider, location, bucket string) {
	return c.desc.Provider, c.desc.Location, c.desc.Bucket
}

// Native returns the provider's own client.
func (b bucket) Native() any { return b.core.driver.Native() }

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

func (c *core) BufferLimit() *buffer.Limit { return c.bufferLimit }

func (c *core) Need(f storage.Features, what string) *storage.Error { return c.need(f, what) }

func (c *core) RetryPolicy() *backoff.Policy { return c.retry.policy }

// Served is for package serve: it returns the origin, name and signing address of the bucket.
func (c *core) Served() (origin any, name, baseURL string) {
	if c.optionError != nil {
		return nil, "", ""
	}
	return c.desc.Origin, c.desc.Bucket, c.signingBaseURL
}

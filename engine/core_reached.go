package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/backoff"
	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/evidence"
)

// Some functions of the API need methods that storage.Core lacks. This file defines the missing
// methods. Package serving calls them for those functions of the API.

// Engine returns the core, which has the methods that storage.Core lacks.
func (b bucket) Engine() any { return b.core }

// Place returns the provider and the name of the bucket.
func (b bucket) Place() storage.Place {
	return storage.Place{Provider: b.core.desc.Provider, Bucket: b.core.desc.Bucket}
}

// Located returns the Provider, Location and Bucket of the driver's Description.
func (c *core) Located() (provider, location, bucket string) {
	return c.desc.Provider, c.desc.Location, c.desc.Bucket
}

// Native returns the provider's own client, such as that of an SDK.
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

// Identity returns a text that identifies the bucket and the layers around it.
func (c *core) Identity() string { return driver.StackIdentity(c.driver) }

func (c *core) BufferLimit() *buffer.Limit { return c.bufferLimit }

// Need returns Unsupported, with a hint, if the bucket does not have the features f. The parameter
// what is the name of the call or option that needs the features.
func (c *core) Need(f storage.Features, what string) *storage.Error {
	if f&signing != 0 && !c.has(storage.SignedURLs) {
		return c.needSigning(f, what)
	}
	return c.need(f, what)
}

func (c *core) RetryPolicy() *backoff.Policy { return c.retry.policy }

// Served returns the origin, name and signing base URL of the bucket, for the handler of package
// serve.
func (c *core) Served() (origin any, name, baseURL string) {
	if c.optionError != nil {
		return nil, "", ""
	}
	return c.desc.Origin, c.desc.Bucket, c.signingBaseURL
}

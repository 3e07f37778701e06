package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/serving"
)

// Some functions of the API need facts that no method of storage.Core reports. This file defines the
// methods that report them. Package serving calls them for those functions of the API.

// init lets package serving find the engine of a Core, which is nil for a Core of another package.
func init() {
	serving.EngineOf = func(c any) serving.Engine {
		if b, ok := c.(bucket); ok {
			return b.engine
		}
		return nil
	}
}

// Name returns the provider and the name of the bucket.
func (b bucket) Name() (provider, bucket string) {
	return b.engine.desc.Provider, b.engine.desc.Bucket
}

// Located returns the Provider, Location and Bucket of the driver's Description.
func (e *engine) Located() (provider, location, bucket string) {
	return e.desc.Provider, e.desc.Location, e.desc.Bucket
}

// Native returns the provider's own client, such as that of an SDK.
func (b bucket) Native() any { return b.engine.driver.Native() }

// SharesAccount reports whether the store's server can copy objects between the buckets of both
// engines.
func (e *engine) SharesAccount(other serving.Engine) bool {
	o, ok := other.(*engine)
	return ok && evidence.EqualValues(e.driver.Locate("").Account, o.driver.Locate("").Account)
}

// Places returns the places where the objects of the bucket are. A bucket behind a layer such as a
// mirror has several.
func (e *engine) Places() []evidence.Place {
	if e.desc.Places != nil {
		return e.desc.Places()
	}
	return driver.PlacesOf(e.driver)
}

// Identity returns a text that identifies the bucket and the layers around it.
func (e *engine) Identity() string { return driver.StackIdentity(e.driver) }

// Hooks returns the hooks of the bucket, for the calls that do not reach the engine.
func (e *engine) Hooks() []storage.Hook { return e.hooks }

func (e *engine) BufferLimit() *buffer.Limit { return e.bufferLimit }

// Need returns Unsupported, with a hint, if the bucket does not have the features f that the call or
// option named what needs.
func (e *engine) Need(f storage.Features, what string) *storage.Error {
	if f&signing != 0 && !e.has(storage.SignedURLs) {
		return e.needSigning(f, what)
	}
	return e.need(f, what)
}

func (e *engine) RetryPolicy() *running.Policy { return e.retry.policy }

// Served returns what the handler of package serve needs, or nothing if an option of the bucket was
// invalid.
func (e *engine) Served() serving.Served {
	if e.optionError != nil {
		return serving.Served{}
	}
	return serving.Served{Origin: e.desc.Origin, Bucket: e.desc.Bucket, BaseURL: e.signingBaseURL}
}

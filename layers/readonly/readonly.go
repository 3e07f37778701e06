// Package readonly refuses every request that would change a bucket, whatever the credentials
// permit.
//
//	bucket, err := storage.Open(ctx, address, driver.WithLayer(readonly.New(readonly.Config{})))
//
// The client of an SDK that [storage.As] returns bypasses the layer.
package readonly

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Config sets up the layer. The zero value has the defaults.
type Config struct {
	// Refusal is the error of a request that is refused. The default has the code
	// PermissionDenied, like the error of a store whose credentials may only read.
	Refusal *storage.Error
}

var errReadOnly = &storage.Error{
	Code: storage.PermissionDenied,
	Err:  errors.New("the bucket was opened for reading only"),
	Hint: "open it without the layer readonly to change it",
}

// New returns the layer. It permits reads of objects, attributes and tags, listings, and signed URLs
// and vended credentials that can only read. All other requests are refused before they reach the
// store.
func New(c Config) driver.Layer {
	if c.Refusal == nil {
		c.Refusal = errReadOnly
	}
	return func(d driver.Driver) driver.Driver {
		return &objectDriver{driver.Intercept(d, c.allowReads), c.Refusal}
	}
}

// allowReads passes on the calls that only read, and refuses all others. It names those that read, so
// that it also refuses a method that a later version of [driver.Driver] adds.
func (c Config) allowReads(ctx context.Context, call string, next func(context.Context) error) error {
	switch call {
	case "Get", "Head", "Tags", "Sign", "Vend":
		return next(ctx)
	}
	if strings.HasPrefix(call, "List") {
		return next(ctx)
	}
	return c.Refusal
}

// An objectDriver refuses to sign requests that change objects. It also refuses to vend credentials
// that permit changes.
type objectDriver struct {
	driver.Driver
	refusal *storage.Error
}

func (d *objectDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.ReadOnly = true
	return desc
}

// Sign signs only requests that read.
func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, d.refusal
	}
	return d.Driver.Sign(ctx, r)
}

// Vend vends only credentials that permit neither writing nor removing.
func (d *objectDriver) Vend(ctx context.Context, r *driver.VendRequest) (*storage.VendedCredentials, error) {
	if r.Rights.Write || r.Rights.Remove {
		return nil, d.refusal
	}
	return d.Driver.Vend(ctx, r)
}

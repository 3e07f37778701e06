// Package readonly refuses every request that would change a bucket, whatever the credentials
// allow.
//
//	bucket, err := storage.Open(ctx, address, driver.WithLayer(readonly.New(readonly.Config{})))
//
// What [storage.As] returns, such as the client of an SDK, passes the layer.
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

// New returns the layer. It refuses all requests but reads of objects, attributes and tags,
// listings, and signatures of reads. Nothing is sent to the store for a refused request.
func New(c Config) driver.Layer {
	if c.Refusal == nil {
		c.Refusal = errReadOnly
	}
	return func(d driver.Driver) driver.Driver { return &objectDriver{driver.Intercept(d, c.pass), c.Refusal} }
}

// pass makes the requests that only read. A method that a later version of [driver.Driver] adds
// is refused until it is named here.
func (c Config) pass(ctx context.Context, call string, next func(context.Context) error) error {
	switch {
	case call == "Get", call == "Head", call == "Tags", call == "Sign", strings.HasPrefix(call, "List"):
		return next(ctx)
	}
	return c.Refusal
}

// An objectDriver signs reads only.
type objectDriver struct {
	driver.Driver
	refusal *storage.Error
}

func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, d.refusal
	}
	return d.Driver.Sign(ctx, r)
}

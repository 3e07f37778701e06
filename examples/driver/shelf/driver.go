// Package shelf is a complete driver: storage.Open(ctx, "shelf://127.0.0.1:8080") opens the object
// store of package shelfserver. docs/writing-a-driver.md explains it.
package shelf

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

func init() {
	engine.Register("shelf", driver.Opener{
		Driver: func(_ context.Context, address *url.URL) (driver.Driver, error) {
			if address.Host == "" || address.Path != "" {
				return nil, &storage.Error{Code: storage.InvalidArgument, Err: errors.New("address must be shelf://host:port")}
			}
			return newDriver(address.Host), nil
		},
	})
}

// An objectDriver is the driver for one shelf, which is one bucket. It keeps no state between
// calls.
type objectDriver struct {
	driver.UnimplementedDriver // returns Unsupported for methods that this driver lacks

	host   string
	client *http.Client
}

var _ driver.Driver = (*objectDriver)(nil)

// newDriver returns the driver for the store at host. It makes no request.
func newDriver(host string) *objectDriver {
	return &objectDriver{
		host: host,
		client: &http.Client{
			Transport: driver.NewTransport(driver.TransportOptions{}),
			// Redirects are not followed: the store sends none, and a body can be sent only once.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Describe declares only the features that the store guarantees. It does not declare features that
// this driver would have to imitate.
func (d *objectDriver) Describe() driver.Description {
	return driver.Description{
		Provider: "shelf",
		Bucket:   "shelf",
		Location: "http://" + d.host,
		Features: storage.OrderedListing | storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes |
			storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove | storage.UniqueRevisions |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.MultipartUploads,
		ASCIIMetadata:  true, // headers hold only ASCII; the engine encodes other text
		CountsRequests: true, // the transport of package driver counts them
		MaxPage:        500,
	}
}

// Put sends the object in one request. The store reads the whole body, compares its checksum, and
// only then replaces the object.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	return d.write(ctx, r, request{method: http.MethodPut, body: r.Body, size: r.Size})
}

// write sends a request that makes an object, for Put or CompleteParts.
func (d *objectDriver) write(ctx context.Context, r *driver.PutRequest, req request) (*storage.Attrs, error) {
	req.key = r.Key
	req.header = headerOf(r)
	var attrs *storage.Attrs
	err := driver.SendWrite(ctx, func(ctx context.Context) error {
		response, err := d.send(ctx, req)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		attrs, err = attrsOf(r.Key, response.Header)
		return err
	})
	return attrs, err
}

// Get opens an object. It returns the body of the response without buffering. Closing the body ends
// a Read that is waiting.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	response, err := d.send(ctx, request{method: http.MethodGet, key: r.Key, header: readHeaderOf(r)})
	if err != nil {
		return nil, nil, err
	}
	attrs, err := attrsOf(r.Key, response.Header)
	if err != nil {
		_ = response.Body.Close()
		return nil, nil, err
	}
	if err := checkRange(r, attrs.Size, response); err != nil {
		_ = response.Body.Close()
		return nil, nil, err
	}
	return attrs, body{response.Body}, nil
}

// A body is the body of a response. If the connection breaks, Read returns a network error. The
// engine then sends another request, and continues to read at the same offset.
type body struct{ io.ReadCloser }

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = driver.NetworkError(err)
	}
	return n, err
}

func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	response, err := d.send(ctx, request{method: http.MethodHead, key: r.Key, header: conditionHeader(r.Condition)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return attrsOf(r.Key, response.Header)
}

// Delete removes an object. If the object does not exist, it returns nil.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	return d.remove(ctx, request{key: r.Key, header: conditionHeader(r.Condition)})
}

// remove deletes an object or an upload. If there is none, it returns nil.
func (d *objectDriver) remove(ctx context.Context, req request) error {
	req.method = http.MethodDelete
	return driver.SendWrite(ctx, func(ctx context.Context) error {
		response, err := d.send(ctx, req)
		if storage.CodeOf(err) == storage.ObjectNotFound && !errors.Is(err, storage.OutcomeUnknown) {
			// The response is from a shelf and not from a gateway, so the object does not exist.
			return nil
		}
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// Close closes the idle connections.
func (d *objectDriver) Close() error {
	d.client.CloseIdleConnections()
	return nil
}

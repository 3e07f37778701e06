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

// An objectDriver is one shelf. It keeps no state between calls.
type objectDriver struct {
	driver.UnimplementedDriver // Unsupported for everything that is not here

	host   string
	client *http.Client
}

var _ driver.Driver = (*objectDriver)(nil)

// newDriver makes no request.
func newDriver(host string) *objectDriver {
	return &objectDriver{host: host, client: &http.Client{
		Transport: driver.NewTransport(driver.TransportOptions{}),
		// A redirect is an error: the store has none, and a body can be sent only once.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Describe declares what the store guarantees, and nothing that this driver would have to imitate.
func (d *objectDriver) Describe() driver.Description {
	return driver.Description{
		Provider: "shelf", Bucket: "shelf", Location: "http://" + d.host,
		Features: storage.OrderedListing | storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes |
			storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove | storage.UniqueRevisions |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.MultipartUploads,
		ASCIIMetadata:  true, // headers hold nothing else: the core encodes other text
		CountsRequests: true, // the transport of package driver does
		MaxPage:        500,
	}
}

// Put sends the object in one request. The store reads the whole body, compares its checksum, and
// only then replaces the object.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	return d.write(ctx, r, request{method: http.MethodPut, body: r.Body, size: r.Size})
}

// write sends a request that makes an object: a Put, or the end of an upload in parts.
func (d *objectDriver) write(ctx context.Context, r *driver.PutRequest, out request) (*storage.Attrs, error) {
	out.key, out.header = r.Key, headerOf(r)
	var attrs *storage.Attrs
	err := driver.SendWrite(ctx, func(ctx context.Context) error {
		response, err := d.send(ctx, out)
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		attrs, err = attrsOf(r.Key, response.Header)
		return err
	})
	return attrs, err
}

// Get returns the response's body as it comes. Its Close ends a Read that waits.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	response, err := d.send(ctx, request{method: http.MethodGet, key: r.Key, header: readHeaderOf(r)})
	if err != nil {
		return nil, nil, err
	}
	attrs, err := attrsOf(r.Key, response.Header)
	if err == nil {
		err = checkRange(r, attrs.Size, response)
	}
	if err != nil {
		_ = response.Body.Close()
		return nil, nil, err
	}
	return attrs, body{response.Body}, nil
}

// A body is that of a response. A connection that breaks is an error that the core knows how to
// handle: it reads on from where the body ended.
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

// Delete succeeds if the object is not there.
func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	return d.remove(ctx, request{key: r.Key, header: conditionHeader(r.Condition)})
}

// remove deletes an object or an upload.
func (d *objectDriver) remove(ctx context.Context, out request) error {
	out.method = http.MethodDelete
	return driver.SendWrite(ctx, func(ctx context.Context) error {
		response, err := d.send(ctx, out)
		if storage.CodeOf(err) == storage.ObjectNotFound && !errors.Is(err, storage.OutcomeUnknown) {
			return nil // a shelf says so, and not a gateway
		}
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// Close ends the connections that no request uses.
func (d *objectDriver) Close() error {
	d.client.CloseIdleConnections()
	return nil
}

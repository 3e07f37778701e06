// Package meter counts the requests and bytes of buckets, by the classes that providers bill.
//
//	m := meter.New()
//	bucket, err := storage.Open(ctx, address, driver.WithLayer(m.Layer()))
//	…
//	fmt.Println(m.Counts())
//
// Make the layer the innermost one, so that it counts exactly the requests that the store receives.
// If several buckets are opened with it, it counts the sum of their requests.
package meter

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/internal/requestclass"
)

// Counts has numbers of requests and bytes. Every attempt counts, even if it fails. A removal of
// many objects in one request counts once. A copy by the provider also counts once, even if it has
// several parts.
type Counts struct {
	Reads    int64 // reads of objects, their attributes and tags: S3's GET, Google's class B, Azure's read operations
	Writes   int64 // writes, tags, locks, copies: S3's PUT, COPY and POST, Google's class A, Azure's write operations
	Lists    int64 // pages of objects, versions, parts and multipart uploads; S3 and Google bill them as writes
	Removals int64 // removals of objects, versions and multipart uploads, which are free in most storage classes

	Sent     int64 // bytes of objects and parts that were stored
	Received int64 // bytes of objects that were read
}

// String returns the counts for a person.
func (c Counts) String() string {
	return fmt.Sprintf("%d reads, %d writes, %d lists, %d removals; %d bytes sent, %d received",
		c.Reads, c.Writes, c.Lists, c.Removals, c.Sent, c.Received)
}

// A Meter counts requests and bytes. Its methods can be called by several goroutines at the same
// time.
type Meter struct {
	reads, writes, lists, removals, sent, received atomic.Int64
}

// New returns a meter that has counted nothing.
func New() *Meter { return &Meter{} }

// Counts returns what was counted since New.
func (m *Meter) Counts() Counts {
	return Counts{
		Reads:    m.reads.Load(),
		Writes:   m.writes.Load(),
		Lists:    m.lists.Load(),
		Removals: m.removals.Load(),
		Sent:     m.sent.Load(),
		Received: m.received.Load(),
	}
}

// Layer returns a layer for buckets. The layer adds their requests and bytes to the counts of m.
func (m *Meter) Layer() driver.Layer {
	return func(d driver.Driver) driver.Driver { return &objectDriver{driver.Intercept(d, m.request), m} }
}

// request counts a request by its class. call is the name of the driver's method.
func (m *Meter) request(ctx context.Context, call string, next func(context.Context) error) error {
	switch requestclass.Of(call) {
	case requestclass.Read:
		m.reads.Add(1)
	case requestclass.List:
		m.lists.Add(1)
	case requestclass.Removal:
		m.removals.Add(1)
	case requestclass.Write:
		m.writes.Add(1)
	}
	return next(ctx)
}

// An objectDriver counts the bytes that it sends and receives.
type objectDriver struct {
	driver.Driver
	meter *Meter
}

// Put counts the bytes of an upload.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Put(ctx, r)
	if err != nil {
		return attrs, err
	}
	// attrs.Size is 0 after most writes, and r.Size is -1 for a stream.
	d.meter.sent.Add(max(r.Size, attrs.Size))
	return attrs, nil
}

// Compose counts the bytes that Append adds to an object.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Compose(ctx, r)
	if err == nil {
		d.meter.sent.Add(int64(len(r.Tail)))
	}
	return attrs, err
}

// PutPart counts the bytes of a part.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	part, err := d.Driver.PutPart(ctx, r)
	if err != nil {
		return part, err
	}
	d.meter.sent.Add(max(r.Size, part.Size))
	return part, nil
}

// CompleteParts counts the bytes of the last part, if it sends one.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.CompleteParts(ctx, r)
	if err == nil && r.Last != nil {
		d.meter.sent.Add(r.Last.Size)
	}
	return attrs, err
}

// Get returns a body that counts the bytes that are read from it.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if body != nil {
		body = &receivedBody{ReadCloser: body, received: &d.meter.received}
	}
	return attrs, body, err
}

// A receivedBody counts the bytes that are read.
type receivedBody struct {
	io.ReadCloser
	received *atomic.Int64
}

func (b *receivedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.received.Add(int64(n))
	return n, err
}

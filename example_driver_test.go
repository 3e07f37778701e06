package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// A mapDriver keeps objects in a map. Its whole test is storagetest.RunDriver, in
// driver_test.go.
type mapDriver struct {
	driver.UnimplementedDriver // Unsupported for everything that is not here

	mu      sync.Mutex
	objects map[string]mapObject
	writes  int // numbers the revisions
}

// A mapObject is never changed once it is in the map.
type mapObject struct {
	storage.Properties
	key, revision string
	data          []byte
	crc32c        uint32
	modified      time.Time
}

var _ driver.Driver = (*mapDriver)(nil)

func (d *mapDriver) Describe() driver.Description {
	return driver.Description{
		Provider: "map",
		Bucket:   "example",
		Local:    true, // no connection can break
		Features: driver.StreamingPut | storage.OrderedListing | storage.UniqueRevisions |
			storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes,
	}
}

// Put reads the whole body before it changes anything, and takes the lock only then.
func (d *mapDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	data, err := io.ReadAll(r.Body)
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	sum := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	if r.CRC32C.Known && r.CRC32C.Sum != sum { // known at the latest when the body has ended
		return nil, storage.ChecksumMismatch
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old, exists := d.objects[r.Key]
	if r.Condition.Absent && exists || r.Condition.Revision != "" && r.Condition.Revision != old.revision {
		return nil, storage.PreconditionFailed
	}
	d.writes++
	o := mapObject{r.Properties, r.Key, strconv.Itoa(d.writes), data, sum, time.Now().UTC()}
	d.objects[r.Key] = o
	return o.attrs(), nil
}

// attrs returns Attrs that share nothing with the object but the metadata.
func (o mapObject) attrs() *storage.Attrs {
	return &storage.Attrs{
		Key:        o.key,
		Size:       int64(len(o.data)),
		Properties: o.Properties,
		ETag:       strconv.Quote(o.revision),
		Revision:   o.revision,
		Modified:   o.modified,
		CRC32C:     storage.CRC32C{Sum: o.crc32c, Known: true},
	}
}

func (d *mapDriver) Get(_ context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	d.mu.Lock()
	o, exists := d.objects[r.Key]
	d.mu.Unlock()
	if !exists {
		return nil, nil, storage.ObjectNotFound
	}
	if r.Condition.Revision != "" && r.Condition.Revision != o.revision {
		return nil, nil, storage.PreconditionFailed
	}
	if r.Condition.NotRevision == o.revision {
		return nil, nil, storage.NotModified
	}
	start, end, err := r.Span(int64(len(o.data)))
	if err != nil {
		return nil, nil, err
	}
	return o.attrs(), io.NopCloser(bytes.NewReader(o.data[start:end])), nil
}

func (d *mapDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, _, err := d.Get(ctx, r) // a body in memory costs nothing and needs no Close
	return attrs, err
}

// List sorts all keys. Its token is the last entry of the page.
func (d *mapDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	page := &storage.Page{}
	last := max(r.StartAfter, r.Token)
	for _, key := range slices.Sorted(maps.Keys(d.objects)) {
		o := d.objects[key].attrs()
		entry := storage.ListEntry{Key: key, Size: o.Size, ETag: o.ETag, Revision: o.Revision, Modified: o.Modified}
		rest, matches := strings.CutPrefix(key, r.Prefix)
		if name, _, below := strings.Cut(rest, r.Delimiter); below && r.Delimiter != "" {
			entry = storage.ListEntry{Key: r.Prefix + name + r.Delimiter, IsPrefix: true}
		}
		if !matches || entry.Key <= last {
			continue
		}
		if len(page.Entries) == r.Limit {
			page.Token = last
			break
		}
		page.Entries = append(page.Entries, entry)
		last = entry.Key
	}
	return page, ctx.Err()
}

func (d *mapDriver) Delete(_ context.Context, r *driver.DeleteRequest) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o, exists := d.objects[r.Key]; exists && r.Condition.Revision != "" && r.Condition.Revision != o.revision {
		return storage.PreconditionFailed
	}
	delete(d.objects, r.Key)
	return nil
}

// A driver is all that a store needs to become a Bucket.
func ExampleDriver() {
	bucket := engine.New(&mapDriver{objects: map[string]mapObject{}})
	_, err := bucket.Upload(context.Background(), "hello.txt", strings.NewReader("Hello!"))
	if err != nil {
		fmt.Println(err)
		return
	}
	text, attrs, err := storage.ReadAll(context.Background(), bucket, "hello.txt")
	fmt.Println(string(text), attrs.ContentType, err)
	// Output: Hello! text/plain; charset=utf-8 <nil>
}

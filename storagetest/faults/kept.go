package faults

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// maxFileName is the longest file name that usual file systems permit, in bytes.
const maxFileName = 255

// checkAttributes fails with Internal if a write has attributes that the store does not keep, and
// with Unsupported if a file system could not hold its key.
func (d *limited) checkAttributes(ctx context.Context, key string, p *storage.Properties) error {
	if len(p.Metadata) > 0 && !d.has(storage.Metadata) {
		return limitError("metadata without Metadata")
	}
	hasHeaders := p.ContentEncoding != "" || p.ContentDisposition != "" || p.ContentLanguage != "" || p.CacheControl != ""
	if hasHeaders && !d.has(storage.ContentProperties) {
		return limitError("a header attribute without ContentProperties")
	}
	if !d.has(storage.LongSegments) && longestSegment(key) > maxFileName {
		return limitError("a segment of %d bytes without LongSegments", longestSegment(key))
	}
	if d.folders {
		return d.checkFolders(ctx, key)
	}
	return nil
}

// longestSegment returns the length in bytes of the longest segment of key.
func longestSegment(key string) int {
	longest := 0
	for segment := range strings.SplitSeq(key, "/") {
		longest = max(longest, len(segment))
	}
	return longest
}

// checkFolders fails with Unsupported if a file system, where a path is either a file or a
// directory, could not hold key beside the existing keys.
func (d *limited) checkFolders(ctx context.Context, key string) error {
	// No folder of the key may be an object.
	for i := range key {
		if key[i] != '/' {
			continue
		}
		_, err := d.Driver.Head(ctx, &driver.GetRequest{Key: key[:i], Length: -1})
		if err == nil {
			return storage.Unsupported
		}
		if !errors.Is(err, storage.ObjectNotFound) {
			return err
		}
	}

	// The key itself may not be a folder.
	page, err := d.Driver.List(ctx, &driver.ListRequest{Prefix: key + "/", Delimiter: "/", Limit: 1})
	if err != nil {
		return err
	}
	if len(page.Entries) > 0 {
		return storage.Unsupported
	}
	return nil
}

// Get returns no checksum if the feature StoredChecksums is disabled.
func (d *limited) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	return d.withoutChecksum(attrs), body, err
}

// Head returns no checksum if the feature StoredChecksums is disabled.
func (d *limited) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	return d.withoutChecksum(attrs), err
}

// withoutChecksum removes the checksum from attrs if the store keeps none.
func (d *limited) withoutChecksum(attrs *storage.Attrs) *storage.Attrs {
	if attrs != nil && !d.has(storage.StoredChecksums) {
		attrs.CRC32C = storage.CRC32C{}
	}
	return attrs
}

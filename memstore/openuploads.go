package memstore

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// ListParts returns a page of the parts that the upload has so far, sorted by number, after the
// part r.After.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	b, err := d.openToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	u, err := b.findUpload(r.Key, r.Upload)
	if err != nil {
		return nil, err
	}

	page := &driver.PartPage{}
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		if number <= r.After {
			continue
		}
		// This part is the first of the next page.
		if len(page.Parts) == r.Limit {
			page.More = true
			break
		}
		page.Parts = append(page.Parts, u.parts[number].describe(number))
	}
	return page, nil
}

// ListUploads returns a page of the uploads in progress, in the order of their names.
func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	b, err := d.openToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()

	page := &driver.UploadPage{}
	for _, name := range slices.Sorted(maps.Keys(b.uploads)) {
		u := b.uploads[name]
		if name <= r.Token || !strings.HasPrefix(u.key, r.Prefix) {
			continue
		}
		if len(page.Uploads) == r.Limit {
			page.Token = page.Uploads[r.Limit-1].Upload
			break
		}
		page.Uploads = append(page.Uploads, storage.UploadEntry{Key: u.key, Upload: name, Begun: u.created})
	}
	return page, nil
}

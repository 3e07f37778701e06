package s3server

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// listUploads reads the records of all uploads, of which there are few, and keeps one page of them.
func (s *driverStore) listUploads(ctx context.Context, bucket string, l listing, after uploadPosition, show func(u *upload, common string)) (more bool, err error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return false, err
	}
	records, err := b.openRecords(ctx, false)
	if err != nil || records == nil {
		return false, err
	}
	page := &uploadPage{most: l.max + 1}
	var marker *upload
	if after.id != "" {
		if marker, err = b.uploads.upload(ctx, after.id); s3error.Is(err, "NoSuchUpload") {
			err = nil
		}
	}
	if err != nil {
		return false, err
	}
	err = records.each(ctx, "uploads/", "", func(name string) (bool, error) {
		u, err := b.uploads.upload(ctx, strings.TrimPrefix(name, "uploads/"))
		if err != nil {
			if s3error.Is(err, "NoSuchUpload") {
				err = nil
			}
			return true, err
		}
		common, rolled := l.commonPrefix(u.key)
		later := u.key > after.key || marker != nil && u.key == after.key && compareUploads(u, marker) > 0
		if strings.HasPrefix(u.key, l.prefix) && later && !(rolled && common == after.key) {
			page.add(u, common)
		}
		return true, nil
	})
	if err != nil {
		return false, driverError(err, bucket)
	}
	for i, item := range page.items {
		if i == l.max {
			return true, nil
		}
		if item.common != "" {
			show(nil, item.common)
		} else {
			show(item.upload, "")
		}
	}
	return false, nil
}

func compareUploads(a, b *upload) int {
	return cmp.Or(strings.Compare(a.key, b.key), a.initiated.Compare(b.initiated), strings.Compare(a.id, b.id))
}

// An uploadPage keeps the first of the uploads and common prefixes that are added.
type uploadPage struct {
	most  int
	items []uploadItem
}

type uploadItem struct {
	upload *upload
	common string // not "": the item is this prefix
}

func (p *uploadPage) add(u *upload, common string) {
	item := uploadItem{u, common}
	i, found := slices.BinarySearchFunc(p.items, item, compareItems)
	if found {
		return
	}
	p.items = slices.Insert(p.items, i, item)
	p.items = p.items[:min(len(p.items), p.most)]
}

func compareItems(a, b uploadItem) int {
	if a.common != "" || b.common != "" {
		return cmp.Or(strings.Compare(cmp.Or(a.common, a.upload.key), cmp.Or(b.common, b.upload.key)))
	}
	return compareUploads(a.upload, b.upload)
}

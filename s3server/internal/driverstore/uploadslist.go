package driverstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// ListUploads reads the records of all uploads, of which there are few, and keeps one page of them.
func (s *Store) ListUploads(ctx context.Context, bucket string, l state.Listing, after state.UploadPosition, show func(u *state.Upload, common string)) (more bool, err error) {
	b, _, err := s.bucketOf(ctx, bucket)
	if err != nil {
		return false, err
	}
	records, err := b.openRecords(ctx, false)
	if err != nil || records == nil {
		return false, err
	}
	page := &uploadPage{most: l.Max + 1}
	err = records.each(ctx, "uploads/", "", func(name string) (bool, error) {
		u, err := b.uploads.upload(ctx, strings.TrimPrefix(name, "uploads/"))
		if err != nil {
			if s3error.Is(err, "NoSuchUpload") {
				err = nil
			}
			return true, err
		}
		common, rolled := l.CommonPrefix(u.Key)
		if strings.HasPrefix(u.Key, l.Prefix) && after.Before(u) && !(rolled && common == after.Key) {
			page.add(u, common)
		}
		return true, nil
	})
	if err != nil {
		return false, ErrorOf(err, bucket)
	}
	for i, item := range page.items {
		if i == l.Max {
			return l.Max > 0, nil
		}
		if item.common != "" {
			show(nil, item.common)
		} else {
			show(item.upload, "")
		}
	}
	return false, nil
}

// An uploadPage keeps the first of the uploads and common prefixes that are added.
type uploadPage struct {
	most  int
	items []uploadItem
}

type uploadItem struct {
	upload *state.Upload
	common string // not "": the item is this prefix
}

func (p *uploadPage) add(u *state.Upload, common string) {
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
		return strings.Compare(cmp.Or(a.common, a.upload.Key), cmp.Or(b.common, b.upload.Key))
	}
	return state.CompareUploads(a.upload, b.upload)
}

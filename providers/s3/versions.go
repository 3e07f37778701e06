package s3

import (
	"context"
	"errors"
	"slices"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
	"github.com/omnibucket/storage/providers/s3/internal/listing"
	"github.com/omnibucket/storage/providers/s3/internal/listxml"
)

// ListVersions sends one ListObjectVersions. A version from before the bucket kept versions is
// named "null". The next page begins where the server says, because only the server knows its
// order.
//
// Some servers repeat the last version of a page on the next page. If that page has no other
// version, ListVersions sends a second request.
func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	id, key, err := pagetoken.Parse(r.Token)
	if err != nil {
		return nil, err
	}
	if r.Token != "" && key == "" {
		return nil, argument.Invalid("token", "must come from a listing of this bucket", "")
	}

	// MinIO leaves out no versions of a page that it has in its cache, but only a request with one of its
	// own markers, which have more than the key, can get such a page.
	start := listing.MarkerKey(key)
	hasServerMarker := start != key
	mayOmit := d.account.mayLeaveOut(r.Prefix, start)
	if mayOmit && !hasServerMarker {
		return d.bucket.versionsByFolder(ctx, r, key, id)
	}

	limit := min(r.Limit, maxPage)
	for {
		p, err := d.bucket.versionsPage(ctx, r, key, id, limit)
		if err != nil {
			return nil, err
		}
		// The marker of the next page shows whether MinIO had this page in its cache.
		if mayOmit && !listing.IsCachedPage(p.NextKey) {
			return d.bucket.versionsByFolder(ctx, r, start, id)
		}

		page := &driver.VersionPage{Entries: p.Entries}
		if p.More {
			page.Token = pagetoken.Encode(p.NextID, p.NextKey)
		}
		isRepeated := page.Token != "" && page.Token == r.Token
		if !isRepeated {
			return page, nil
		}
		// A page of one version can only repeat it, so request two.
		if limit > 1 {
			return nil, &storage.Error{Code: storage.Internal, Err: errors.New("the listing repeats its last page")}
		}
		limit++
	}
}

// versionsPage lists one page, which begins after the version of key with the given id. It leaves
// out that version if the server repeats it.
func (b *bucket) versionsPage(
	ctx context.Context, r *driver.ListRequest, key, id string, limit int,
) (*listxml.VersionsPage, error) {
	// The response is decoded into page, in place of the SDK's output.
	var page *listxml.VersionsPage
	decode := listxml.DecodeWith(&awss3.ListObjectVersionsOutput{}, func(response []byte) error {
		var err error
		page, err = listxml.ReadVersions(response, r.Prefix, !b.account.isAmazon(), b.account.profile.timesInIDs)
		return err
	})
	_, err := b.account.client.ListObjectVersions(ctx, &awss3.ListObjectVersionsInput{
		Bucket:          &b.name,
		Prefix:          httpheader.Optional(r.Prefix),
		Delimiter:       httpheader.Optional(r.Delimiter),
		MaxKeys:         new(int32(limit)),
		KeyMarker:       httpheader.Optional(key),
		VersionIdMarker: httpheader.Optional(id),
		EncodingType:    types.EncodingTypeUrl,
	}, decode)
	if err != nil {
		return nil, b.listError(err)
	}

	// The first version of the page must not be the last one of the page before.
	if id != "" {
		page.Entries = slices.DeleteFunc(page.Entries, func(e storage.VersionEntry) bool {
			return e.Key == key && e.Version == id
		})
	}
	return page, nil
}

// versionsByFolder returns a page of versions that it finds folder by folder. The page begins after
// the version of key with the given id.
func (b *bucket) versionsByFolder(
	ctx context.Context, r *driver.ListRequest, key, id string,
) (*driver.VersionPage, error) {
	for prefix, startAfter := range listing.After(r, key) {
		folder := *r
		folder.Prefix = prefix
		startID := ""
		if startAfter == key {
			// Only a version of key has this id.
			startID = id
		}
		listed, err := b.versionsPage(ctx, &folder, startAfter, startID, min(r.Limit, maxPage))
		if err != nil {
			return nil, err
		}
		if count := len(listed.Entries); count > 0 {
			// The next page begins after the last version of this one.
			last := listed.Entries[count-1]
			return &driver.VersionPage{Entries: listed.Entries, Token: pagetoken.Encode(last.Version, last.Key)}, nil
		}
	}
	return &driver.VersionPage{}, nil
}

package s3

import (
	"context"
	"fmt"
	"strings"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/listing"
	"github.com/omnibucket/storage/providers/s3/internal/listxml"
)

// List returns one page, usually with one ListObjectsV2. If the server may leave out entries of the
// page, List calls listByFolder, which may send several.
//
// List requests escaped keys, because no XML decoder reads a page with an unescaped control
// character.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if d.account.profile.fullSegments && strings.Contains(r.Prefix, "//") {
		return &storage.Page{}, nil // the server has no keys with an empty segment
	}

	input := pageStart(r)
	start := listing.StartOf(input)
	mayOmit := d.account.mayLeaveOut(r.Prefix, start)
	hasServerToken := input.ContinuationToken != nil
	// MinIO leaves out no entries of a page that it has in its cache, but only a request with one of its
	// tokens can get such a page.
	if mayOmit && !hasServerToken {
		return d.listByFolder(ctx, r, start)
	}

	// The time that the page takes decides whether its token is replaced.
	requestStart := d.account.clock.Now()
	page, err := d.listPage(ctx, r, r.Prefix, input)
	if err != nil {
		return nil, err
	}
	// The token of the next page shows whether MinIO had this page in its cache.
	if mayOmit && !listing.IsCachedPage(listing.DecodeToken(page.Token)) {
		return d.listByFolder(ctx, r, start)
	}
	d.account.setKeyToken(r, page, d.account.clock.Now().Sub(requestStart))
	return page, nil
}

// pageStart returns a request for the page after r.Token, or else after r.StartAfter. The token is the
// server's own, or one of this package, which contains a key.
func pageStart(r *driver.ListRequest) *awss3.ListObjectsV2Input {
	if _, key, ok := listing.ParseKeyToken(r.Token); ok {
		return &awss3.ListObjectsV2Input{StartAfter: new(key)}
	}
	if r.Token != "" {
		return &awss3.ListObjectsV2Input{ContinuationToken: new(r.Token)}
	}

	// A start before the prefix has no effect, and makes SeaweedFS up to 4.47 list nothing.
	isBeforePrefix := r.StartAfter <= r.Prefix && !strings.HasPrefix(r.StartAfter, r.Prefix)
	if isBeforePrefix {
		return &awss3.ListObjectsV2Input{}
	}
	return &awss3.ListObjectsV2Input{StartAfter: httpheader.Optional(r.StartAfter)}
}

// listPage sends one ListObjectsV2 and returns its page. input already has the start of the page.
func (d *objectDriver) listPage(
	ctx context.Context, r *driver.ListRequest, prefix string, input *awss3.ListObjectsV2Input,
) (*storage.Page, error) {
	input.Bucket = &d.bucket.name
	input.Prefix = httpheader.Optional(prefix)
	input.Delimiter = httpheader.Optional(r.Delimiter)
	input.MaxKeys = new(int32(min(r.Limit, maxPage)))
	input.EncodingType = types.EncodingTypeUrl

	page := &storage.Page{}
	decode := listxml.DecodeWith(&awss3.ListObjectsV2Output{}, func(response []byte) error {
		return listxml.ReadObjects(response, prefix, page, r.Entries)
	})
	if _, err := d.account.client.ListObjectsV2(ctx, input, decode); err != nil {
		return nil, d.bucket.listError(err)
	}
	return page, nil
}

// setKeyToken replaces the token of a server with slow tokens by one of this package. With it, the
// next page begins after the last key of this page. The token also counts such pages, of which a
// listing has at most listing.PagesByKey.
//
// A page that took longer than listing.QuickPage keeps the server's token.
func (a *account) setKeyToken(r *driver.ListRequest, page *storage.Page, duration time.Duration) {
	isLast := page.Token == ""
	if !a.profile.SlowTokens || r.Delimiter != "" || isLast || len(page.Entries) == 0 {
		return
	}

	// A listing that already uses the server's tokens continues with them. pagesByKey is 0 for the first
	// page, and for a token of the server.
	pagesByKey, _, _ := listing.ParseKeyToken(r.Token)
	hasServerToken := r.Token != "" && pagesByKey == 0
	if hasServerToken || pagesByKey >= listing.PagesByKey || duration > listing.QuickPage {
		return
	}

	// After a key in a folder below the prefix, the server might leave out entries.
	last := page.Entries[len(page.Entries)-1].Key
	if a.hasKnownOrder() && !listing.InFolder(r.Prefix, last) {
		page.Token = listing.MakeKeyToken(pagesByKey+1, last)
	}
}

// mayLeaveOut reports whether the server, as MinIO does, may leave out entries of a page. The page
// begins after the key in start.
func (a *account) mayLeaveOut(prefix, start string) bool {
	return listing.InFolder(prefix, start) && (a.profile.SlowTokens || a.server.Profile() == "minio")
}

// listByFolder returns a page of the entries that follow key, which it lists folder by folder.
func (d *objectDriver) listByFolder(ctx context.Context, r *driver.ListRequest, key string) (*storage.Page, error) {
	var page *storage.Page
	for prefix, startAfter := range listing.After(r, key) {
		var err error
		page, err = d.listEntries(ctx, r, prefix, startAfter)
		if err != nil {
			return nil, err
		}
		// The next page begins after a key, so the server's token is not needed.
		page.Token = ""
		if count := len(page.Entries); count > 0 {
			page.Token = listing.MakeKeyToken(listing.PagesByKey, page.Entries[count-1].Key)
			return page, nil
		}
	}
	return page, nil
}

// maxEmptyPages is the number of pages without an entry after which a listing of one folder fails. The
// engine has the same limit for a whole listing.
const maxEmptyPages = 100

// listEntries returns the first page after the key startAfter that has an entry, or the last page.
// Only the page without a token is the last one, even if others have no entries.
func (d *objectDriver) listEntries(
	ctx context.Context, r *driver.ListRequest, prefix, startAfter string,
) (*storage.Page, error) {
	input := &awss3.ListObjectsV2Input{StartAfter: httpheader.Optional(startAfter)}
	for range maxEmptyPages {
		page, err := d.listPage(ctx, r, prefix, input)
		if err != nil {
			return nil, err
		}
		isLast := page.Token == ""
		if isLast || len(page.Entries) > 0 {
			return page, nil
		}
		input = &awss3.ListObjectsV2Input{ContinuationToken: &page.Token}
	}
	return nil, &storage.Error{
		Code: storage.Unavailable,
		Err:  fmt.Errorf("the server has returned %d pages without an entry, and names another page", maxEmptyPages),
	}
}

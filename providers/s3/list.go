package s3

import (
	"context"
	"strconv"
	"strings"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/listxml"
)

// List sends one ListObjectsV2, or several for the rest of a listing (listRest). It asks for escaped
// keys, because one control character would make a page that no XML decoder reads.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if d.account.profile.fullSegments && strings.Contains(r.Prefix, "//") {
		return &storage.Page{}, nil
	}
	in := &awss3.ListObjectsV2Input{ContinuationToken: httpheader.Optional(r.Token)}
	// A start before the prefix has no effect, and makes SeaweedFS up to 4.47 list
	// nothing.
	if r.Token == "" && (r.StartAfter > r.Prefix || strings.HasPrefix(r.StartAfter, r.Prefix)) {
		in.StartAfter = httpheader.Optional(r.StartAfter)
	}
	if _, key, ok := parseKeyToken(r.Token); ok {
		in.ContinuationToken, in.StartAfter = nil, new(key)
	}
	start := startOf(in)
	leavesOut := d.account.mayLeaveOut(r.Prefix, start)
	if leavesOut && in.ContinuationToken == nil {
		return d.listRest(ctx, r, start)
	}
	began := d.account.clock.now()
	page, err := d.listPage(ctx, r, r.Prefix, in)
	switch {
	case err != nil:
		return nil, err
	case leavesOut && !prepared(decodeToken(page.Token)):
		return d.listRest(ctx, r, start)
	}
	d.account.continueByKey(r, page, d.account.clock.now().Sub(began))
	return page, nil
}

// listPage sends one request.
func (d *objectDriver) listPage(ctx context.Context, r *driver.ListRequest, prefix string, in *awss3.ListObjectsV2Input) (*storage.Page, error) {
	in.Bucket, in.Prefix, in.Delimiter = &d.bucket.name, httpheader.Optional(prefix), httpheader.Optional(r.Delimiter)
	in.MaxKeys, in.EncodingType = new(int32(min(r.Limit, maxPage))), types.EncodingTypeUrl
	page := &storage.Page{}
	decode := listxml.DecodeWith(&awss3.ListObjectsV2Output{}, func(response []byte) error {
		return listxml.ReadObjects(response, page, r.Entries)
	})
	if _, err := d.account.client.ListObjectsV2(ctx, in, decode); err != nil {
		return nil, d.bucket.listError(err)
	}
	return page, nil
}

// orderKnown reports whether the server is known to list in byte order. A profile that was only
// given may be the wrong one.
func (a *account) orderKnown() bool {
	p := &a.profile
	if !p.OrderedListing || p.row().mixed || a.customResolver {
		return false
	}
	if a.endpoint == nil || a.orderedHost {
		return true
	}
	kind := a.server.seen.Load()
	return kind != nil && kind.profile == strings.TrimSuffix(p.Name, ProbedSuffix)
}

// listError translates the error of a listing: only the bucket can be missing.
func (b *bucket) listError(err error) error {
	return sdkerror.FromListing(translate(err), b.missingHint())
}

// MinIO writes a whole listing into a cache for its continuation tokens. The third page waits
// for the cache, for 50 to 300 ms, even if the listing has few pages. So the first pages begin
// after the last key instead (start-after), for which the server reads its disks again. In a
// folder with very many keys, that is slow: a page that takes long is followed by token. So is
// one whose last key is in a folder below.

const (
	// keyToken begins a token of this driver, which has the number of the page and the key
	// before it. No server's token has a colon: they are Base64.
	keyToken = "after:"
	// pagesByKey is the number of pages after the first that are requested by key.
	pagesByKey = 16
	// quickPage is the time of a page after which the next one is requested by key.
	quickPage = 100 * time.Millisecond
)

func afterKey(page int, key string) string { return keyToken + strconv.Itoa(page) + ":" + key }

func parseKeyToken(token string) (page int, key string, ok bool) {
	rest, ok := strings.CutPrefix(token, keyToken)
	if !ok {
		return 0, "", false
	}
	number, key, ok := strings.Cut(rest, ":")
	page, err := strconv.Atoi(number)
	return page, key, ok && err == nil
}

// continueByKey replaces the token of a page that came within took, if the server's tokens are
// slow.
func (a *account) continueByKey(r *driver.ListRequest, page *storage.Page, took time.Duration) {
	number, _, _ := parseKeyToken(r.Token)
	if !a.profile.SlowTokens || r.Delimiter != "" || page.Token == "" || len(page.Entries) == 0 {
		return
	}
	if number >= pagesByKey || took > quickPage || r.Token != "" && number == 0 { // already by the server's token
		return
	}
	if last := page.Entries[len(page.Entries)-1].Key; a.orderKnown() && !inFolder(r.Prefix, last) {
		page.Token = afterKey(number+1, last)
	}
}

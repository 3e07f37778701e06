package s3

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
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
func (d *objectDriver) listPage(
	ctx context.Context, r *driver.ListRequest, prefix string, in *awss3.ListObjectsV2Input,
) (*storage.Page, error) {
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

// orderKnown reports whether the server is known to list in byte order. A profile that the
// caller only names may be the wrong one.
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
// folder with very many keys, that is slow: after a page that took long, the next one is
// requested by token. So it is after a page whose last key is in a folder below.

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
	if number >= pagesByKey || took > quickPage || r.Token != "" && number == 0 { // or already by token
		return
	}
	if last := page.Entries[len(page.Entries)-1].Key; a.orderKnown() && !inFolder(r.Prefix, last) {
		page.Token = afterKey(number+1, last)
	}
}

// A page of MinIO that begins after a key in a folder may end the listing early, or leave out some
// entries, without an error. Its disks count the names beside the folder as part of the page, among them
// "a-b" for "a/b", and stop inside a folder if they have enough. That holds for a start by key, and for a
// token of which the server has nothing prepared: after a restart, some minutes, or with a full disk.
// (Its source of 2025: WalkDir counts from ForwardTo, and listPath falls back to it.) So only a page that
// was prepared, and has another page after it, is believed. Otherwise, what follows is listed folder by
// folder, from starts that have nothing before them.

// inFolder reports whether key is in a folder below the prefix's.
func inFolder(prefix, key string) bool {
	return strings.HasPrefix(key, prefix) && strings.Contains(key[strings.LastIndex(prefix, "/")+1:], "/")
}

// mayLeaveOut reports whether a page that begins after start may lack entries.
func (a *account) mayLeaveOut(prefix, start string) bool {
	kind := a.server.seen.Load()
	return inFolder(prefix, start) && (a.profile.SlowTokens || kind != nil && kind.profile == "minio")
}

// startOf returns the key after which MinIO begins the page, or "" if there is none.
func startOf(in *awss3.ListObjectsV2Input) string {
	if in.ContinuationToken == nil {
		return aws.ToString(in.StartAfter)
	}
	return markerKey(decodeToken(*in.ContinuationToken))
}

// decodeToken returns the marker in a token of MinIO, or "" if the token is another server's.
func decodeToken(token string) string {
	marker, _ := base64.StdEncoding.DecodeString(token)
	return string(marker)
}

// markerKey returns the key of a marker, which is before MinIO's own part.
func markerKey(marker string) string {
	if i := strings.LastIndex(marker, "[minio_cache:"); i >= 0 {
		return marker[:i]
	}
	return marker
}

// prepared reports whether a marker refers to a page that MinIO has prepared.
func prepared(marker string) bool {
	return strings.Contains(marker[len(markerKey(marker)):], ",id:")
}

// listRest returns a page of the entries that follow key.
func (d *objectDriver) listRest(
	ctx context.Context, r *driver.ListRequest, key string,
) (page *storage.Page, err error) {
	err = eachRest(r, key, func(prefix, after string) (found bool, err error) {
		if page, err = d.listPage(ctx, r, prefix, &awss3.ListObjectsV2Input{StartAfter: httpheader.Optional(after)}); err != nil {
			return false, err
		}
		page.Token = ""
		if found = len(page.Entries) > 0; found {
			page.Token = afterKey(pagesByKey, page.Entries[len(page.Entries)-1].Key)
		}
		return found, nil
	})
	return page, err
}

// versionsRest returns a page of the versions that follow a key's version id.
func (b *bucket) versionsRest(ctx context.Context, r *driver.ListRequest, key, id string) (*driver.VersionPage, error) {
	page := &driver.VersionPage{}
	err := eachRest(r, key, func(prefix, after string) (found bool, err error) {
		part := *r
		part.Prefix = prefix
		if after != key {
			id = ""
		}
		p, err := b.versionsPage(ctx, &part, after, id, min(r.Limit, maxPage))
		if err != nil || len(p.Entries) == 0 {
			return false, err
		}
		last := p.Entries[len(p.Entries)-1]
		page.Entries, page.Token = p.Entries, pagetoken.Encode(last.Version, last.Key)
		return true, nil
	})
	return page, err
}

// eachRest calls list until it finds an entry. First comes the rest of key's folder. Then come the keys that
// follow those in the folder, then the rest of the folder around it, and so on up to r.Prefix.
func eachRest(r *driver.ListRequest, key string, list func(prefix, after string) (found bool, err error)) error {
	base := strings.LastIndex(r.Prefix, "/") + 1
	for {
		end := strings.LastIndex(key, "/") + 1 // end of the folder's name
		if r.Delimiter != "" && end > base {   // the outermost folder is one entry
			end = base + strings.Index(key[base:], "/") + 1
		} else if found, err := list(max(key[:end], r.Prefix), key); found || err != nil { // the longer prefix
			return err
		}
		if end <= base {
			return nil
		}
		key = key[:end-1] + "0" // "0" follows "/"
		if found, err := list(key, ""); found || err != nil {
			return err
		}
	}
}

package s3

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

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

// startOf returns the key after which MinIO begins the page, "" if it is none.
func startOf(in *awss3.ListObjectsV2Input) string {
	if in.ContinuationToken == nil {
		return aws.ToString(in.StartAfter)
	}
	return markerKey(decodeToken(*in.ContinuationToken))
}

// decodeToken returns the marker of MinIO's token, "" if it is another server's.
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

// prepared reports whether a marker names what MinIO has prepared.
func prepared(marker string) bool {
	return strings.Contains(marker[len(markerKey(marker)):], ",id:")
}

// listRest returns a page of what follows key.
func (d *objectDriver) listRest(ctx context.Context, r *driver.ListRequest, key string) (page *storage.Page, err error) {
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

// eachRest calls list until it finds an entry. First comes the rest of key's folder. Then comes what begins with
// the name that follows the folder's, then the rest of the folder around it, and so on up to r.Prefix.
func eachRest(r *driver.ListRequest, key string, list func(prefix, after string) (found bool, err error)) error {
	base := strings.LastIndex(r.Prefix, "/") + 1
	for {
		end := strings.LastIndex(key, "/") + 1 // of the folder's name
		if r.Delimiter != "" && end > base {   // the outermost folder is one entry
			end = base + strings.Index(key[base:], "/") + 1
		} else if found, err := list(max(key[:end], r.Prefix), key); found || err != nil { // the longer one: both begin key
			return err
		}
		if end <= base {
			return nil
		}
		key = key[:end-1] + "0" // which follows "/"
		if found, err := list(key, ""); found || err != nil {
			return err
		}
	}
}

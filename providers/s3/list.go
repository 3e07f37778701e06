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
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/listxml"
)

// List returns one page. It usually sends one ListObjectsV2. If the server may leave out entries of
// the page, List calls listRest, which may send several. List requests escaped keys, because no XML
// decoder reads a page with an unescaped control character.
func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if d.account.profile.fullSegments && strings.Contains(r.Prefix, "//") {
		return &storage.Page{}, nil
	}
	input := &awss3.ListObjectsV2Input{ContinuationToken: httpheader.Optional(r.Token)}
	// A start before the prefix has no effect, and makes SeaweedFS up to 4.47 list
	// nothing.
	if r.Token == "" && (r.StartAfter > r.Prefix || strings.HasPrefix(r.StartAfter, r.Prefix)) {
		input.StartAfter = httpheader.Optional(r.StartAfter)
	}
	if _, key, ok := parseKeyToken(r.Token); ok {
		input.ContinuationToken = nil
		input.StartAfter = new(key)
	}
	start := startOf(input)
	mayOmit := d.account.mayLeaveOut(r.Prefix, start)
	if mayOmit && input.ContinuationToken == nil {
		return d.listRest(ctx, r, start)
	}
	requestStart := d.account.clock.Now()
	page, err := d.listPage(ctx, r, r.Prefix, input)
	if err != nil {
		return nil, err
	}
	if mayOmit && !isCachedPage(decodeToken(page.Token)) {
		return d.listRest(ctx, r, start)
	}
	d.account.setKeyToken(r, page, d.account.clock.Now().Sub(requestStart))
	return page, nil
}

// listPage sends one ListObjectsV2 and returns its page.
func (d *objectDriver) listPage(
	ctx context.Context, r *driver.ListRequest, prefix string, input *awss3.ListObjectsV2Input,
) (*storage.Page, error) {
	input.Bucket, input.Prefix, input.Delimiter = &d.bucket.name, httpheader.Optional(prefix), httpheader.Optional(r.Delimiter)
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

// MinIO writes a whole listing into a cache. MinIO's continuation tokens refer to this cache. The
// third page of a listing waits for the cache, for 50 to 300 ms, even if the listing has few pages.
// So the driver first requests pages by key: it sends the last key of the page before as
// start-after, and no token.
//
// For a page by key, the server reads its disks again. This is slow in a folder with very many
// keys. So after a slow page, the driver requests the next page by token. It also uses the token if
// the last key of the page before is in a subfolder.

// keyToken begins a token of this driver. After keyToken, the token has the number of the page,
// a colon, and the last key of the page before. Tokens of servers have no colon, because they
// are Base64.
const keyToken = "after:"

const (
	// pagesByKey is how many pages are requested by key. The first page does not count.
	pagesByKey = 16
	// quickPage limits the time for a page. After a page that took longer, the driver requests the
	// next page with the server's token.
	quickPage = 100 * time.Millisecond
)

func makeKeyToken(page int, key string) string { return keyToken + strconv.Itoa(page) + ":" + key }

func parseKeyToken(token string) (page int, key string, ok bool) {
	rest, ok := strings.CutPrefix(token, keyToken)
	if !ok {
		return 0, "", false
	}
	number, key, ok := strings.Cut(rest, ":")
	page, err := strconv.Atoi(number)
	return page, key, ok && err == nil
}

// setKeyToken replaces the server's token in the page with a token that has the last key of the
// page. With the new token, the next page begins after this key. If the server's tokens are not
// slow, or if the page took longer than quickPage, setKeyToken changes nothing.
func (a *account) setKeyToken(r *driver.ListRequest, page *storage.Page, duration time.Duration) {
	number, _, _ := parseKeyToken(r.Token)
	if !a.profile.SlowTokens || r.Delimiter != "" || page.Token == "" || len(page.Entries) == 0 {
		return
	}
	if number >= pagesByKey || duration > quickPage || r.Token != "" && number == 0 {
		// If r.Token has no page number, it is the server's own, and the listing already uses the
		// server's tokens.
		return
	}
	if last := page.Entries[len(page.Entries)-1].Key; a.orderKnown() && !inFolder(r.Prefix, last) {
		page.Token = makeKeyToken(number+1, last)
	}
}

// If a page begins after a key in a folder, MinIO may end the listing early or leave out entries,
// without an error. For such a page, each disk lists names until it has counted enough names. The
// disk also counts names outside of the folder, such as "a-b" beside "a/b". So the disk may stop
// although the folder has further keys.
//
// MinIO lists a page in this way if the request has a start-after. It does the same for a request
// with a token if its cache no longer has the page. A page leaves the cache after a restart, after
// some minutes, or if the disk is full. (In MinIO's source of 2025, WalkDir counts from ForwardTo,
// and listPath falls back to WalkDir.)
//
// After a key in a folder, the driver accepts only a page from the cache. The token of the next
// page shows if a page came from the cache. So the driver never accepts a last page. Instead of a
// page that it does not accept, the driver lists the remaining entries folder by folder. In a
// listing of one folder, MinIO counts no names outside of the folder.

// inFolder reports whether key begins with prefix and contains a "/" after the last "/" of prefix.
func inFolder(prefix, key string) bool {
	return strings.HasPrefix(key, prefix) && strings.Contains(key[strings.LastIndex(prefix, "/")+1:], "/")
}

// mayLeaveOut reports whether the server, as MinIO does, may leave out entries of a page. The page
// begins after the key in start.
func (a *account) mayLeaveOut(prefix, start string) bool {
	return inFolder(prefix, start) && (a.profile.SlowTokens || a.server.Profile() == "minio")
}

// startOf returns the key after which MinIO begins the page, or "" if there is none.
func startOf(input *awss3.ListObjectsV2Input) string {
	if input.ContinuationToken == nil {
		return aws.ToString(input.StartAfter)
	}
	return markerKey(decodeToken(*input.ContinuationToken))
}

// cacheMark begins MinIO's own part of a marker. Each token of MinIO has it.
const cacheMark = "[minio_cache:"

// decodeToken returns the marker in a token of MinIO, or "" if the token is another server's. A
// server may have the wrong profile, and the text of its tokens is no key.
func decodeToken(token string) string {
	marker, err := base64.StdEncoding.DecodeString(token)
	if err != nil || !strings.Contains(string(marker), cacheMark) {
		return ""
	}
	return string(marker)
}

// markerKey returns the key in a marker of MinIO. MinIO's own part follows the key.
func markerKey(marker string) string {
	if i := strings.LastIndex(marker, cacheMark); i >= 0 {
		return marker[:i]
	}
	return marker
}

// isCachedPage reports whether a marker refers to a page that MinIO already has in its cache.
func isCachedPage(marker string) bool {
	return strings.Contains(marker[len(markerKey(marker)):], ",id:")
}

// listRest returns a page of the entries that follow key. It lists them folder by folder.
func (d *objectDriver) listRest(
	ctx context.Context, r *driver.ListRequest, key string,
) (page *storage.Page, err error) {
	err = listAfter(r, key, func(prefix, startAfter string) (found bool, err error) {
		if page, err = d.listPage(ctx, r, prefix, &awss3.ListObjectsV2Input{StartAfter: httpheader.Optional(startAfter)}); err != nil {
			return false, err
		}
		page.Token = ""
		found = len(page.Entries) > 0
		if found {
			page.Token = makeKeyToken(pagesByKey, page.Entries[len(page.Entries)-1].Key)
		}
		return found, nil
	})
	return page, err
}

// listAfter calls list for the keys that follow the given key, until list has found an entry. It
// goes folder by folder. After the key "a/b/c", the first call is for the rest of the folder
// "a/b/". The next calls are for the rest of the folder "a/" after "a/b/", and so on, up to the
// folder of r.Prefix.
func listAfter(r *driver.ListRequest, key string, list func(prefix, after string) (ok bool, err error)) error {
	base := strings.LastIndex(r.Prefix, "/") + 1
	for {
		end := strings.LastIndex(key, "/") + 1 // end of the folder's name
		if r.Delimiter != "" && end > base {
			// With a delimiter, the outermost folder is one entry. Continue after this folder.
			end = base + strings.Index(key[base:], "/") + 1
		} else if ok, err := list(max(key[:end], r.Prefix), key); ok || err != nil {
			// One argument of max is a prefix of the other, and max returns the longer one.
			return err
		}
		if end <= base {
			return nil
		}
		key = key[:end-1] + "0" // "0" follows "/"
		if ok, err := list(key, ""); ok || err != nil {
			return err
		}
	}
}

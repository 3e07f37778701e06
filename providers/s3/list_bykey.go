package s3

import (
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// MinIO writes a whole listing into a cache for its continuation tokens. The third page waits
// for the cache, for 50 to 300 ms, even if the listing has few pages. So the first pages begin
// after the last key instead (start-after), for which the server reads its disks again. In a
// folder with very many keys, that is slow: a page that takes long is followed by token. So is
// one whose last key is in a folder below (see startsAfter).

const (
	// keyToken begins a token of this driver, which has the number of the page and the key
	// before it. No server's token has a colon: they are Base64.
	keyToken = "after:"
	// pagesByKey is the number of pages after the first that are requested by key.
	pagesByKey = 16
	// quickPage is the time of a page after which the next one is requested by key.
	quickPage = 100 * time.Millisecond
)

// parseKeyToken splits a token of this driver.
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
func (a *account) continueByKey(r *storage.ListRequest, page *storage.Page, took time.Duration) {
	number, _, _ := parseKeyToken(r.Token)
	if !a.profile.SlowTokens || r.Delimiter != "" || page.Token == "" || len(page.Entries) == 0 {
		return
	}
	if number >= pagesByKey || took > quickPage || r.Token != "" && number == 0 { // already by the server's token
		return
	}
	if last := page.Entries[len(page.Entries)-1].Key; a.startsAfter(r.Prefix, last) {
		page.Token = keyToken + strconv.Itoa(number+1) + ":" + last
	}
}

// Package folderorder makes a server of package s3server list keys in the order of SeaweedFS (4.44,
// weed/s3api, doListFilerEntries). This is the order of a directory tree: all keys "a/…" come
// before "a-b". Pages, delimiters and start-after follow the same order. Versions stay in the order
// of S3.
package folderorder

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/xml"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// With returns a copy of c for [s3server.Start] that makes the server list keys in the order of a
// directory tree.
func With(c s3server.Config) s3server.Config {
	maxKeys := cmp.Or(c.Limits.MaxPage, 1000)
	c.Middleware = func(next http.Handler) http.Handler {
		return &lister{server: next.(*s3server.Handler), maxKeys: maxKeys}
	}
	return c
}

// A lister is a handler that serves listings of objects itself, and passes on all other requests.
type lister struct {
	server  *s3server.Handler
	maxKeys int // largest page
}

// parameters lists the query parameters of a listing. A request with any other parameter is not a
// listing.
var parameters = []string{
	"continuation-token", "delimiter", "encoding-type", "fetch-owner", "list-type", "marker", "max-keys", "prefix",
	"start-after", "x-id",
}

// ServeHTTP answers a listing itself, and passes all other requests to the server.
func (l *lister) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket := strings.Trim(r.URL.Path, "/")
	query := r.URL.Query()
	if !isListing(r, bucket, query) {
		l.server.ServeHTTP(w, r)
		return
	}

	// The server checks the request for a first page, and may refuse it. It would refuse any further
	// page, because it does not know the tokens of this package.
	isFirstPage := !query.Has("continuation-token")
	if isFirstPage {
		checked := httptest.NewRecorder()
		l.server.ServeHTTP(checked, r)
		if checked.Code != http.StatusOK {
			maps.Copy(w.Header(), checked.Header())
			w.WriteHeader(checked.Code)
			_, _ = w.Write(checked.Body.Bytes()) // fails only if the client has closed the connection
			return
		}
	}

	page, err := l.list(r, bucket, query)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(page) // fails only if the client has closed the connection
}

// isListing reports whether a request lists the objects of a bucket.
func isListing(r *http.Request, bucket string, query url.Values) bool {
	if r.Method != http.MethodGet || bucket == "" || strings.Contains(bucket, "/") {
		return false
	}
	for name := range query {
		if !slices.Contains(parameters, name) {
			return false
		}
	}
	return true
}

type result struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	NextMarker            string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount, MaxKeys     int
	IsTruncated           bool
	Contents              []entry
	CommonPrefixes        []commonPrefix
}

type entry struct {
	Key, LastModified, ETag string
	Size                    int64
	StorageClass            string
}

type commonPrefix struct{ Prefix string }

// A position is where a page of a listing begins: after key, or, if isFolder is true, after all keys
// in the folder with that name.
type position struct {
	key      string
	isFolder bool
}

// positionOf returns where the page of a query begins.
func positionOf(query url.Values) position {
	// The second version of the request has start-after, and the first has marker. If that is the
	// name of a folder, the page skips all keys in the folder.
	token, err := base64.StdEncoding.DecodeString(query.Get("continuation-token"))
	if err != nil || len(token) == 0 {
		return position{
			key:      cmp.Or(query.Get("start-after"), query.Get("marker")),
			isFolder: true,
		}
	}

	// The first byte of a token says whether the rest is a key or a folder.
	return position{
		key:      string(token[1:]),
		isFolder: token[0] == folderToken,
	}
}

// The first byte of a continuation token says what its position is.
const (
	keyToken    = 'k'
	folderToken = 'p'
)

// token returns a continuation token for the position, which positionOf reads.
func (p position) token() string {
	kind := keyToken
	if p.isFolder {
		kind = folderToken
	}
	return base64.StdEncoding.EncodeToString([]byte(string(kind) + p.key))
}

// isBefore reports whether key comes after the position, so that a page that begins there lists it. If
// p.isFolder is true, the keys in the folder p.key come before. Like a page of SeaweedFS, the page lists
// nothing if p.key does not begin with prefix (seaweedfs#11321).
func (p position) isBefore(key, prefix, delimiter string) bool {
	isFirstPage := p.key == ""
	if isFirstPage {
		return true
	}
	if !strings.HasPrefix(p.key, prefix) {
		return false
	}

	// A common prefix such as "a/" is the folder "a" of the tree.
	last := p.key
	if delimiter != "" {
		last = strings.TrimSuffix(last, delimiter)
	}
	if p.isFolder && strings.HasPrefix(key, last+"/") {
		return false
	}
	return treePath(key) > treePath(last)
}

// treePath replaces each slash in key with a character that sorts before all others. The results
// sort in the order of a directory tree.
func treePath(key string) string { return strings.ReplaceAll(key, "/", "\x00") }

// entryPosition returns the position of the entry with which a listing shows key: the key itself, or the
// common prefix that ends in the delimiter.
func entryPosition(key, prefix, delimiter string) position {
	if delimiter == "" {
		return position{key: key}
	}
	segment, _, hasDelimiter := strings.Cut(key[len(prefix):], delimiter)
	if !hasDelimiter {
		return position{key: key}
	}
	return position{key: prefix + segment + delimiter, isFolder: true}
}

// list returns the page of a listing that the query requests.
func (l *lister) list(r *http.Request, bucket string, query url.Values) (*result, error) {
	prefix := query.Get("prefix")
	delimiter := query.Get("delimiter")
	start := positionOf(query)
	entries, err := l.entries(r.Context(), bucket, prefix)
	if err != nil {
		return nil, err
	}

	encoding := query.Get("encoding-type")
	page := &result{
		Name:         bucket,
		Prefix:       encode(prefix, encoding),
		Delimiter:    encode(delimiter, encoding),
		EncodingType: encoding,
		MaxKeys:      l.maxKeys,
	}
	if n, err := strconv.Atoi(query.Get("max-keys")); err == nil {
		page.MaxKeys = min(n, l.maxKeys)
	}

	var last position // of the last key or common prefix on the page
	for _, e := range entries {
		if !start.isBefore(e.Key, prefix, delimiter) {
			continue
		}
		pos := entryPosition(e.Key, prefix, delimiter)
		if pos == last {
			// The page has this common prefix already.
			continue
		}
		if page.KeyCount == page.MaxKeys {
			// The page is full. A page of 0 keys could not be continued.
			page.IsTruncated = page.MaxKeys > 0
			break
		}

		page.KeyCount++
		last = pos
		if pos.isFolder {
			page.CommonPrefixes = append(page.CommonPrefixes, commonPrefix{encode(pos.key, encoding)})
			continue
		}
		page.Contents = append(page.Contents, entry{
			Key:          encode(e.Key, encoding),
			LastModified: e.Modified.UTC().Format("2006-01-02T15:04:05.000Z"),
			ETag:         e.ETag,
			Size:         e.Size,
			StorageClass: cmp.Or(e.StorageClass, "STANDARD"),
		})
	}

	if !page.IsTruncated {
		return page, nil
	}
	if query.Get("list-type") == "2" {
		page.NextContinuationToken = last.token()
	} else if delimiter != "" {
		// Without a delimiter, the client of the first version continues after the last key of the page.
		page.NextMarker = encode(last.key, encoding)
	}
	return page, nil
}

// entries returns all objects with a prefix, in the order of a directory tree.
func (l *lister) entries(ctx context.Context, bucket, prefix string) ([]storage.ListEntry, error) {
	b := l.server.Bucket(bucket)
	defer func() { _ = storage.Close(b) }()
	var entries []storage.ListEntry
	for entry, err := range b.List(ctx, storage.WithPrefix(prefix)) {
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b storage.ListEntry) int {
		return strings.Compare(treePath(a.Key), treePath(b.Key))
	})
	return entries, nil
}

// encode returns key in the encoding that the request asks for, which is "url" or "".
func encode(key, encoding string) string {
	if encoding != "url" {
		return key
	}
	return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/")
}

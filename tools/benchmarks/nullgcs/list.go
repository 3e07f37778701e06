package nullgcs

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

const (
	mostKeys = 1000
	updated  = "2026-01-02T15:04:05.000Z"
)

// serveList sends a page of a generated listing. The prefix contains the number of listed objects.
// The query parameter "fields" selects the properties of the listed objects. serveList ignores
// delimiters.
func serveList(w http.ResponseWriter, query url.Values) {
	prefix := query.Get("prefix")
	keys := nullserver.Size(prefix)
	limit := nullserver.PageSize(query.Get("maxResults"), mostKeys)
	start, end := nullserver.Page(keys, query.Get("pageToken"), limit)
	wanted := properties(query.Get("fields"))

	// The buffer has room for items of 1 KiB, so that it rarely grows.
	const itemBytes = 1024
	var page bytes.Buffer
	page.Grow(itemBytes * int(max(end-start, 0)+2))

	page.WriteString(`{"kind":"storage#objects"`)
	if end < keys {
		fmt.Fprintf(&page, `,"nextPageToken":"%d"`, end)
	}
	page.WriteString(`,"items":[`)
	for i := start; i < end; i++ {
		if i > start {
			page.WriteByte(',')
		}
		writeItem(&page, nullserver.Name(prefix, i), i, wanted)
	}
	page.WriteString("]}")
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	_, _ = w.Write(page.Bytes())
}

// properties returns the properties that the query parameter "fields" selects for an item. An
// example of its value is "items(name,size)". If the value selects all properties, properties
// returns nil.
func properties(fields string) map[string]bool {
	_, rest, ok := strings.Cut(fields, "items(")
	if !ok {
		return nil
	}
	names, _, _ := strings.Cut(rest, ")")
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		wanted[name] = true
	}
	return wanted
}

// writeItem writes the JSON of one listed object, with the wanted properties only. If wanted is nil,
// it writes all properties.
func writeItem(page *bytes.Buffer, name string, i int64, wanted map[string]bool) {
	address := "https://storage.googleapis.com/storage/v1/b/bucket/o/" + url.PathEscape(name)
	page.WriteByte('{')
	isFirst := true
	for _, p := range [...]struct{ name, value string }{
		{"kind", "storage#object"},
		{"id", "bucket/" + name + "/" + generation},
		{"selfLink", address},
		{"mediaLink", address + "?generation=" + generation + "&alt=media"},
		{"name", name},
		{"bucket", "bucket"},
		{"generation", generation},
		{"metageneration", "1"},
		{"contentType", "text/plain"},
		{"storageClass", "STANDARD"},
		{"size", strconv.FormatInt(1000+i, 10)},
		{"md5Hash", md5Hash},
		{"crc32c", "yZRlqg=="},
		{"etag", "CMDh5aPW7pEDEAE="},
		{"timeCreated", updated},
		{"updated", updated},
		{"timeStorageClassUpdated", updated},
	} {
		isWanted := wanted == nil || wanted[p.name]
		if !isWanted {
			continue
		}
		if !isFirst {
			page.WriteByte(',')
		}
		isFirst = false
		fmt.Fprintf(page, `"%s":"%s"`, p.name, p.value)
	}
	page.WriteByte('}')
}

package documented

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// A listedVersion is one item of a listing with versions. document is its XML.
type listedVersion struct{ key, id, document string }

var (
	azureItems  = regexp.MustCompile(`(?s)<Blob><Name>(.*?)</Name>(.*?)</Blob>`)
	azureMarker = regexp.MustCompile(`<NextMarker>(.+?)</NextMarker>`)
)

// list responds with a page of versions. The versions of one key are listed from the oldest to the
// newest.
func (a *versionedAccount) list(w http.ResponseWriter, r *http.Request, container string) {
	query := r.URL.Query()
	prefix := query.Get("prefix")
	all, refuse := a.currentVersions(r, container, query)
	if refuse != nil {
		refuse(w)
		return
	}
	all = append(all, a.noncurrent(container, prefix)...)
	slices.SortFunc(all, func(x, y listedVersion) int {
		if order := slices.Compare(utf16.Encode([]rune(x.key)), utf16.Encode([]rune(y.key))); order != 0 {
			return order
		}
		return strings.Compare(x.id, y.id)
	})
	first, _ := strconv.Atoi(query.Get("marker"))
	maximum, _ := strconv.Atoi(query.Get("maxresults"))
	if maximum == 0 {
		maximum = 5000
	}
	first = min(first, len(all))
	last := min(first+maximum, len(all))
	marker := ""
	if last < len(all) {
		marker = strconv.Itoa(last)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Ms-Request-Id", "R1")
	fmt.Fprint(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>`)
	for _, v := range all[first:last] {
		fmt.Fprint(w, v.document)
	}
	fmt.Fprintf(w, `</Blobs><NextMarker>%s</NextMarker></EnumerationResults>`, marker)
}

// currentVersions returns the current blobs of a listing. If the service refuses the listing, it returns a
// function that sends the refusal.
func (a *versionedAccount) currentVersions(
	r *http.Request, container string, query url.Values,
) (all []listedVersion, refuse func(http.ResponseWriter)) {
	params := url.Values{"restype": {"container"}, "comp": {"list"}, "prefix": {query.Get("prefix")}}
	if strings.Contains(query.Get("include"), "metadata") {
		params.Set("include", "metadata")
	}
	for {
		page := a.ask(r, http.MethodGet, params)
		if page.Code != http.StatusOK {
			return nil, func(w http.ResponseWriter) {
				relay(w, page)
			}
		}
		for _, item := range azureItems.FindAllStringSubmatch(page.Body.String(), -1) {
			key := html.UnescapeString(item[1])
			h := a.history(container, key)
			a.mu.Lock()
			id := h.current
			document := item[0]
			a.mu.Unlock()
			if id != "" {
				document = fmt.Sprintf(
					`<Blob><Name>%s</Name><VersionId>%s</VersionId><IsCurrentVersion>true</IsCurrentVersion>%s</Blob>`,
					item[1],
					id,
					item[2],
				)
			}
			all = append(all, listedVersion{key, id, document})
		}
		next := azureMarker.FindStringSubmatch(page.Body.String())
		if next == nil {
			return all, nil
		}
		params.Set("marker", html.UnescapeString(next[1]))
	}
}

func (a *versionedAccount) noncurrent(container, prefix string) (all []listedVersion) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, h := range a.blobs[container] {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		for _, v := range h.versions {
			all = append(all, listedVersion{key, v.id, v.document(key)})
		}
	}
	return all
}

func (v *azureVersion) document(key string) string {
	var name, metadata bytes.Buffer
	_ = xml.EscapeText(&name, []byte(key))
	for header, values := range v.header {
		if field, ok := strings.CutPrefix(header, "X-Ms-Meta-"); ok {
			field = strings.ToLower(field)
			fmt.Fprintf(&metadata, "<%s>", field)
			_ = xml.EscapeText(&metadata, []byte(values[0]))
			fmt.Fprintf(&metadata, "</%s>", field)
		}
	}
	return fmt.Sprintf(
		`<Blob><Name>%s</Name><VersionId>%s</VersionId><Properties><Creation-Time>%s</Creation-Time><Last-Modified>%[3]s</Last-Modified><Etag>%s</Etag>`+
			`<Content-Length>%d</Content-Length><Content-Type>%s</Content-Type><BlobType>BlockBlob</BlobType></Properties><Metadata>%s</Metadata></Blob>`,
		name.String(),
		v.id,
		v.header.Get("Last-Modified"),
		html.EscapeString(v.header.Get("Etag")),
		len(v.body),
		html.EscapeString(v.header.Get("Content-Type")),
		metadata.String(),
	)
}

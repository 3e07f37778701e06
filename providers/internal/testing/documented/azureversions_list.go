package documented

import (
	"cmp"
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
// newest. A marker is the index of the first version on the page.
func (a *versionedAccount) list(w http.ResponseWriter, r *http.Request, container string) {
	query := r.URL.Query()
	all, refuse := a.currentVersions(r, container, query)
	if refuse != nil {
		refuse(w)
		return
	}
	all = append(all, a.noncurrent(container, query.Get("prefix"))...)
	slices.SortFunc(all, compareVersions)

	first, _ := strconv.Atoi(query.Get("marker")) // 0 for the first page
	maximum, err := strconv.Atoi(query.Get("maxresults"))
	if err != nil || maximum == 0 {
		maximum = 5000
	}
	first = min(first, len(all))
	end := min(first+maximum, len(all))
	marker := ""
	if end < len(all) {
		marker = strconv.Itoa(end)
	}

	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Ms-Request-Id", "R1")
	fmt.Fprint(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>`)
	for _, version := range all[first:end] {
		fmt.Fprint(w, version.document)
	}
	fmt.Fprintf(w, `</Blobs><NextMarker>%s</NextMarker></EnumerationResults>`, marker)
}

// compareVersions orders versions as Azure does: keys by their UTF-16 code units, and the versions
// of a key by their ids.
func compareVersions(a, b listedVersion) int {
	return cmp.Or(
		slices.Compare(utf16.Encode([]rune(a.key)), utf16.Encode([]rune(b.key))),
		strings.Compare(a.id, b.id),
	)
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
			return nil, func(w http.ResponseWriter) { relay(w, page) }
		}
		for _, item := range azureItems.FindAllStringSubmatch(page.Body.String(), -1) {
			document, name, fields := item[0], item[1], item[2]
			key := html.UnescapeString(name)
			id := a.currentID(container, key)
			if id != "" {
				document = fmt.Sprintf(
					`<Blob><Name>%s</Name><VersionId>%s</VersionId><IsCurrentVersion>true</IsCurrentVersion>%s</Blob>`,
					name, id, fields,
				)
			}
			all = append(all, listedVersion{key: key, id: id, document: document})
		}
		next := azureMarker.FindStringSubmatch(page.Body.String())
		if next == nil {
			return all, nil
		}
		params.Set("marker", html.UnescapeString(next[1]))
	}
}

// currentID returns the id of the current version of a key, or "".
func (a *versionedAccount) currentID(container, key string) string {
	h := a.history(container, key)
	a.mu.Lock()
	defer a.mu.Unlock()
	return h.current
}

// noncurrent returns all noncurrent versions of keys with a prefix.
func (a *versionedAccount) noncurrent(container, prefix string) []listedVersion {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []listedVersion
	for key, h := range a.blobs[container] {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		for _, version := range h.versions {
			all = append(all, listedVersion{key: key, id: version.id, document: version.document(key)})
		}
	}
	return all
}

// document returns the item of a listing for the version.
func (v *azureVersion) document(key string) string {
	var metadata strings.Builder
	for header, values := range v.header {
		name, ok := strings.CutPrefix(header, "X-Ms-Meta-")
		if ok {
			fmt.Fprintf(&metadata, "<%[1]s>%[2]s</%[1]s>", strings.ToLower(name), escapeXML(values[0]))
		}
	}
	return fmt.Sprintf(`<Blob><Name>%s</Name><VersionId>%s</VersionId><Properties>`+
		`<Creation-Time>%s</Creation-Time><Last-Modified>%[3]s</Last-Modified><Etag>%s</Etag>`+
		`<Content-Length>%d</Content-Length><Content-Type>%s</Content-Type>`+
		`<BlobType>BlockBlob</BlobType></Properties><Metadata>%s</Metadata></Blob>`,
		escapeXML(key),
		v.id,
		v.header.Get("Last-Modified"),
		html.EscapeString(v.header.Get("Etag")),
		len(v.body),
		html.EscapeString(v.header.Get("Content-Type")),
		metadata.String(),
	)
}

// escapeXML returns a text in the form in which XML has it between two tags.
func escapeXML(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder does not fail
	return b.String()
}

package documented

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
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

// serveList responds with a page of versions, of each key from the oldest to the newest. The marker of a
// page is the index of its first version.
func (a *versionedAccount) serveList(w http.ResponseWriter, r *http.Request, container string) {
	query := r.URL.Query()
	versions, refusal := a.currentVersions(r, container, query)
	if refusal != nil {
		relay(w, refusal)
		return
	}
	versions = append(versions, a.noncurrent(container, query.Get("prefix"))...)
	slices.SortFunc(versions, compareVersions)

	// The page has the versions from first to end.
	first, _ := strconv.Atoi(query.Get("marker")) // 0 for the first page, which has no marker
	maxResults, err := strconv.Atoi(query.Get("maxresults"))
	if err != nil || maxResults == 0 {
		maxResults = 5000
	}
	first = min(first, len(versions))
	end := min(first+maxResults, len(versions))
	nextMarker := ""
	if end < len(versions) {
		nextMarker = strconv.Itoa(end)
	}

	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Ms-Request-Id", "R1")
	fmt.Fprint(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>`)
	for _, version := range versions[first:end] {
		fmt.Fprint(w, version.document)
	}
	fmt.Fprintf(w, `</Blobs><NextMarker>%s</NextMarker></EnumerationResults>`, nextMarker)
}

// compareVersions orders versions as Azure does, by the UTF-16 code units of their keys and then by
// their IDs.
func compareVersions(a, b listedVersion) int {
	return cmp.Or(
		slices.Compare(utf16.Encode([]rune(a.key)), utf16.Encode([]rune(b.key))),
		strings.Compare(a.id, b.id),
	)
}

// currentVersions returns the current blobs of a listing, or the emulator's response if that refuses the
// listing.
func (a *versionedAccount) currentVersions(
	r *http.Request, container string, query url.Values,
) (versions []listedVersion, refusal *httptest.ResponseRecorder) {
	params := url.Values{"restype": {"container"}, "comp": {"list"}, "prefix": {query.Get("prefix")}}
	if strings.Contains(query.Get("include"), "metadata") {
		params.Set("include", "metadata")
	}

	// Ask the emulator for all pages.
	for {
		page := a.fetch(r, http.MethodGet, params)
		if page.Code != http.StatusOK {
			return nil, page
		}
		for _, item := range azureItems.FindAllStringSubmatch(page.Body.String(), -1) {
			// azureItems captures the name and the other fields of an item.
			document, name, fields := item[0], item[1], item[2]
			key := html.UnescapeString(name)

			// The emulator knows no versions, so add the version id to its item.
			id := a.currentID(container, key)
			if id != "" {
				document = fmt.Sprintf(
					`<Blob><Name>%s</Name><VersionId>%s</VersionId><IsCurrentVersion>true</IsCurrentVersion>%s</Blob>`,
					name, id, fields,
				)
			}
			versions = append(versions, listedVersion{key: key, id: id, document: document})
		}

		nextMarker := azureMarker.FindStringSubmatch(page.Body.String())
		if nextMarker == nil {
			return versions, nil
		}
		params.Set("marker", html.UnescapeString(nextMarker[1]))
	}
}

// currentID returns the ID of the current version of a key, or "" if the key has none.
func (a *versionedAccount) currentID(container, key string) string {
	h := a.history(container, key)
	a.mu.Lock()
	defer a.mu.Unlock()
	return h.current
}

// noncurrent returns all noncurrent versions of the keys with a prefix, in no order.
func (a *versionedAccount) noncurrent(container, prefix string) []listedVersion {
	a.mu.Lock()
	defer a.mu.Unlock()
	var versions []listedVersion
	for key, history := range a.blobs[container] {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		for _, version := range history.versions {
			versions = append(versions, listedVersion{key: key, id: version.id, document: version.document(key)})
		}
	}
	return versions
}

// document returns the XML element of a listing for the version of a key.
func (v *azureVersion) document(key string) string {
	// Each metadata header becomes an element, such as <color>red</color>.
	var metadata strings.Builder
	for header, values := range v.header {
		name, isMetadata := strings.CutPrefix(header, "X-Ms-Meta-")
		if isMetadata {
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

//go:build omnibucket_sdks

package permissions_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// An azureServer is an account that keeps versions, with containers that can lock objects. It implements the
// requests of the blob service that the tests of this package make. It checks neither signatures nor permissions.
type azureServer struct {
	mu         sync.Mutex
	writes     int
	containers map[string]bool
	blobs      map[string][]*azureBlob      // versions by path
	current    map[string]*azureBlob        // by path; none if the newest version is not current
	blocks     map[string]map[string][]byte // by path and id
	public     bool
}

// An azureBlob is a version of a blob.
type azureBlob struct {
	version string
	header  http.Header // of the response to a read
	body    []byte
	tags    string // the document
}

// newAzureServer returns an account with the empty container "photos".
func newAzureServer() *azureServer {
	return &azureServer{
		containers: map[string]bool{"photos": true},
		blobs:      map[string][]*azureBlob{},
		current:    map[string]*azureBlob{},
		blocks:     map[string]map[string][]byte{},
	}
}

// azureTime is when everything was modified.
const azureTime = "Fri, 20 Nov 2026 12:00:00 GMT"

// ServeHTTP handles the requests about the account, containers and blobs.
func (s *azureServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Ms-Request-Id", "R1")
	w.Header().Set("Last-Modified", azureTime)
	path := strings.Trim(r.URL.Path, "/")
	switch r.URL.Query().Get("restype") {
	case "service":
		s.service(w, r)
	case "container":
		s.container(w, r, path, string(body))
	default:
		if path == "" {
			s.list(w, "<Containers><Container><Name>photos</Name></Container></Containers>")
			return
		}
		s.blob(w, r, path, body)
	}
}

// list responds with the only page of a listing.
func (s *azureServer) list(w io.Writer, entries string) {
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults>`+
		entries+`<NextMarker/></EnumerationResults>`)
}

// refuse responds with an error.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Ms-Error-Code", code)
	w.WriteHeader(status)
}

// service serves a request about the account.
func (s *azureServer) service(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Query().Get("comp") == "userdelegationkey":
		now := time.Now().UTC()
		start := now.Add(-time.Hour).Format(time.RFC3339)
		expiry := now.Add(24 * time.Hour).Format(time.RFC3339)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><UserDelegationKey>`+
			`<SignedOid>object</SignedOid><SignedTid>tenant</SignedTid>`+
			`<SignedStart>`+start+`</SignedStart><SignedExpiry>`+expiry+`</SignedExpiry>`+
			`<SignedService>b</SignedService><SignedVersion>2026-12-06</SignedVersion>`+
			`<Value>c2VjcmV0</Value></UserDelegationKey>`)
	case r.Method == http.MethodPut:
		w.WriteHeader(http.StatusAccepted)
	default:
		_, _ = io.WriteString(w, `<?xml version="1.0"?><StorageServiceProperties/>`)
	}
}

// container serves a request about a container.
func (s *azureServer) container(w http.ResponseWriter, r *http.Request, name, body string) {
	comp := r.URL.Query().Get("comp")
	w.Header().Set("Etag", `"0x1"`)
	switch {
	case r.Method == http.MethodPut && comp == "":
		s.containers[name] = true
		w.WriteHeader(http.StatusCreated)
	case !s.containers[name]:
		refuse(w, http.StatusNotFound, "ContainerNotFound")
	case comp == "list":
		s.list(w, s.entries(name, r.URL.Query()))
	case comp == "batch":
		s.batch(w, body)
	case comp == "acl" && r.Method == http.MethodPut:
		s.public = r.Header.Get("X-Ms-Blob-Public-Access") != ""
	case comp == "acl":
		if s.public {
			w.Header().Set("X-Ms-Blob-Public-Access", "blob")
		}
		_, _ = io.WriteString(w, `<?xml version="1.0"?><SignedIdentifiers/>`)
	case r.Method == http.MethodDelete:
		delete(s.containers, name)
		w.WriteHeader(http.StatusAccepted)
	default:
		w.Header().Set("X-Ms-Immutable-Storage-With-Versioning-Enabled", "true")
	}
}

// batch accepts each request of a batch, and changes nothing.
func (s *azureServer) batch(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "multipart/mixed; boundary=batch")
	w.WriteHeader(http.StatusAccepted)
	for i := range strings.Count(body, "Content-ID:") + strings.Count(body, "Content-Id:") {
		_, _ = fmt.Fprintf(w, "--batch\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\n", i)
		_, _ = io.WriteString(w, "HTTP/1.1 202 Accepted\r\nx-ms-request-id: R1\r\n\r\n\r\n")
	}
	_, _ = io.WriteString(w, "--batch--\r\n")
}

// entries returns the entries of a listing, in order.
func (s *azureServer) entries(container string, query url.Values) string {
	prefix := query.Get("prefix")
	delimiter := query.Get("delimiter")
	var b strings.Builder
	last := ""
	b.WriteString("<Blobs>")
	for _, path := range slices.Sorted(maps.Keys(s.blobs)) {
		name, ok := strings.CutPrefix(path, container+"/")
		if !ok || !strings.HasPrefix(name, prefix) {
			continue
		}
		folder, _, cut := strings.Cut(name[len(prefix):], delimiter)
		if delimiter != "" && cut {
			if common := prefix + folder + delimiter; common != last {
				last = common
				fmt.Fprintf(&b, "<BlobPrefix><Name>%s</Name></BlobPrefix>", common)
			}
			continue
		}
		for _, o := range s.blobs[path] {
			isCurrent := o == s.current[path]
			if isCurrent || strings.Contains(query.Get("include"), "versions") {
				o.describe(&b, name, isCurrent)
			}
		}
	}
	b.WriteString("</Blobs>")
	return b.String()
}

// describe writes an entry of a listing.
func (o *azureBlob) describe(w io.Writer, name string, isCurrent bool) {
	_, _ = fmt.Fprintf(w, "<Blob><Name>%s</Name><VersionId>%s</VersionId>", name, o.version)
	_, _ = fmt.Fprintf(w, "<IsCurrentVersion>%t</IsCurrentVersion><Properties>", isCurrent)
	_, _ = fmt.Fprintf(w, "<Last-Modified>%s</Last-Modified>", azureTime)
	_, _ = fmt.Fprintf(w, "<Etag>%s</Etag>", strings.Trim(o.header.Get("Etag"), `"`))
	_, _ = fmt.Fprintf(w, "<Content-Length>%d</Content-Length>", len(o.body))
	_, _ = io.WriteString(w, "<BlobType>BlockBlob</BlobType></Properties><Metadata>")
	for header, values := range o.header {
		if key, ok := strings.CutPrefix(header, "X-Ms-Meta-"); ok {
			_, _ = fmt.Fprintf(w, "<%s>%s</%[1]s>", strings.ToLower(key), values[0])
		}
	}
	_, _ = io.WriteString(w, "</Metadata></Blob>")
}

// store makes the newest version of a blob. If src is not nil, the version is a copy of src.
func (s *azureServer) store(w http.ResponseWriter, r *http.Request, path string, body []byte, src *azureBlob) {
	s.writes++
	o := &azureBlob{
		version: fmt.Sprintf("2026-11-20T12:00:00.%07dZ", s.writes),
		header:  http.Header{},
		body:    body,
	}
	if src != nil {
		o.header = src.header.Clone()
		o.tags = src.tags
	}
	for name, values := range r.Header {
		isMetadata := strings.HasPrefix(name, "X-Ms-Meta-")
		isLock := strings.HasPrefix(name, "X-Ms-Immutability-Policy-") || name == "X-Ms-Legal-Hold"
		if isMetadata || isLock {
			o.header[name] = values
		}
	}
	o.header.Set("Content-Type", "application/octet-stream")
	o.header.Set("X-Ms-Blob-Type", "BlockBlob")
	o.header.Set("Etag", fmt.Sprintf(`"0x%d"`, s.writes))
	o.header.Set("X-Ms-Access-Tier", "Hot")
	if tier := r.Header.Get("X-Ms-Access-Tier"); tier != "" {
		o.header.Set("X-Ms-Access-Tier", tier)
	}
	if r.Header.Get("X-Ms-Tags") != "" {
		o.header.Set("X-Ms-Tag-Count", "1")
		o.tags = "<Tag><Key>team</Key><Value>blue</Value></Tag>"
	}
	o.header.Set("X-Ms-Version-Id", o.version)
	s.blobs[path] = append(s.blobs[path], o)
	s.current[path] = o
	w.Header().Set("Etag", o.header.Get("Etag"))
	w.Header().Set("X-Ms-Version-Id", o.version)
}

// blob serves a request about a blob.
func (s *azureServer) blob(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	comp := r.URL.Query().Get("comp")
	switch r.Method + " " + comp {
	case "PUT ", "PUT block", "PUT blocklist":
		s.put(w, r, path, comp, body)
		return
	}
	o := s.current[path]
	if version := r.URL.Query().Get("versionid"); version != "" {
		o = s.version(path, version)
	}
	if o == nil && comp != "blocklist" {
		refuse(w, http.StatusNotFound, "BlobNotFound")
		return
	}
	if o != nil {
		w.Header().Set("Etag", o.header.Get("Etag"))
	}
	s.use(w, r, path, comp, o)
}

// version returns a version of a blob, or nil.
func (s *azureServer) version(path, id string) *azureBlob {
	for _, o := range s.blobs[path] {
		if o.version == id {
			return o
		}
	}
	return nil
}

// use serves a request about a blob that exists.
func (s *azureServer) use(w http.ResponseWriter, r *http.Request, path, comp string, o *azureBlob) {
	switch r.Method + " " + comp {
	case "GET ", "HEAD ":
		maps.Copy(w.Header(), o.header)
		w.Header().Set("Content-Length", strconv.Itoa(len(o.body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(o.body)
		}
	case "DELETE ":
		if r.URL.Query().Has("versionid") && o.header.Get("X-Ms-Immutability-Policy-Mode") != "" {
			refuse(w, http.StatusConflict, "BlobImmutableDueToPolicy")
			return
		}
		if r.URL.Query().Has("versionid") {
			s.blobs[path] = slices.DeleteFunc(s.blobs[path],
				func(other *azureBlob) bool { return other == o })
		} else {
			delete(s.current, path)
		}
		w.WriteHeader(http.StatusAccepted)
	case "GET blocklist":
		_, _ = io.WriteString(w, `<?xml version="1.0"?><BlockList><CommittedBlocks/><UncommittedBlocks>`)
		for id, block := range s.blocks[path] {
			_, _ = fmt.Fprintf(w, "<Block><Name>%s</Name><Size>%d</Size></Block>", id, len(block))
		}
		_, _ = io.WriteString(w, `</UncommittedBlocks></BlockList>`)
	case "GET tags":
		_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><Tags><TagSet>%s</TagSet></Tags>`, o.tags)
	case "PUT tags":
		w.WriteHeader(http.StatusNoContent)
	case "PUT metadata":
		maps.DeleteFunc(o.header, func(name string, _ []string) bool {
			return strings.HasPrefix(name, "X-Ms-Meta-")
		})
		s.writes++
		for name, values := range r.Header {
			if strings.HasPrefix(name, "X-Ms-Meta-") {
				o.header[name] = values
			}
		}
		o.header.Set("Etag", fmt.Sprintf(`"0x%d"`, s.writes))
		w.Header().Set("Etag", o.header.Get("Etag"))
	case "PUT immutabilityPolicies", "PUT legalhold":
		for _, name := range []string{
			"X-Ms-Immutability-Policy-Until-Date",
			"X-Ms-Immutability-Policy-Mode",
			"X-Ms-Legal-Hold",
		} {
			if value := r.Header.Get(name); value != "" {
				o.header.Set(name, value)
				w.Header().Set(name, value)
			}
		}
	case "DELETE immutabilityPolicies":
		o.header.Del("X-Ms-Immutability-Policy-Mode")
		o.header.Del("X-Ms-Immutability-Policy-Until-Date")
	case "PUT tier":
	}
}

// put stores a blob or a block, or commits the blocks of a blob.
func (s *azureServer) put(w http.ResponseWriter, r *http.Request, path, comp string, body []byte) {
	var src *azureBlob
	if source := r.Header.Get("X-Ms-Copy-Source"); source != "" {
		source, _, _ = strings.Cut(strings.TrimPrefix(source, "https://acme.blob.core.windows.net/"), "?")
		src = s.current[source]
		if src == nil {
			refuse(w, http.StatusNotFound, "CannotVerifyCopySource")
			return
		}
		body = src.body
	}
	status := http.StatusCreated
	switch comp {
	case "block":
		if s.blocks[path] == nil {
			s.blocks[path] = map[string][]byte{}
		}
		s.blocks[path][r.URL.Query().Get("blockid")] = body
	case "blocklist":
		var data []byte
		for _, id := range strings.Split(string(body), "<Latest>")[1:] {
			id, _, _ = strings.Cut(id, "<")
			data = append(data, s.blocks[path][id]...)
		}
		delete(s.blocks, path)
		s.store(w, r, path, data, nil)
	default:
		if r.Header.Get("If-None-Match") == "*" && s.current[path] != nil {
			refuse(w, http.StatusConflict, "BlobAlreadyExists")
			return
		}
		if src != nil {
			w.Header().Set("X-Ms-Copy-Status", "success")
			status = http.StatusAccepted
		}
		s.store(w, r, path, body, src)
	}
	if sum := r.Header.Get("X-Ms-Content-Crc64"); sum != "" {
		w.Header().Set("X-Ms-Content-Crc64", sum)
	} else {
		w.Header().Set("X-Ms-Content-Crc64", base64.StdEncoding.EncodeToString(make([]byte, 8)))
	}
	w.WriteHeader(status)
}

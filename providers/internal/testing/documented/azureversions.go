package documented

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// AzureVersions is an account that keeps a blob that is replaced or removed as a version. It keeps
// versions in memory, because emulators do not have them, and refuses to copy a noncurrent one, as if
// it had no permission. access is the query of a shared access signature for the whole account.
func AzureVersions(access url.Values) Behavior {
	return Behavior{
		Name:   "versions",
		Source: "https://learn.microsoft.com/azure/storage/blobs/versioning-overview",
		middleware: func(next http.Handler) http.Handler {
			return &versionedAccount{
				next:   next,
				access: access,
				ids:    map[string]map[string]string{},
				blobs:  map[string]map[string]*azureHistory{},
			}
		},
	}
}

// A versionedAccount is the handler of AzureVersions.
type versionedAccount struct {
	next   http.Handler
	access url.Values

	mu       sync.Mutex
	lastTime time.Time                           // time of the newest version
	ids      map[string]map[string]string        // ids of versions, by path and ETag
	blobs    map[string]map[string]*azureHistory // histories by container and key
}

// An azureHistory has the versions of one key.
type azureHistory struct {
	writeLock sync.Mutex // held while a request makes a version

	// The mutex mu of versionedAccount guards these fields.
	current  string          // id of the current version; "" if the blob does not exist
	versions []*azureVersion // oldest first
}

// An azureVersion is a noncurrent version of a blob.
type azureVersion struct {
	id     string
	header http.Header // header of a response to GET
	body   []byte
	tags   []byte // XML document with the tags
}

// history returns the history of a key, which is empty for a new key.
func (a *versionedAccount) history(container, key string) *azureHistory {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.blobs[container] == nil {
		a.blobs[container] = map[string]*azureHistory{}
	}
	h := a.blobs[container][key]
	if h == nil {
		h = &azureHistory{}
		a.blobs[container][key] = h
	}
	return h
}

// ServeHTTP serves the requests that are about versions or that make them, and passes on the others.
func (a *versionedAccount) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	container, key := azureBlob(r)
	query := r.URL.Query()
	if query.Get("comp") == "batch" {
		a.batch(w, r)
		return
	}
	if key == "" {
		a.serveContainer(w, r, container)
		return
	}

	h := a.history(container, key)
	switch {
	case copiesVersion(r):
		// Like a service without the permission, this account cannot copy a noncurrent version.
		azureSourceDenied().send(w, r)
	case query.Has("versionid"):
		a.serveVersion(w, r, h, query.Get("versionid"))
	case makesVersion(r):
		a.serveWrite(w, r, h)
	default:
		// Pass the read on, and add to its response the id of the version, which the emulator does not have.
		findID := func(etag string) string { return a.id(r.URL.Path, etag, h) }
		a.next.ServeHTTP(&versionWriter{ResponseWriter: w, id: findID}, r)
	}
}

// copiesVersion reports whether a request copies a version that is named by its id.
func copiesVersion(r *http.Request) bool {
	source, err := url.Parse(r.Header.Get("X-Ms-Copy-Source"))
	return err == nil && source.Query().Has("versionid")
}

// makesVersion reports whether a request writes or removes a blob, whose former content then becomes
// a version.
func makesVersion(r *http.Request) bool {
	setsMetadata := r.Method == http.MethodPut && r.URL.Query().Get("comp") == "metadata"
	return azureWrites(r) || setsMetadata || r.Method == http.MethodDelete
}

// serveContainer serves a request about a container. The emulator has no versions, so serveContainer
// lists them itself, except in a listing with a delimiter. It forgets those of a removed container.
func (a *versionedAccount) serveContainer(w http.ResponseWriter, r *http.Request, container string) {
	query := r.URL.Query()
	listsVersions := query.Get("comp") == "list" && strings.Contains(query.Get("include"), "versions")
	if listsVersions && !query.Has("delimiter") {
		a.serveList(w, r, container)
		return
	}
	if r.Method == http.MethodDelete {
		a.mu.Lock()
		delete(a.blobs, container)
		a.mu.Unlock()
	}
	a.next.ServeHTTP(w, r)
}

// id returns the ID of the version with this ETag, or "" while a request writes the blob.
func (a *versionedAccount) id(path, etag string, h *azureHistory) string {
	// Do not wait for the writer's lock: when a blob is copied onto itself, the writer waits for this
	// response.
	isIdle := h.writeLock.TryLock()
	if isIdle {
		defer h.writeLock.Unlock()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	id := a.ids[path][etag]
	if id == "" && isIdle {
		// A change that makes no version, such as of the tier, has changed the ETag.
		return h.current
	}
	return id
}

// A versionWriter adds the header with the version id to the response to a read.
type versionWriter struct {
	http.ResponseWriter
	id func(etag string) string
}

// WriteHeader adds the ID of the version to the response if the read succeeded and the version is known.
func (w *versionWriter) WriteHeader(status int) {
	etag := w.Header().Get("Etag")
	if etag != "" && status < http.StatusMultipleChoices {
		if id := w.id(etag); id != "" {
			w.Header().Set("X-Ms-Version-Id", id)
			w.Header().Set("X-Ms-Is-Current-Version", "true")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *versionWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serveWrite serves a write or a removal, and keeps the replaced blob as a version.
func (a *versionedAccount) serveWrite(w http.ResponseWriter, r *http.Request, h *azureHistory) {
	// Read the body before taking the lock, because it may be slow.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))

	// Read the blob before it is replaced, unless the write can only create it.
	h.writeLock.Lock()
	defer h.writeLock.Unlock()
	var previous *azureVersion
	if h.current != "" && r.Header.Get("If-None-Match") != "*" {
		previous = a.read(r)
	}

	resp := httptest.NewRecorder()
	// Finish the write even if the client cancels it, so that the history is complete.
	a.next.ServeHTTP(resp, r.WithContext(context.WithoutCancel(r.Context())))
	if resp.Code < http.StatusMultipleChoices {
		a.recordWrite(r, resp, h, previous)
	}
	relay(w, resp)
}

// recordWrite keeps previous, the blob that was replaced or removed, unless it is nil. If there is a
// new blob, it makes an ID for its version, and adds the ID to the response.
func (a *versionedAccount) recordWrite(
	r *http.Request, resp *httptest.ResponseRecorder, h *azureHistory, previous *azureVersion,
) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if previous != nil {
		previous.id = h.current
		h.versions = append(h.versions, previous)
	}
	if r.Method == http.MethodDelete {
		// There is no current version now.
		h.current = ""
		return
	}

	// An id is a time with seven decimals of a second.
	a.lastTime = nextVersionTime(a.lastTime, time.Now().UTC().Truncate(100*time.Nanosecond))
	h.current = a.lastTime.Format("2006-01-02T15:04:05.0000000Z")
	idsByETag := a.ids[r.URL.Path]
	if idsByETag == nil {
		idsByETag = map[string]string{}
		a.ids[r.URL.Path] = idsByETag
	}
	idsByETag[resp.Header().Get("Etag")] = h.current
	resp.Header().Set("X-Ms-Version-Id", h.current)
}

// nextVersionTime returns the time of a new version, which is now or, if the clock has not advanced, just after
// the last one.
func nextVersionTime(last, now time.Time) time.Time {
	if now.After(last) {
		return now
	}
	return last.Add(100 * time.Nanosecond)
}

// relay sends a recorded response.
func relay(w http.ResponseWriter, resp *httptest.ResponseRecorder) {
	for name, values := range resp.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.Code)
	_, _ = resp.Body.WriteTo(w)
}

// read returns the current blob at the path of r as a version, or nil if the blob does not exist.
func (a *versionedAccount) read(r *http.Request) *azureVersion {
	blob := a.fetch(r, http.MethodGet, url.Values{})
	if blob.Code != http.StatusOK {
		return nil
	}
	tags := a.fetch(r, http.MethodGet, url.Values{"comp": {"tags"}})
	return &azureVersion{header: blob.Header(), body: blob.Body.Bytes(), tags: tags.Body.Bytes()}
}

// fetch sends the emulator a request of its own for the path of r, and returns the response. The request
// is authorized by the shared access signature of the account.
func (a *versionedAccount) fetch(r *http.Request, method string, query url.Values) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(
		context.WithoutCancel(r.Context()), method,
		"http://"+r.Host+r.URL.EscapedPath()+"?"+a.granted(query),
		nil,
	)
	req.Header.Set("X-Ms-Version", r.Header.Get("X-Ms-Version"))
	response := httptest.NewRecorder()
	a.next.ServeHTTP(response, req)
	return response
}

// granted adds the shared access signature of the account to a query, and returns the query encoded.
func (a *versionedAccount) granted(query url.Values) string {
	for name, values := range a.access {
		query[name] = values
	}
	return query.Encode()
}

// serveVersion serves a request that names a version of a blob by its id.
func (a *versionedAccount) serveVersion(w http.ResponseWriter, r *http.Request, h *azureHistory, id string) {
	a.mu.Lock()
	isCurrent := h.current == id
	var noncurrent *azureVersion
	i := h.index(id)
	if i >= 0 {
		noncurrent = h.versions[i]
	}
	a.mu.Unlock()

	if isCurrent {
		a.serveCurrentVersion(w, r)
		return
	}
	if noncurrent == nil {
		answer := azureRefusal("BlobNotFound", http.StatusNotFound, "The specified blob does not exist.", azureBlobs)
		answer.send(w, r)
		return
	}

	isOfTags := r.URL.Query().Get("comp") == "tags"
	setsTags := isOfTags && r.Method == http.MethodPut
	switch {
	case setsTags || r.Method == http.MethodDelete:
		a.serveVersionChange(w, r, h, id)
	case isOfTags:
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("X-Ms-Request-Id", "R1")
		_, _ = w.Write(noncurrent.tags)
	default:
		noncurrent.serve(w, r)
	}
}

// index returns the index of a version in h.versions, or -1. The caller holds the mutex of the
// account.
func (h *azureHistory) index(id string) int {
	return slices.IndexFunc(h.versions, func(v *azureVersion) bool { return v.id == id })
}

// serveCurrentVersion serves a request that names the current version, as if it named none, but refuses to
// remove that version.
func (a *versionedAccount) serveCurrentVersion(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		answer := azureRefusal(
			"OperationNotAllowedOnRootBlob", http.StatusForbidden, "The operation is not allowed on the root blob.",
			"Azure/azure-sdk-for-java#48716",
		)
		answer.send(w, r)
		return
	}

	// Pass a copy of the request on, without the id of the version.
	r = r.Clone(r.Context())
	query := r.URL.Query()
	query.Del("versionid")
	isSignedURL := query.Has("sig")
	if !isSignedURL {
		// The Authorization header covers the id, so the request needs another signature.
		r.Header.Del("Authorization")
		r.URL.RawQuery = a.granted(query)
	}
	a.ServeHTTP(w, r)
}

// serveVersionChange serves a request that removes a noncurrent version or replaces its tags.
func (a *versionedAccount) serveVersionChange(w http.ResponseWriter, r *http.Request, h *azureHistory, id string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}

	w.Header().Set("X-Ms-Request-Id", "R1")
	isRemoval := r.Method == http.MethodDelete
	successStatus := http.StatusNoContent
	if isRemoval {
		successStatus = http.StatusAccepted
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	i := h.index(id)
	if i < 0 {
		// Another request has removed the version.
		w.WriteHeader(successStatus)
		return
	}

	etag := r.Header.Get("If-Match")
	if etag != "" && etag != h.versions[i].header.Get("Etag") {
		answer := azureRefusal(
			"ConditionNotMet", http.StatusPreconditionFailed,
			"The condition specified using HTTP conditional header(s) is not met.", azureBlobs,
		)
		answer.send(w, r)
		return
	}

	if isRemoval {
		h.versions = slices.Delete(h.versions, i, i+1)
	} else {
		// Change a copy, because a read may still use the version without the lock.
		changed := *h.versions[i]
		changed.tags = body
		h.versions[i] = &changed
	}
	w.WriteHeader(successStatus)
}

// serve responds to a read of the noncurrent version v.
func (v *azureVersion) serve(w http.ResponseWriter, r *http.Request) {
	for name, values := range v.header {
		if name != "Content-Length" && name != "Date" && name != "Transfer-Encoding" {
			w.Header()[name] = values
		}
	}
	w.Header().Set("X-Ms-Version-Id", v.id)

	// The tags of the version may have changed since the header was recorded.
	w.Header().Del("X-Ms-Tag-Count")
	if tagCount := bytes.Count(v.tags, []byte("<Tag>")); tagCount > 0 {
		w.Header().Set("X-Ms-Tag-Count", fmt.Sprint(tagCount))
	}

	// ServeContent knows only the standard name of the range.
	if byteRange := r.Header.Get("X-Ms-Range"); byteRange != "" {
		r.Header.Set("Range", byteRange)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(v.body))
}

// batch serves the requests of a batch one after the other, with a shared access signature of the
// account in place of each request's own authorization.
func (a *versionedAccount) batch(w http.ResponseWriter, r *http.Request) {
	serveBatch(w, r, func(w http.ResponseWriter, req *http.Request) {
		req.Header.Del("Authorization")
		req.URL.RawQuery = a.granted(req.URL.Query())
		a.ServeHTTP(w, req)
	})
}

// serveBatch calls serve for each request of a batch, one after the other, and sends the responses
// together. It ignores a malformed request and all that follow it.
func serveBatch(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	// Ignore the error, because without a boundary, there is no part.
	_, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	parts := multipart.NewReader(r.Body, params["boundary"])
	var body bytes.Buffer

	// Each part of the batch is a request.
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			break
		}
		req, err := http.ReadRequest(bufio.NewReader(part))
		if err != nil {
			break
		}

		// Complete the request with what the batch has for all of its parts.
		req = req.WithContext(context.WithoutCancel(r.Context()))
		req.Header.Set("X-Ms-Version", r.Header.Get("X-Ms-Version"))
		req.Host = r.Host
		req.RequestURI = ""

		resp := httptest.NewRecorder()
		serve(resp, req)
		writePart(&body, part.Header.Get("Content-Id"), resp)
	}
	body.WriteString("--batchresponse_1--\r\n")

	w.Header().Set("X-Ms-Request-Id", "R1")
	w.Header().Set("Content-Type", "multipart/mixed; boundary=batchresponse_1")
	w.WriteHeader(http.StatusAccepted)
	_, _ = body.WriteTo(w)
}

// writePart appends the response to one request of a batch to the body of the batch's response.
func writePart(body *bytes.Buffer, id string, resp *httptest.ResponseRecorder) {
	fmt.Fprintf(body, "--batchresponse_1\r\nContent-Type: application/http\r\nContent-ID: %s\r\n\r\n", id)
	fmt.Fprintf(body, "HTTP/1.1 %d %s\r\n", resp.Code, http.StatusText(resp.Code))
	resp.Header().Del("Content-Length")
	resp.Header().Del("Transfer-Encoding")
	_ = resp.Header().Write(body) // a bytes.Buffer does not fail
	fmt.Fprintf(body, "Content-Length: %d\r\n\r\n%s\r\n", resp.Body.Len(), resp.Body.Bytes())
}

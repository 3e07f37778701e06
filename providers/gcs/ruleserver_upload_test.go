package gcs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A ruleSession is a resumable upload.
type ruleSession struct {
	bucket string
	object *ruleObject
	query  url.Values
	data   []byte
	done   *ruleObject
}

// ruleChunk is the unit of the sizes of chunks. The size of each chunk but the last must be a
// multiple of it.
const ruleChunk = 256 << 10

// serveUpload handles the upload of an object: in one request, or in chunks of a session.
func (s *ruleServer) serveUpload(w http.ResponseWriter, r *http.Request, bucket string, body []byte, broken bool) {
	query := r.URL.Query()
	b := s.buckets[bucket]
	if b == nil {
		writeJSON(w, nil, missingBucket)
		return
	}
	if id := query.Get("upload_id"); id != "" {
		s.serveSession(w, r, id, body, broken)
		return
	}
	if query.Get("uploadType") == "resumable" {
		s.begin(w, r, bucket, query, body)
		return
	}
	if broken {
		return // the client has gone
	}
	o, data, problem := readRelated(r.Header.Get("Content-Type"), body)
	if problem == nil {
		o.key = r.Header.Get(keyHeader)
		problem = s.insert(b, o, query, data, false)
	}
	writeJSON(w, o, problem)
}

// readRelated parses a multipart/related body.
func readRelated(contentType string, body []byte) (*ruleObject, []byte, *refusal) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/related" {
		return nil, nil, invalidArgument("Bad content type")
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	o := &ruleObject{}
	first, err := parts.NextRawPart()
	if err != nil || json.NewDecoder(first).Decode(o) != nil {
		return nil, nil, invalidArgument("Malformed multipart body.")
	}
	second, err := parts.NextRawPart()
	if err != nil {
		return nil, nil, invalidArgument("Malformed multipart body.")
	}
	data := bytes.NewBuffer(make([]byte, 0, len(body)+bytes.MinRead))
	if _, err := data.ReadFrom(second); err != nil {
		return nil, nil, invalidArgument("Malformed multipart body.")
	}
	return o, data.Bytes(), nil
}

// begin opens a session, and responds with its URL.
func (s *ruleServer) begin(w http.ResponseWriter, r *http.Request, bucket string, query url.Values, body []byte) {
	o := &ruleObject{}
	if err := json.Unmarshal(body, o); err != nil {
		writeJSON(w, nil, invalidArgument("Parse Error"))
		return
	}
	if !conditionHolds(query, "if", s.buckets[bucket].find(o.Name, "")) {
		writeJSON(w, nil, conditionNotMet)
		return
	}
	o.key = r.Header.Get(keyHeader)
	s.clock++
	id := "secret-" + strconv.FormatInt(s.clock, 10)
	s.sessions[id] = &ruleSession{bucket: bucket, object: o, query: query}
	query.Set("upload_id", id)
	w.Header().Set("X-Guploader-Uploadid", id) // as Google sends it
	w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"?"+query.Encode())
}

// serveSession handles a chunk of a session. With the last chunk, it stores the object.
func (s *ruleServer) serveSession(w http.ResponseWriter, r *http.Request, id string, body []byte, broken bool) {
	w.Header().Set("X-Guploader-Uploadid", id) // as Google sends it
	session := s.sessions[id]
	if session == nil {
		writeJSON(w, nil, &refusal{status: http.StatusNotFound, reason: "notFound", message: "Not Found"})
		return
	}
	if r.Method == http.MethodDelete {
		const statusAborted = 499
		delete(s.sessions, id)
		w.WriteHeader(statusAborted)
		return
	}
	if session.done != nil {
		writeJSON(w, session.done, nil)
		return
	}

	// A request with the range "bytes 0-262143/*" has a chunk. A request with "bytes */262144" only
	// ends the upload.
	span, total, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	start := len(session.data)
	if first, _, hasBytes := strings.Cut(span, "-"); hasBytes {
		start, _ = strconv.Atoi(first)
	}
	isPartialUnit := total == "*" && !broken && len(body)%ruleChunk != 0
	if start > len(session.data) || isPartialUnit {
		writeJSON(w, nil, invalidArgument("Invalid request. "+
			"The chunk does not begin where the upload ends, or is no multiple of 256 KiB."))
		return
	}

	session.keep(start, body, broken)
	size, err := strconv.Atoi(total)
	isComplete := err == nil && len(session.data) >= size && !broken
	if !isComplete {
		session.writeResume(w, r)
		return
	}
	if sum, ok := strings.CutPrefix(r.Header.Get("X-Goog-Hash"), "crc32c="); ok {
		session.object.CRC32C = sum
	}
	problem := s.insert(s.buckets[session.bucket], session.object, session.query, session.data, false)
	if problem != nil {
		delete(s.sessions, id)
		writeJSON(w, nil, problem)
		return
	}
	session.done = session.object
	writeJSON(w, session.object, nil)
}

// writeResume tells the client how many bytes the session has.
func (s *ruleSession) writeResume(w http.ResponseWriter, r *http.Request) {
	if len(s.data) > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(s.data)-1))
	}
	if r.Header.Get("X-Guploader-No-308") != "" { // from the SDK
		w.Header().Set("X-Http-Status-Code-Override", "308")
		return
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

// keep stores the bytes that the session does not have yet. If the chunk was cut off, keep drops
// bytes at its end until the session has a multiple of 256 KiB.
func (s *ruleSession) keep(start int, body []byte, broken bool) {
	if broken {
		end := (start + len(body)) / ruleChunk * ruleChunk
		body = body[:max(0, end-start)]
	}
	if repeated := len(s.data) - start; repeated < len(body) {
		s.data = append(s.data, body[repeated:]...)
	}
}

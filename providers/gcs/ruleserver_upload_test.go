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

const ruleChunk = 256 << 10

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
	o, data, no := readRelated(r.Header.Get("Content-Type"), body)
	if no == nil {
		o.key = r.Header.Get(keyHeader)
		no = s.insert(b, o, query, data, false)
	}
	writeJSON(w, o, no)
}

// readRelated parses a multipart/related body.
func readRelated(contentType string, body []byte) (*ruleObject, []byte, *refusal) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/related" {
		return nil, nil, bad("Bad content type")
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	o := &ruleObject{}
	first, err := parts.NextRawPart()
	if err != nil || json.NewDecoder(first).Decode(o) != nil {
		return nil, nil, bad("Malformed multipart body.")
	}
	second, err := parts.NextRawPart()
	if err != nil {
		return nil, nil, bad("Malformed multipart body.")
	}
	data := bytes.NewBuffer(make([]byte, 0, len(body)+bytes.MinRead))
	if _, err := data.ReadFrom(second); err != nil {
		return nil, nil, bad("Malformed multipart body.")
	}
	return o, data.Bytes(), nil
}

func (s *ruleServer) begin(w http.ResponseWriter, r *http.Request, bucket string, query url.Values, body []byte) {
	o := &ruleObject{}
	if err := json.Unmarshal(body, o); err != nil {
		writeJSON(w, nil, bad("Parse Error"))
		return
	}
	if !holds(query, "if", s.buckets[bucket].find(o.Name, "")) {
		writeJSON(w, nil, failed)
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

func (s *ruleServer) serveSession(w http.ResponseWriter, r *http.Request, id string, body []byte, broken bool) {
	w.Header().Set("X-Guploader-Uploadid", id) // as Google sends it
	session := s.sessions[id]
	if session == nil {
		writeJSON(w, nil, &refusal{status: 404, reason: "notFound", words: "Not Found"})
		return
	}
	if r.Method == http.MethodDelete {
		delete(s.sessions, id)
		w.WriteHeader(499)
		return
	}
	if session.done != nil {
		writeJSON(w, session.done, nil)
		return
	}
	span, full, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Content-Range"), "bytes "), "/")
	start := len(session.data)
	if first, _, ok := strings.Cut(span, "-"); ok {
		start, _ = strconv.Atoi(first)
	}
	if start > len(session.data) || full == "*" && !broken && len(body)%ruleChunk != 0 {
		writeJSON(w, nil, bad("Invalid request. The chunk does not begin where the upload ends, or is no multiple of 256 KiB."))
		return
	}

	session.keep(start, body, broken)
	total, err := strconv.Atoi(full)
	if err != nil || len(session.data) < total || broken {
		if len(session.data) > 0 {
			w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(session.data)-1))
		}
		if r.Header.Get("X-Guploader-No-308") != "" { // from the SDK
			w.Header().Set("X-Http-Status-Code-Override", "308")
			return
		}
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	if sum, ok := strings.CutPrefix(r.Header.Get("X-Goog-Hash"), "crc32c="); ok {
		session.object.CRC32C = sum
	}
	no := s.insert(s.buckets[session.bucket], session.object, session.query, session.data, false)
	if no == nil {
		session.done = session.object
	} else {
		delete(s.sessions, id)
	}
	writeJSON(w, session.object, no)
}

// keep stores the bytes that the session does not have yet. If the chunk was
// cut off, it keeps a multiple of 256 KiB.
func (s *ruleSession) keep(start int, body []byte, broken bool) {
	if broken {
		body = body[:max(0, (start+len(body))/ruleChunk*ruleChunk-start)]
	}
	if have := len(s.data) - start; have < len(body) {
		s.data = append(s.data, body[have:]...)
	}
}

package gcs_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serveXML handles a read through the XML API.
func (s *ruleServer) serveXML(w http.ResponseWriter, r *http.Request, bucket, key string) {
	if s.serveCached(w, r) {
		return
	}
	var o *ruleObject
	no := missingBucket
	b := s.buckets[bucket]
	if b != nil {
		no = nil
		o = b.find(key, r.URL.Query().Get("generation"))
		switch {
		case o == nil:
			no = missingObject(bucket, key)
		case r.Header.Get("X-Goog-If-Generation-Match") != "" && r.Header.Get("X-Goog-If-Generation-Match") != o.Generation:
			no = failed
		default:
			no = o.opensWith(r.Header, "")
		}
	}
	if no != nil {
		writeXML(w, no)
		return
	}
	s.keepCached(r, b, o).serve(w, r)
}

func writeXML(w http.ResponseWriter, no *refusal) {
	message := no.words
	details := ""
	if no.xmlIs == "NoSuchKey" {
		message = "The specified key does not exist."
		details = no.words
	}
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "private, max-age=0")
	}
	w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
	w.WriteHeader(no.status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
		Details       string `xml:",omitempty"`
	}{Code: no.xmlIs, Message: message, Details: details})
}

// serve sends the object's bytes.
func (o *ruleObject) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Del("Vary")
	content := "identity"
	if o.ContentEncoding != "" && o.ContentEncoding != "identity" {
		content = o.ContentEncoding
		h.Set("Content-Encoding", content)
	}
	cache := o.CacheControl
	if cache == "" {
		cache = "private, max-age=0"
	}
	for name, value := range map[string]string{
		"Content-Type":                   cmp.Or(o.ContentType, "application/octet-stream"),
		"Content-Disposition":            o.ContentDisposition,
		"Content-Language":               o.ContentLanguage,
		"Cache-Control":                  cache,
		"X-Goog-Stored-Content-Encoding": content,
		"X-Goog-Stored-Content-Length":   o.Size,
		"X-Goog-Storage-Class":           o.StorageClass,
		"X-Goog-Encryption-Kms-Key-Name": o.KMSKeyName,
		"X-Goog-Generation":              o.Generation,
		"X-Goog-Metageneration":          o.Metageneration,
		"ETag":                           `"-` + o.Etag + `"`,
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	o.describeLock(h)
	h.Add("X-Goog-Hash", "crc32c="+o.CRC32C)
	if o.MD5Hash != "" {
		h.Add("X-Goog-Hash", "md5="+o.MD5Hash)
		sum, _ := base64.StdEncoding.DecodeString(o.MD5Hash)
		h.Set("ETag", `"`+hex.EncodeToString(sum)+`"`)
	}
	for key, value := range o.Metadata {
		h.Set("X-Goog-Meta-"+key, value)
	}
	created, _ := time.Parse(time.RFC3339Nano, o.TimeCreated)
	http.ServeContent(&measured{w, o.Size, cache}, r, "", created, bytes.NewReader(o.data))
}

// A measured response has a Content-Length, which ServeContent omits if there is
// a Content-Encoding.
type measured struct {
	http.ResponseWriter
	size, cache string
}

func (m *measured) WriteHeader(status int) {
	h := m.Header()
	switch status {
	case http.StatusRequestedRangeNotSatisfiable: // ServeContent drops it; Google does not
		h.Set("Cache-Control", m.cache)
	case http.StatusOK:
		h.Set("Content-Length", m.size)
	case http.StatusPartialContent:
		var start, end int64
		if _, err := fmt.Sscanf(h.Get("Content-Range"), "bytes %d-%d/", &start, &end); err == nil {
			h.Set("Content-Length", strconv.FormatInt(end-start+1, 10))
		}
	}
	m.ResponseWriter.WriteHeader(status)
}

// list handles objects.list. A page has items and prefixes in byte order, and
// both count.
func (b *ruleBucket) list(query url.Values) any {
	prefix := query.Get("prefix")
	delimiter := query.Get("delimiter")
	startOffset := query.Get("startOffset")
	end := query.Get("endOffset")
	limit, err := strconv.Atoi(query.Get("maxResults"))
	if err != nil {
		limit = 1000
	}
	type listing struct {
		Kind          string        `json:"kind"`
		Items         []*ruleObject `json:"items,omitempty"`
		Prefixes      []string      `json:"prefixes,omitempty"`
		NextPageToken string        `json:"nextPageToken,omitempty"`
	}
	all := slices.Clone(b.objects)
	every := query.Get("versions") == "true"
	if query.Get("softDeleted") == "true" {
		all = slices.Clone(b.removed)
		every = true
	}
	slices.SortStableFunc(all, func(x, y *ruleObject) int { return strings.Compare(x.Name, y.Name) })
	page := listing{Kind: "storage#objects"}
	next := query.Get("pageToken")
	count, last := 0, ""
	for _, o := range all {
		if o.pageToken() < next || !strings.HasPrefix(o.Name, prefix) || o.Name < startOffset || end != "" && o.Name >= end || !o.live() && !every {
			continue
		}
		common := ""
		if folder, _, ok := strings.Cut(o.Name[len(prefix):], delimiter); delimiter != "" && ok {
			common = prefix + folder + delimiter
			if common == last {
				continue
			}
			last = common
		}
		count++
		if count > limit {
			page.NextPageToken = o.pageToken()
			break
		}
		if common != "" {
			page.Prefixes = append(page.Prefixes, common)
		} else {
			page.Items = append(page.Items, o)
		}
	}
	return page
}

// pageToken returns the token of a page that begins with o.
func (o *ruleObject) pageToken() string {
	return o.Name + "\x00" + strings.Repeat("0", 20-len(o.Generation)) + o.Generation
}

// rewrite handles "b/BUCKET/o/OBJECT/rewriteTo/b/BUCKET/o/OBJECT". An object
// above 1 MiB takes two calls.
func (s *ruleServer) rewrite(path []string, r *http.Request, body []byte) (any, *refusal) {
	query := r.URL.Query()
	dst := s.buckets[path[6]]
	if dst == nil {
		return nil, missingBucket
	}
	src := s.buckets[path[1]].find(path[3], query.Get("sourceGeneration"))
	if src == nil {
		return nil, missingObject(path[1], path[3])
	}
	if !holds(query, "ifSource", src) {
		return nil, failed
	}
	if src.opensWith(r.Header, "Copy-Source-") != nil {
		return nil, src.opensWith(r.Header, "Copy-Source-")
	}
	if len(src.data) > 1<<20 && query.Get("rewriteToken") != "again" {
		return map[string]any{"kind": "storage#rewriteResponse", "done": false, "rewriteToken": "again", "objectSize": src.Size, "totalBytesRewritten": "1048576"}, nil
	}
	said := &ruleObject{}
	if err := json.Unmarshal(body, said); len(body) > 0 && err != nil {
		return nil, bad("Parse Error")
	}
	if said.Bucket != "" && said.Name == "" {
		return nil, &refusal{status: 400, reason: "required", words: "Required"}
	}
	if said.ContentType == "" { // without a resource, everything except the class is copied
		class := said.StorageClass
		*said = *src
		said.StorageClass = class
		said.ruleControls = ruleControls{}
	}
	if said.Contexts == nil && query.Get("dropContextGroups") != "custom" {
		said.Contexts = src.Contexts
	}
	said.Name, said.CRC32C, said.key = path[8], "", r.Header.Get(keyHeader)
	if no := s.insert(dst, said, query, src.data, src.MD5Hash == ""); no != nil {
		return nil, no
	}
	return map[string]any{"kind": "storage#rewriteResponse", "done": true, "resource": said, "objectSize": said.Size, "totalBytesRewritten": said.Size}, nil
}

// move handles "b/BUCKET/o/OBJECT/moveTo/o/OBJECT".
// https://cloud.google.com/storage/docs/json_api/v1/objects/move
func (s *ruleServer) move(b *ruleBucket, path []string, r *http.Request) (any, *refusal) {
	src := b.find(path[3], "")
	if src == nil {
		return nil, missingObject(path[1], path[3])
	}
	if path[3] == path[6] {
		return nil, bad("The source and destination objects must be different.")
	}
	if !holds(r.URL.Query(), "ifSource", src) {
		return nil, failed
	}
	if src.kept(path[1], b.versioned) != nil {
		return nil, src.kept(path[1], b.versioned)
	}
	moved := *src
	moved.Name = path[6]
	if no := s.insert(b, &moved, r.URL.Query(), src.data, src.MD5Hash == ""); no != nil {
		return nil, no
	}
	return moved.as(r.Header), b.remove(path[1], path[3], nil)
}

func (s *ruleServer) compose(bucket, key string, r *http.Request, body []byte) (any, *refusal) {
	query := r.URL.Query()
	var request struct {
		Destination   *ruleObject `json:"destination"`
		SourceObjects []struct{ Name, Generation string }
	}
	if err := json.Unmarshal(body, &request); err != nil || request.Destination == nil {
		return nil, bad("Parse Error")
	}
	if n := len(request.SourceObjects); n > 32 {
		return nil, bad(fmt.Sprintf("The number of source components provided (%d) exceeds the maximum (32)", n))
	}
	b := s.buckets[bucket]
	o := request.Destination
	joined := map[string]*ruleContext{}
	var data []byte
	for _, source := range request.SourceObjects {
		src := b.find(source.Name, source.Generation)
		if src == nil {
			return nil, missingObject(bucket, source.Name)
		}
		if no := src.opensWith(r.Header, ""); no != nil {
			return nil, no
		}
		if src.Contexts != nil {
			maps.Copy(joined, src.Contexts.Custom)
		}
		data = append(data, src.data...)
	}
	if o.Contexts == nil && query.Get("dropContextGroups") != "custom" && len(joined) > 0 {
		o.Contexts = &ruleContexts{joined}
	}
	o.Name, o.key = key, r.Header.Get(keyHeader)
	if no := s.insert(b, o, query, data, true); no != nil {
		return nil, no
	}
	return o, nil
}

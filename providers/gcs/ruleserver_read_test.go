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
	b := s.buckets[bucket]
	if b == nil {
		writeXML(w, missingBucket)
		return
	}
	o, problem := b.open(r, key)
	if problem != nil {
		writeXML(w, problem)
		return
	}
	s.keepCached(r, b, o).serve(w, r)
}

// open returns the object that a request of the XML API reads, if its condition holds and the
// request has the right key.
func (b *ruleBucket) open(r *http.Request, key string) (*ruleObject, *refusal) {
	o := b.find(key, r.URL.Query().Get("generation"))
	if o == nil {
		return nil, missingObject(b.name, key)
	}
	generation := r.Header.Get("X-Goog-If-Generation-Match")
	if generation != "" && generation != o.Generation {
		return nil, conditionNotMet
	}
	if problem := o.checkKey(r.Header, ""); problem != nil {
		return nil, problem
	}
	return o, nil
}

// writeXML responds with an error as the XML API sends it.
func writeXML(w http.ResponseWriter, problem *refusal) {
	message := problem.message
	details := ""
	if problem.xmlCode == "NoSuchKey" {
		message = "The specified key does not exist."
		details = problem.message
	}
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "private, max-age=0")
	}
	w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
	w.WriteHeader(problem.status)
	_ = xml.NewEncoder(w).Encode(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
		Details       string `xml:",omitempty"`
	}{Code: problem.xmlCode, Message: message, Details: details})
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
	http.ServeContent(&lengthWriter{w, o.Size, cache}, r, "", created, bytes.NewReader(o.data))
}

// A lengthWriter adds Content-Length, which ServeContent omits if there is a Content-Encoding.
type lengthWriter struct {
	http.ResponseWriter
	size, cache string
}

// WriteHeader adds the headers that ServeContent leaves out.
func (m *lengthWriter) WriteHeader(status int) {
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

// A ruleListing is a page of objects.list.
type ruleListing struct {
	Kind          string        `json:"kind"`
	Items         []*ruleObject `json:"items,omitempty"`
	Prefixes      []string      `json:"prefixes,omitempty"`
	NextPageToken string        `json:"nextPageToken,omitempty"`
}

// list handles objects.list. A page has items and prefixes in byte order, and both count towards
// its limit.
func (b *ruleBucket) list(query url.Values) *ruleListing {
	prefix := query.Get("prefix")
	delimiter := query.Get("delimiter")
	limit, err := strconv.Atoi(query.Get("maxResults"))
	if err != nil {
		limit = 1000
	}

	page := &ruleListing{Kind: "storage#objects"}
	count := 0
	lastPrefix := ""
	for _, o := range b.listed(query) {
		// With a delimiter, keys with the same beginning are one entry.
		commonPrefix := ""
		folder, _, found := strings.Cut(o.Name[len(prefix):], delimiter)
		if delimiter != "" && found {
			commonPrefix = prefix + folder + delimiter
		}
		if commonPrefix != "" && commonPrefix == lastPrefix {
			continue
		}
		lastPrefix = cmp.Or(commonPrefix, lastPrefix)

		count++
		if count > limit {
			page.NextPageToken = o.pageToken()
			break
		}
		if commonPrefix != "" {
			page.Prefixes = append(page.Prefixes, commonPrefix)
		} else {
			page.Items = append(page.Items, o)
		}
	}
	return page
}

// listed returns the objects that can be entries of a listing, in order.
func (b *ruleBucket) listed(query url.Values) []*ruleObject {
	objects := b.objects
	all := query.Get("versions") == "true"
	if query.Get("softDeleted") == "true" {
		objects = b.removed
		all = true
	}
	prefix := query.Get("prefix")
	start := query.Get("startOffset")
	end := query.Get("endOffset")
	token := query.Get("pageToken")

	var listed []*ruleObject
	for _, o := range objects {
		inRange := o.pageToken() >= token && o.Name >= start && (end == "" || o.Name < end)
		if inRange && strings.HasPrefix(o.Name, prefix) && (all || o.live()) {
			listed = append(listed, o)
		}
	}
	slices.SortStableFunc(listed, func(x, y *ruleObject) int { return strings.Compare(x.Name, y.Name) })
	return listed
}

// pageToken returns the token of a page that begins with o.
func (o *ruleObject) pageToken() string {
	return o.Name + "\x00" + strings.Repeat("0", 20-len(o.Generation)) + o.Generation
}

// rewrite handles "b/BUCKET/o/OBJECT/rewriteTo/b/BUCKET/o/OBJECT". An object above 1 MiB takes two calls.
func (s *ruleServer) rewrite(path []string, r *http.Request, body []byte) (any, *refusal) {
	srcBucket, srcKey, dstBucket, dstKey := path[1], path[3], path[6], path[8]
	query := r.URL.Query()
	dst := s.buckets[dstBucket]
	if dst == nil {
		return nil, missingBucket
	}
	src := s.buckets[srcBucket].find(srcKey, query.Get("sourceGeneration"))
	if src == nil {
		return nil, missingObject(srcBucket, srcKey)
	}
	if !conditionHolds(query, "ifSource", src) {
		return nil, conditionNotMet
	}
	if problem := src.checkKey(r.Header, "Copy-Source-"); problem != nil {
		return nil, problem
	}
	const maxPerCall = 1 << 20
	isFirstCall := query.Get("rewriteToken") != "again"
	if len(src.data) > maxPerCall && isFirstCall {
		return map[string]any{
			"kind":                "storage#rewriteResponse",
			"done":                false,
			"rewriteToken":        "again",
			"objectSize":          src.Size,
			"totalBytesRewritten": "1048576",
		}, nil
	}

	// The body has the attributes of the copy.
	o := &ruleObject{}
	if err := json.Unmarshal(body, o); len(body) > 0 && err != nil {
		return nil, invalidArgument("Parse Error")
	}
	if o.Bucket != "" && o.Name == "" {
		return nil, &refusal{status: http.StatusBadRequest, reason: "required", message: "Required"}
	}
	if o.ContentType == "" {
		// Without a resource, everything except the class and the controls is copied.
		class := o.StorageClass
		*o = *src
		o.StorageClass = class
		o.ruleControls = ruleControls{}
	}
	if o.Contexts == nil && query.Get("dropContextGroups") != "custom" {
		o.Contexts = src.Contexts
	}

	o.Name = dstKey
	o.CRC32C = ""
	o.key = r.Header.Get(keyHeader)
	if problem := s.insert(dst, o, query, src.data, src.MD5Hash == ""); problem != nil {
		return nil, problem
	}
	return map[string]any{
		"kind":                "storage#rewriteResponse",
		"done":                true,
		"resource":            o,
		"objectSize":          o.Size,
		"totalBytesRewritten": o.Size,
	}, nil
}

// move handles "b/BUCKET/o/OBJECT/moveTo/o/OBJECT".
// https://cloud.google.com/storage/docs/json_api/v1/objects/move
func (s *ruleServer) move(b *ruleBucket, path []string, r *http.Request) (any, *refusal) {
	bucket, from, to := path[1], path[3], path[6]
	src := b.find(from, "")
	if src == nil {
		return nil, missingObject(bucket, from)
	}
	if from == to {
		return nil, invalidArgument("The source and destination objects must be different.")
	}
	if !conditionHolds(r.URL.Query(), "ifSource", src) {
		return nil, conditionNotMet
	}
	if problem := src.lockRefusal(bucket, b.versioned); problem != nil {
		return nil, problem
	}

	moved := *src
	moved.Name = to
	if problem := s.insert(b, &moved, r.URL.Query(), src.data, src.MD5Hash == ""); problem != nil {
		return nil, problem
	}
	return moved.as(r.Header), b.remove(bucket, from, nil)
}

// compose handles "b/BUCKET/o/OBJECT/compose".
func (s *ruleServer) compose(bucket, key string, r *http.Request, body []byte) (any, *refusal) {
	query := r.URL.Query()
	var request struct {
		Destination   *ruleObject `json:"destination"`
		SourceObjects []struct{ Name, Generation string }
	}
	if err := json.Unmarshal(body, &request); err != nil || request.Destination == nil {
		return nil, invalidArgument("Parse Error")
	}
	if n := len(request.SourceObjects); n > 32 {
		return nil, invalidArgument(fmt.Sprintf("The number of source components provided (%d) exceeds the maximum (32)", n))
	}

	b := s.buckets[bucket]
	var data []byte
	sourceContexts := map[string]*ruleContext{} // those of all sources
	for _, source := range request.SourceObjects {
		src := b.find(source.Name, source.Generation)
		if src == nil {
			return nil, missingObject(bucket, source.Name)
		}
		if problem := src.checkKey(r.Header, ""); problem != nil {
			return nil, problem
		}
		if src.Contexts != nil {
			maps.Copy(sourceContexts, src.Contexts.Custom)
		}
		data = append(data, src.data...)
	}

	o := request.Destination
	o.Name = key
	o.key = r.Header.Get(keyHeader)
	dropsContexts := query.Get("dropContextGroups") == "custom"
	if o.Contexts == nil && !dropsContexts && len(sourceContexts) > 0 {
		o.Contexts = &ruleContexts{sourceContexts}
	}
	const isComposed = true
	if problem := s.insert(b, o, query, data, isComposed); problem != nil {
		return nil, problem
	}
	return o, nil
}
